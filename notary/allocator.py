"""How the C library hands out memory, and gives it back."""

from __future__ import annotations

import ctypes

_M_MMAP_THRESHOLD = -3
"""From <malloc.h>."""

_BIG = 128 * 1024
"""Bytes of a block from which on it is one of its own: what glibc begins with."""


def give_back_big_blocks() -> None:
    """Have each big block go back to the system as soon as it is free.

    Else glibc keeps more and more of them, up to 32 MB, with what is between. Other libraries have
    no such setting.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _BIG)
