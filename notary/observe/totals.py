"""The metrics of several processes that are one daemon, added up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

Sample = tuple[str, Mapping[str, str], float]
"""Its name, its labels and its value."""

Family = tuple[str, str, str, Sequence[Sample]]
"""The name of a metric, its type, what it is, and its samples."""

Snapshot = Sequence[Family]
"""All metrics of a process at one moment, as JSON can hold them."""

_COUNTED = frozenset({"counter", "histogram", "summary"})

_LEAST = (
    "_ready",
    "_check_passing",
    "_certificate_expiry_timestamp_seconds",
    "_start_time_seconds",
)
"""How the names of gauges end whose lowest value is the daemon's."""

_ALIKE = ("_info",)
"""How the names of gauges end that say the same of each process."""


def snapshot(registry: CollectorRegistry) -> Snapshot:
    """Return what a registry says at this moment."""
    return [
        (
            family.name,
            family.type,
            family.documentation,
            [(sample.name, sample.labels, sample.value) for sample in family.samples],
        )
        for family in registry.collect()
    ]


class Totals:
    """Adds up metrics, those of processes that have ended included.

    Counters, histograms and summaries are added, and so never go backwards when a process is
    replaced by another. Gauges are added up over the processes that there are; but a daemon is only
    as ready as the least ready of them, and of their certificates and starts the earliest counts.
    """

    def __init__(self) -> None:
        self._ended = _Sums()

    def keep(self, last: Snapshot) -> None:
        """Take in what a process had counted that has ended."""
        self._ended.add(family for family in last if family[1] in _COUNTED)

    def text(self, running: Iterable[Snapshot]) -> bytes:
        """Return the metrics of the processes that run and of those that did, for Prometheus."""
        sums = _Sums()
        for each in running:
            sums.add(each)
        sums.add(self._ended.families())
        registry = CollectorRegistry()
        registry.register(sums)
        return generate_latest(registry)


class _Sums(Collector):
    def __init__(self) -> None:
        self._described: dict[str, tuple[str, str]] = {}
        self._values: dict[str, dict[tuple[str, tuple[tuple[str, str], ...]], float]] = {}

    def add(self, families: Iterable[Family]) -> None:
        for name, kind, help_text, samples in families:
            self._described.setdefault(name, (kind, help_text))
            values = self._values.setdefault(name, {})
            join = _join(name)
            for sample, labels, value in samples:
                key = sample, tuple(labels.items())
                values[key] = join(values[key], value) if key in values else value

    def families(self) -> Iterator[Family]:
        for name, (kind, help_text) in self._described.items():
            samples = [
                (sample, dict(labels), value)
                for (sample, labels), value in self._values[name].items()
            ]
            yield name, kind, help_text, samples

    def describe(self) -> Iterable[Metric]:
        return ()

    def collect(self) -> Iterator[Metric]:
        for name, kind, help_text, samples in self.families():
            metric = Metric(name, help_text, kind)
            for sample, labels, value in samples:
                metric.add_sample(sample, dict(labels), value)
            yield metric


def _join(name: str) -> Callable[[float, float], float]:
    if name.endswith(_LEAST):
        return min
    return max if name.endswith(_ALIKE) else _plus


def _plus(one: float, other: float) -> float:
    return one + other
