"""Clients in processes of their own, each of which does one thing after the other."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection as Pipe
from threading import BrokenBarrierError
from typing import Any, Protocol

import attrs

from benchmarks.https import WrongAnswerError
from benchmarks.loads import Go, Load, percentile

_CONTEXT = multiprocessing.get_context("fork")
"""So that clients have what was prepared for them."""

_PATIENCE = 60
"""Seconds until all clients are ready, and that one may take longer than it is told to."""


class Client(Protocol):
    """Somebody who asks a server for things."""

    def begin(self) -> None:
        """Connect, if the connection is not part of what is measured."""

    def step(self) -> None:
        """Do once what is measured.

        Raises:
            OSError: the connection was lost.
            WrongAnswerError: the server did not answer as it should.
        """


@attrs.frozen
class _Report:
    """What a client did.

    Attributes:
        latencies: seconds of each step.
        seconds: how long all took.
        faults: what ended it early.
    """

    latencies: Sequence[float] = ()
    seconds: float = 0.0
    faults: tuple[str, ...] = ()


@contextmanager
def crowd(clients: Sequence[Client], seconds: float) -> Iterator[Go]:
    """Have clients ready to work for so many seconds, all at once."""
    barrier = _CONTEXT.Barrier(len(clients) + 1)
    processes, pipes = [], []
    for client in clients:
        pipe, far_end = _CONTEXT.Pipe(duplex=False)
        process = _CONTEXT.Process(
            target=_work, args=(client, seconds, barrier, far_end), daemon=True
        )
        process.start()
        far_end.close()
        processes.append(process)
        pipes.append(pipe)

    def go() -> Load:
        with suppress(BrokenBarrierError):  # the reports say why
            barrier.wait(_PATIENCE)
        deadline = time.monotonic() + seconds + _PATIENCE
        return _sum([_report(pipe, deadline) for pipe in pipes], seconds)

    try:
        while barrier.n_waiting < len(clients) and all(each.is_alive() for each in processes):
            time.sleep(0.001)
        yield go
    finally:
        for process in processes:
            process.kill()
            process.join()


def _work(client: Client, seconds: float, barrier: Any, pipe: Pipe) -> None:
    try:
        client.begin()
    except (OSError, WrongAnswerError) as error:
        barrier.abort()
        pipe.send(_Report(faults=(f"at the beginning: {error}",)))
        return
    try:
        barrier.wait()
    except BrokenBarrierError:
        pipe.send(_Report(faults=("another client could not begin",)))
        return
    pipe.send(_steps(client, seconds))


def _steps(client: Client, seconds: float) -> _Report:
    latencies = []
    faults: tuple[str, ...] = ()
    now = begun = time.perf_counter()
    try:
        while now < begun + seconds:
            client.step()
            before, now = now, time.perf_counter()
            latencies.append(now - before)
    except (OSError, WrongAnswerError) as error:
        faults = (str(error) or type(error).__name__,)
    return _Report(latencies, now - begun, faults)


def _report(pipe: Pipe, deadline: float) -> _Report:
    try:
        if pipe.poll(max(0.0, deadline - time.monotonic())):
            report: _Report = pipe.recv()
            return report
    except EOFError:
        return _Report(faults=("a client ended early",))
    return _Report(faults=("a client did not end",))


def _sum(reports: Sequence[_Report], seconds: float) -> Load:
    latencies = sorted(latency * 1000 for report in reports for latency in report.latencies)
    return Load(
        len(latencies),
        max((report.seconds for report in reports), default=0) or seconds,
        percentile(latencies, 0.5),
        percentile(latencies, 0.99),
        tuple(fault for report in reports for fault in report.faults),
    )
