"""Clocks that tests set."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from twisted.internet import reactor
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.task import Clock


class ClockWithThreads(Clock):
    """A clock for what waits, over the reactor that the results of threads are delivered by."""

    def callFromThread(self, function: Callable[..., object], *args: Any, **kwargs: Any) -> None:
        cast(IReactorFromThreads, reactor).callFromThread(function, *args, **kwargs)
