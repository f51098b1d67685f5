"""What processes, with all that they started, take of their machine."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from tests.support.processes import memory_of

_TICKS = os.sysconf("SC_CLK_TCK")
_STATE, _PARENT = 0, 1
_CPU_TIMES = slice(11, 15)
"""User and system time of a process, and of its children that have ended."""


def is_alive(pid: int) -> bool:
    """Whether a process is there and has not ended."""
    try:
        return _stat(pid)[_STATE] != "Z"
    except OSError:
        return False


def cpu_seconds(pid: int) -> float:
    """Seconds of CPU time that a process and its descendants took so far."""
    return sum(sum(map(int, stat[_CPU_TIMES])) for _, stat in _tree(pid)) / _TICKS


def resident_bytes(pid: int) -> int:
    """Bytes of a process and its descendants that are in memory."""
    return sum(memory_of(each) for each, _ in _tree(pid))


def has_loaded(pid: int, library: str) -> bool:
    """Whether a process has a library, or an extension of Python, in memory."""
    return library in Path(f"/proc/{pid}/maps").read_text()


def _tree(pid: int) -> Iterator[tuple[int, list[str]]]:
    """A process and its descendants, each with the fields of its ``stat`` from the third on."""
    children = defaultdict(list)
    stats = {}
    for path in Path("/proc").iterdir():
        if path.name.isdecimal():
            try:
                stats[int(path.name)] = stat = _stat(int(path.name))
            except OSError:
                continue  # it has just ended
            children[int(stat[_PARENT])].append(int(path.name))
    found = [pid]
    for each in found:
        found += children[each]
        if each in stats:
            yield each, stats[each]


def _stat(pid: int) -> list[str]:
    """The name of the program, the second field, may hold spaces and parentheses."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
