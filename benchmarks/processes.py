"""What processes, with all that they started, take of their machine."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_STATE, _PARENT = 0, 1
_CPU_TIMES = slice(11, 15)
"""User and system time of a process, and of its children that have ended."""
_RESIDENT = 21


def is_alive(pid: int) -> bool:
    """Whether a process is there and has not ended."""
    try:
        return _stat(pid)[_STATE] != "Z"
    except OSError:
        return False


def cpu_seconds(pid: int) -> float:
    """Seconds of CPU time that a process and its descendants took so far."""
    return sum(sum(map(int, stat[_CPU_TIMES])) for stat in _tree(pid)) / _TICKS


def resident_bytes(pid: int) -> int:
    """Bytes of a process and its descendants that are in memory."""
    return sum(int(stat[_RESIDENT]) for stat in _tree(pid)) * _PAGE


def has_loaded(pid: int, library: str) -> bool:
    """Whether a process has a library, or an extension of Python, in memory."""
    return library in Path(f"/proc/{pid}/maps").read_text()


def _tree(pid: int) -> Iterator[list[str]]:
    """The fields of ``stat`` from the third on, of a process and its descendants."""
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
            yield stats[each]


def _stat(pid: int) -> list[str]:
    """The name of the program, the second field, may hold spaces and parentheses."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
