"""What workloads have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import attrs

from benchmarks.contenders import Contender


@attrs.frozen
class Load:
    """What whoever made a load saw.

    Attributes:
        requests: how many were answered.
        seconds: how long that took.
        p50: the median of the milliseconds until an answer.
        p99: what 99 % of the answers took at most, in milliseconds.
        faults: what went wrong.
    """

    requests: int
    seconds: float
    p50: float
    p99: float
    faults: tuple[str, ...] = ()


Go = Callable[[], Load]
"""Starts a load that was prepared, and waits for its end."""


class Workload(Protocol):
    """Something that servers are asked to do.

    Attributes:
        name: what it is called on the command line.
        title: what it is called in the report.
        certificate: which one the server shows.
    """

    @property
    def name(self) -> str: ...

    @property
    def title(self) -> str: ...

    @property
    def certificate(self) -> str: ...

    def ready(self, contender: Contender, seconds: float) -> AbstractContextManager[Go]:
        """Prepare a load of so many seconds, all but what is to be measured.

        Raises:
            OSError: the server is not there.
            WrongAnswerError: it does not answer as it should.
        """


def percentile(ordered: Sequence[float], part: float) -> float:
    """The value that this part of ordered ones do not exceed; 0 if there are none."""
    return ordered[min(int(len(ordered) * part), len(ordered) - 1)] if ordered else 0.0
