"""Who may look into the memory of a process."""

from __future__ import annotations

import ctypes
import subprocess
import sys

_PR_GET_DUMPABLE = 3
_PR_CAPBSET_DROP = 24

_DROP_RIGHTS = f"""
import ctypes, os, sys

for capability in range(64):
    ctypes.CDLL(None).prctl({_PR_CAPBSET_DROP}, capability, 0, 0, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
WITHOUT_RIGHTS = (sys.executable, "-c", _DROP_RIGHTS)
"""Put before a command that is to run without the rights of root, even as root."""


def dumpable() -> bool:
    """Whether the memory of this process may be dumped."""
    return bool(ctypes.CDLL(None).prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0))


def open_to_others(pid: int) -> bool:
    """Whether other processes of the same user may look inside one that runs `WITHOUT_RIGHTS`."""
    look = (sys.executable, "-c", f"open('/proc/{pid}/environ')")
    done = subprocess.run([*WITHOUT_RIGHTS, *look], capture_output=True, text=True)
    assert done.returncode == 0 or "PermissionError" in done.stderr, done.stderr
    return done.returncode == 0
