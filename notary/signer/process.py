"""Keeping the memory of this process, in which keys are, from other processes."""

from __future__ import annotations

import ctypes
import os
import sys

_PR_SET_DUMPABLE = 4
"""From <linux/prctl.h>."""


class ProtectionError(Exception):
    """The operating system refuses to protect the memory of this process."""


def protect_memory() -> None:
    """See to it that there are no core dumps, and that no other process may trace this one.

    See prctl(2), PR_SET_DUMPABLE. Only root can still read the memory.

    Raises:
        ProtectionError: that cannot be had.
    """
    if sys.platform != "linux":
        raise ProtectionError(f"there is no way to do that on {sys.platform}")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise ProtectionError(os.strerror(ctypes.get_errno()))
