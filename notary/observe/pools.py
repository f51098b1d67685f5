"""How busy the threads of a daemon are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

import attrs
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from notary.observe.tallies import Tally, histogram


class Pool(Protocol):
    """Threads, such as those of `notary.storage.threads`."""

    size: int
    busy: int
    refused: int
    on_begin: Callable[[float], object] | None
    on_end: Callable[[float], object] | None

    @property
    def waiting(self) -> int:
        """How many jobs wait for a thread."""


@attrs.frozen
class _Jobs:
    pool: Pool
    waits: Tally = attrs.field(factory=Tally)
    durations: Tally = attrs.field(factory=Tally)


class PoolMetrics(Collector):
    """The threads of a daemon and their jobs, by the name of the pool.

    Args:
        registry: gets the metrics.
        prefix: begins their names.
    """

    def __init__(self, registry: CollectorRegistry, prefix: str) -> None:
        self._prefix = prefix
        self._pools: dict[str, _Jobs] = {}
        registry.register(self)

    def watch(self, name: str, pool: Pool) -> None:
        """Tell of a pool, from now on."""
        jobs = self._pools[name] = _Jobs(pool)
        pool.on_begin = jobs.waits.observe
        pool.on_end = jobs.durations.observe

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        gauges = {
            "threads": ("Threads that may run at a time.", lambda pool: pool.size),
            "threads_busy": ("Threads that run a job.", lambda pool: pool.busy),
            "jobs_waiting": ("Jobs that wait for a thread.", lambda pool: pool.waiting),
        }
        for name, (help_text, read) in gauges.items():
            gauge = GaugeMetricFamily(f"{self._prefix}_{name}", help_text, labels=["pool"])
            for pool, jobs in self._pools.items():
                gauge.add_metric([pool], read(jobs.pool))
            yield gauge
        refused = CounterMetricFamily(
            f"{self._prefix}_jobs_refused",
            "Jobs given up before they began: too many waited, or for too long.",
            labels=["pool"],
        )
        for pool, jobs in self._pools.items():
            refused.add_metric([pool], jobs.pool.refused)
        yield refused
        for name, help_text in (
            ("waits", "How long jobs waited for a thread."),
            ("durations", "How long jobs took, until the reactor had their results."),
        ):
            yield histogram(
                f"{self._prefix}_job_{name[:-1]}_seconds",
                help_text,
                ["pool"],
                {(pool,): getattr(jobs, name) for pool, jobs in self._pools.items()},
            )
