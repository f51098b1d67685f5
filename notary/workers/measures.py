"""What is measured of the parent itself."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, ProcessCollector

from notary.observe.tallies import Reading


class ParentMetrics:
    """The registry of a parent.

    Args:
        prefix: begins the names of the daemon's own metrics.
        serving: returns how many workers serve.

    Attributes:
        registry: has the metrics.
        restarts: how many workers had to be started again.
    """

    def __init__(self, prefix: str, serving: Callable[[], int]) -> None:
        self.restarts = 0
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        Reading(
            self.registry, f"{prefix}_workers", "Workers that serve, if there are any.", serving
        )
        Reading(
            self.registry,
            f"{prefix}_worker_restarts_total",
            "Workers that ended and were started again.",
            lambda: self.restarts,
        )
