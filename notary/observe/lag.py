"""How late the event loop comes to what is due: so long does each request wait, at each turn."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from twisted.application.service import Service
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from notary.observe.tallies import Tally, histogram

INTERVAL = 0.1
"""Seconds between two looks, so that whatever holds the loop for longer is seen for sure."""


class LoopLag(Service, Collector):
    """Sees ten times a second how late a timer is.

    Args:
        registry: gets the metric ``PREFIX_loop_lag_seconds``.
        prefix: begins its name.
        clock: runs the timer.
    """

    def __init__(self, registry: CollectorRegistry, prefix: str, clock: IReactorTime) -> None:
        self._prefix = prefix
        self._clock = clock
        self._lag = Tally()
        self._next: IDelayedCall | None = None
        registry.register(self)

    def startService(self) -> None:
        """Begin to look."""
        super().startService()
        self._wait()

    def stopService(self) -> None:
        """Cease to look."""
        super().stopService()
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _wait(self) -> None:
        self._next = self._clock.callLater(INTERVAL, self._look, self._clock.seconds() + INTERVAL)

    def _look(self, due: float) -> None:
        self._lag.observe(max(0.0, self._clock.seconds() - due))
        self._wait()

    def collect(self) -> Iterator[Metric]:
        """Yield the metric."""
        yield histogram(
            f"{self._prefix}_loop_lag_seconds",
            "How late the event loop came to a timer that is due ten times a second.",
            [],
            {(): self._lag},
        )
