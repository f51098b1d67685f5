"""Figures about the process, in the form that Go's package expvar gives them."""

from __future__ import annotations

import gc
import json
import os
import platform
import re
import resource
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

STATUS = Path("/proc/self/status")
OPEN_FILES = Path("/proc/self/fd")

_KIB_LINE = re.compile(r"^(\w+):\s+([0-9]+) kB$", re.MULTILINE)
_MEMSTATS = {
    "Alloc": "RssAnon",
    "Sys": "VmSize",
    "HeapAlloc": "RssAnon",
    "HeapSys": "VmData",
    "HeapInuse": "RssAnon",
    "StackSys": "VmStk",
}
"""Which line of `STATUS` comes nearest to a figure of Go's."""


def render(variables: Mapping[str, Any]) -> bytes:
    """Return variables as expvar writes them: an object with one line for each."""
    lines = (f"{json.dumps(name)}: {json.dumps(variables[name])}" for name in sorted(variables))
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def process_variables() -> dict[str, Any]:
    """Return the command line, and what the process takes of the machine.

    Of the environment there is nothing, since passphrases may be in it.
    """
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "cmdline": sys.orig_argv,
        "memstats": memory(),
        "python": platform.python_version(),
        "pid": os.getpid(),
        "cpu_seconds": {"user": usage.ru_utime, "system": usage.ru_stime},
        "max_resident_bytes": usage.ru_maxrss * 1024,
        "open_files": _open_files(),
        "open_files_limit": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        "threads": threading.active_count(),
        "gc": [
            {**stats, "waiting": waiting, "threshold": threshold}
            for stats, waiting, threshold in zip(
                gc.get_stats(), gc.get_count(), gc.get_threshold(), strict=True
            )
        ],
    }


def reactor_variables(reactor: Any) -> dict[str, Any]:
    """Return what a reactor has to do."""
    return {
        "class": type(reactor).__name__,
        "delayed_calls": len(reactor.getDelayedCalls()),
        "readers": len(reactor.getReaders()),
        "writers": len(reactor.getWriters()),
    }


def memory() -> dict[str, Any]:
    """Return those of Go's figures about memory, in bytes, that have a meaning here."""
    try:
        lines = {name: int(kib) * 1024 for name, kib in _KIB_LINE.findall(STATUS.read_text())}
    except OSError:
        lines = {}
    return {
        **{name: lines[line] for name, line in _MEMSTATS.items() if line in lines},
        "NumGC": sum(stats["collections"] for stats in gc.get_stats()),
        "EnableGC": gc.isenabled(),
        "DebugGC": False,
    }


def _open_files() -> int | None:
    try:
        return len(os.listdir(OPEN_FILES))
    except OSError:
        return None
