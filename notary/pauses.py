"""How long to wait until something that failed is tried again."""

from __future__ import annotations

import random
from collections.abc import Callable

_MOST_STEPS = 100
"""Failures from which on a pause grows no more, whatever the longest is."""


def growing(first: float, longest: float, factor: float) -> Callable[[int], float]:
    """Return what tells the pause after so many failures in a row.

    It is Twisted's ``backoffPolicy``, which cannot be had without a megabyte of state machines.

    Args:
        first: seconds after no failure.
        longest: seconds at the most; a random second is added, so that not all come at once.
        factor: how much longer each pause is than the one before.
    """

    def pause(failures: int) -> float:
        more = random.random()  # noqa: S311  # nobody need be kept from guessing it
        return min(first * factor ** min(failures, _MOST_STEPS), longest) + more

    return pause
