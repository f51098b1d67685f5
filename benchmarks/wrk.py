"""Runs wrk, which asks for files over kept connections."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.https import Expected
from benchmarks.loads import Load
from tests.support.daemons import find_program

_SCRIPT = Path(__file__).with_name("get.lua")
_MARK = "RESULT "
_PATIENCE = 30
"""Seconds that it may take longer than it is told to."""

_MOST_HEADERS = 2000
"""Bytes that the headers of an answer may have."""


def run_wrk(
    port: int, paths: Path, expected: Sequence[Expected], connections: int, seconds: float
) -> Load:
    """Ask for each path in turn.

    Args:
        port: the server's.
        paths: a file with a path in each line.
        expected: what these are to be answered.
        connections: how many are kept.
        seconds: how long.
    """
    threads = min(connections, max(1, (os.cpu_count() or 1) // 2))
    done = subprocess.run(
        [
            find_program("wrk", "wrk"),
            f"--threads={threads}",
            f"--connections={connections}",
            f"--duration={max(1, round(seconds))}s",
            "--timeout=10s",
            "--latency",
            f"--script={_SCRIPT}",
            f"https://localhost:{port}",
            "--",
            str(paths),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds + _PATIENCE,
    )
    _, mark, result = done.stdout.rpartition(_MARK)
    if not mark:
        return Load(0, seconds, 0, 0, (f"wrk failed: {done.stdout}",))
    return read_result(json.loads(result), expected)


def read_result(result: dict[str, Any], expected: Sequence[Expected]) -> Load:
    """Judge what our script for wrk printed."""
    requests = result["requests"]
    faults = [f"{result[kind]} times wrk saw a fault: {kind}" for kind in _FAULTS if result[kind]]
    refusals = requests if expected[0].status >= 400 else 0
    if result["status"] != refusals:
        faults.append(f"{result['status']} of {requests} answers have a status from 400 on")
    if not requests:
        faults.append("no answers")
    lengths = [len(each.body) for each in expected if each.body is not None]
    if lengths and requests:
        mean = result["bytes"] / requests
        if not min(lengths) < mean < max(lengths) + _MOST_HEADERS:
            faults.append(f"answers have {mean:.0f} bytes, bodies should have {lengths[0]}")
    return Load(requests, result["seconds"], result["p50"], result["p99"], tuple(faults))


_FAULTS = ("connect", "read", "write", "timeout")
