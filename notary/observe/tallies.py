"""Numbers that are cheap to keep: labels and locks are a matter of the scrape."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Bounds for what may take from a millisecond to the longest of the time-outs."""


class Tally:
    """How many values there were, their sum, and how many of them in each bucket.

    It is filled and read in the reactor's thread only, so it needs no lock.

    Args:
        bounds: the highest value of each bucket, ascending; one more takes what is above.
    """

    __slots__ = ("_bounds", "counts", "total")

    def __init__(self, bounds: Sequence[float] = SECONDS) -> None:
        self._bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.total = 0.0

    def observe(self, value: float) -> None:
        """Take in a value."""
        self.counts[bisect_left(self._bounds, value)] += 1
        self.total += value

    def add(self, other: Tally) -> None:
        """Take in all that another one with the same bounds has."""
        self.counts = [mine + its for mine, its in zip(self.counts, other.counts, strict=True)]
        self.total += other.total

    def buckets(self) -> list[tuple[str, float]]:
        """Return the number of values up to each bound, as Prometheus counts them."""
        pairs = []
        so_far = 0
        for bound, count in zip((*self._bounds, float("inf")), self.counts, strict=True):
            so_far += count
            pairs.append(("+Inf" if bound == float("inf") else str(float(bound)), float(so_far)))
        return pairs


def histogram(
    name: str, help_text: str, labels: Sequence[str], tallies: Mapping[tuple[str, ...], Tally]
) -> HistogramMetricFamily:
    """Return tallies, given by the values of their labels, as one metric."""
    family = HistogramMetricFamily(name, help_text, labels=labels)
    for values, tally in tallies.items():
        family.add_metric(values, tally.buckets(), tally.total)
    return family


class Calls(Collector):
    """Calls to something by name and result, and how long they took.

    Args:
        registry: gets the metrics ``PREFIX_calls_total`` and ``PREFIX_call_duration_seconds``.
        prefix: begins their names.
        what: says in their descriptions what is called.
        calls: names that are shown before they happen.
        result: the name of the label for what came of a call.
        well: the result when nothing was wrong.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        prefix: str,
        what: str,
        calls: Iterable[str],
        result: str = "result",
        well: str = "ok",
    ) -> None:
        self._prefix = prefix
        self._what = what
        self._result = result
        self._tallies = {(call, well): Tally() for call in calls}
        registry.register(self)

    def observe(self, call: str, result: str, seconds: float) -> None:
        """Count a call that is over. Names and results have to be of a small set."""
        tally = self._tallies.get((call, result))
        if tally is None:
            tally = self._tallies[call, result] = Tally()
        tally.observe(seconds)

    def describe(self) -> Iterable[Metric]:
        """Return the metrics, which may be without values."""
        return self.collect()

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        counts = CounterMetricFamily(
            f"{self._prefix}_calls", f"Calls to {self._what}.", labels=["call", self._result]
        )
        durations: dict[tuple[str, ...], Tally] = {}
        for (call, result), tally in self._tallies.items():
            counts.add_metric([call, result], sum(tally.counts))
            durations.setdefault((call,), Tally()).add(tally)
        yield counts
        yield histogram(
            f"{self._prefix}_call_duration_seconds",
            f"How long calls to {self._what} took.",
            ["call"],
            durations,
        )


class Reading(Collector):
    """A metric whose values something else keeps.

    Args:
        registry: gets the metric.
        name: of the metric; one that ends in ``_total`` is a counter, any other a gauge.
        help_text: says what it is.
        read: returns its value, or its values by that of its label.
        label: the name of the label.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        name: str,
        help_text: str,
        read: Callable[[], float | Mapping[str, float]],
        label: str | None = None,
    ) -> None:
        self._name = name
        self._help_text = help_text
        self._read = read
        self._labels = [label] if label else []
        registry.register(self)

    def describe(self) -> Iterable[Metric]:
        """Return the metric without values: what keeps them may not be ready yet."""
        return [self._family()]

    def _family(self) -> CounterMetricFamily | GaugeMetricFamily:
        kind = CounterMetricFamily if self._name.endswith("_total") else GaugeMetricFamily
        return kind(self._name, self._help_text, labels=self._labels)

    def collect(self) -> Iterator[Metric]:
        """Yield the metric."""
        family = self._family()
        values = self._read()
        if isinstance(values, Mapping):
            for value, number in values.items():
                family.add_metric([value], number)
        else:
            family.add_metric([], values)
        yield family
