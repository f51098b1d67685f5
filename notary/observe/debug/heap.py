"""Which lines of code hold memory that was allocated while it was watched."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Awaitable, Callable
from typing import Any

from notary.observe.debug.places import short_path

MAX_LINES = 100

Pause = Callable[[float], Awaitable[object]]
"""Waits for seconds."""

InThread = Callable[[Callable[[], Any]], Awaitable[Any]]
"""Calls a function in a thread."""


async def watch_heap(seconds: int, pause: Pause, in_thread: InThread) -> str:
    """Return what was allocated within some seconds and is still there, by line of code.

    If memory is traced already, as ``PYTHONTRACEMALLOC`` has it, older memory is shown too. If
    not, it is traced for that time only, which makes all that allocates memory slower.
    """
    traced_before = tracemalloc.is_tracing()
    if not traced_before:
        tracemalloc.start()
    try:
        before = await in_thread(tracemalloc.take_snapshot)
        await pause(seconds)
        report: str = await in_thread(lambda: _report(before, seconds, traced_before))
    finally:
        if not traced_before:
            tracemalloc.stop()
    return report


def _report(before: tracemalloc.Snapshot, seconds: int, traced_before: bool) -> str:
    own = [
        tracemalloc.Filter(False, tracemalloc.__file__),
        tracemalloc.Filter(False, os.path.join(os.path.dirname(__file__), "*")),
    ]
    after = tracemalloc.take_snapshot().filter_traces(own)
    lines = after.compare_to(before.filter_traces(own), "lineno")
    lines.sort(key=lambda line: (-line.size_diff, -line.size))
    since = "before this request" if traced_before else "this request"
    shown = "".join(_line(line) for line in lines[:MAX_LINES])
    more = f"and {len(lines) - MAX_LINES} more lines\n" if len(lines) > MAX_LINES else ""
    return (
        f"Memory allocated since {since} and still held, and its growth within {seconds} s.\n"
        f"In all {sum(line.size for line in lines)} bytes, "
        f"{sum(line.size_diff for line in lines):+} bytes.\n\n"
        f"{'bytes':>12} {'growth':>12} {'blocks':>9} {'growth':>9}\n{shown}{more}"
    )


def _line(line: tracemalloc.StatisticDiff) -> str:
    frame = line.traceback[0]
    where = f"{short_path(frame.filename)}:{frame.lineno}"
    return f"{line.size:12} {line.size_diff:+12} {line.count:9} {line.count_diff:+9}  {where}\n"
