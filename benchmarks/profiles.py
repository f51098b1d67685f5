"""Where the time of our daemons goes: ``make profiles``, or ``python -m benchmarks.profiles``."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from urllib.request import urlopen

import attrs

from benchmarks.contenders import Contender, our_pair
from benchmarks.flames import draw_flames
from benchmarks.lag import LATE, Lag, measure_lag
from benchmarks.loads import Load, Workload
from benchmarks.measuring import SERVER, SIGNER
from benchmarks.report import number, table
from benchmarks.stacks import Profile
from benchmarks.stock import Stock
from benchmarks.workloads import all_workloads
from tests.support.daemons import free_port
from tests.support.mariadb import installed

PROFILED = {"timestamp-c16": (SERVER,), "publish-k4": (SERVER, SIGNER)}
"""Workloads, and the daemons that have something to do."""

LAGGING = "publish-2000-k4"
"""What the event loop is watched under."""

_REACTOR = "reactor"
_ROWS = 15
_BEFORE, _AFTER = 0.5, 0.5
"""Seconds that a load begins before a profile, and ends after it."""

_COLLECTIONS = 100


@attrs.frozen
class Profiled:
    """Profiles of one workload.

    Attributes:
        workload: which.
        load: what the clients saw.
        profiles: by daemon.
        machine: the machine's load at the end, the mean of a minute.
    """

    workload: Workload
    load: Load
    profiles: Mapping[str, Profile]
    machine: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and write pictures and tables into a directory.

    Returns:
        The exit status: 1 if there were wrong answers.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profiles", description=__doc__)
    parser.add_argument("--seconds", type=int, default=10, help="how long each load is watched")
    parser.add_argument("--output", type=Path, metavar="DIRECTORY", required=True)
    options = parser.parse_args(arguments)
    lag, found = measure(options.seconds)
    tables = {"lag.inc": lag_table(lag), **dict(files(found))}
    options.output.mkdir(parents=True, exist_ok=True)
    for name, text in tables.items():
        (options.output / name).write_text(text)
    faults = [fault for load in (lag.load, *(each.load for each in found)) for fault in load.faults]
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0


def measure(seconds: int) -> tuple[Lag, list[Profiled]]:
    """Run a pair, and watch it for so many seconds of each load.

    Raises:
        OSError: a server is not there.
        WrongAnswerError: it did not answer as it should before a load began.
    """
    stock = Stock()
    workloads = all_workloads(stock, guns=1)
    ports = {daemon: free_port() for daemon in (SERVER, SIGNER)}
    debug = {daemon: {"debug_addr": f"127.0.0.1:{port}"} for daemon, port in ports.items()}
    with tempfile.TemporaryDirectory(prefix="profiles-") as directory, installed() as mariadb:
        mariadb.start()
        with our_pair(Path(directory), mariadb, debug[SERVER], debug[SIGNER]) as ours:
            ours.stock_up(stock, _COLLECTIONS)
            lag = measure_lag(workloads[LAGGING], ours, seconds)
            return lag, [
                profile(workloads[name], ours, {each: ports[each] for each in daemons}, seconds)
                for name, daemons in PROFILED.items()
            ]


def profile(
    workload: Workload, contender: Contender, ports: Mapping[str, int], seconds: int
) -> Profiled:
    """Put a pair under load, and have the debug servers at these ports look on.

    Raises:
        OSError: a server is not there.
        WrongAnswerError: it did not answer as it should before the load began.
    """
    with (
        workload.ready(contender, _BEFORE + seconds + _AFTER) as go,
        ThreadPoolExecutor() as threads,
    ):
        files: dict[str, Future[Profile]] = {
            daemon: threads.submit(_fetch, port, seconds) for daemon, port in ports.items()
        }
        load = go()
        seen = {daemon: file.result() for daemon, file in files.items()}
        return Profiled(workload, load, seen, os.getloadavg()[0])


def files(found: Sequence[Profiled]) -> Iterator[tuple[str, str]]:
    """Names and contents of the pictures and tables."""
    for each in found:
        for daemon, seen in each.profiles.items():
            name = f"{each.workload.name}-{daemon}"
            yield f"{name}.svg", draw_flames(seen)
            yield f"{name}.inc", profile_table(each, seen)


def profile_table(profiled: Profiled, seen: Profile) -> str:
    """The functions that the reactor's thread was in for the longest time."""
    times = seen.self_times(_REACTOR)
    whole = sum(times.values())
    lines = [
        [f"{seconds / whole:.1%}", f"``{frame.name}``", frame.file]
        for frame, seconds in list(times.items())[:_ROWS]
    ]
    rate = number(profiled.load.requests / profiled.load.seconds)
    said = (
        f"{profiled.workload.title}, {rate} requests per second while profiled, "
        f"load of the machine {profiled.machine:.1f}. {seen.title}."
    )
    return f"{said}\n\n{table(['of the time', 'in', 'of'], lines)}\n"


def lag_table(lag: Lag) -> str:
    """What was seen of the event loop."""
    lines = [
        ["requests per second", number(lag.load.requests / lag.load.seconds)],
        ["looks at the loop", str(lag.looks)],
        ["half of them late by at most", _milliseconds(lag.bound(0.5))],
        ["99% of them late by at most", _milliseconds(lag.bound(0.99))],
        ["all of them late by at most", _milliseconds(lag.bound(1))],
        [f"later than {_milliseconds(LATE)}", str(lag.late)],
        [
            "the reactor's thread waited for a processor",
            f"{number(lag.queued)} s of {number(lag.load.seconds)} s",
        ],
        ["load of the machine, mean of a minute", f"{lag.machine:.1f}"],
    ]
    return f"{table([lag.title, ''], lines)}\n"


def _milliseconds(seconds: float) -> str:
    return f"{number(seconds * 1000)} ms"


def _fetch(port: int, seconds: int) -> Profile:
    time.sleep(_BEFORE)
    address = f"http://127.0.0.1:{port}/debug/pprof/profile?seconds={seconds}"
    with urlopen(address, timeout=seconds + 60) as answer:
        return Profile.read(json.load(answer))


if __name__ == "__main__":
    sys.exit(main())
