"""Counting requests, under the metric names that the original service gave them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, SummaryMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from notary.observe.tallies import Tally, histogram

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_HTTP = "notary_server_http"


class _Requests(Tally):
    """Those of one operation that had the same method and status."""

    __slots__ = ("received", "sent")

    def __init__(self) -> None:
        super().__init__()
        self.received = self.sent = 0


class RequestMetrics(Collector):
    """Requests by operation, with their durations and sizes.

    Args:
        registry: gets the metrics.
        operations: what is shown before it happens; no others may be observed than these and a
            few more, since each of them takes memory.

    Attributes:
        in_flight: how many requests are being worked upon.
    """

    def __init__(self, registry: CollectorRegistry, operations: Iterable[str] = ()) -> None:
        self.in_flight = 0
        self._operations = tuple(operations)
        self._tallies: dict[tuple[str, str, int], _Requests] = {}
        registry.register(self)

    def observe(
        self, operation: str, method: str, code: int, seconds: float, received: int, sent: int
    ) -> None:
        """Count one answered request.

        Args:
            operation: what was asked for, such as ``GetRole``.
            method: the HTTP method; clients can make up any number of them, so only usual ones
                are told apart.
            code: the HTTP status.
            seconds: how long it took.
            received: bytes of the request's body.
            sent: bytes of the response's body.
        """
        tally = self._tallies.get((operation, method, code))
        if tally is None:
            known = method if method in _METHODS else "unknown"
            tally = self._tallies.setdefault((operation, known, code), _Requests())
        tally.observe(seconds)
        tally.received += received
        tally.sent += sent

    def describe(self) -> Iterable[Metric]:
        """Return the metrics, without values."""
        return self.collect()

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        requests = CounterMetricFamily(
            f"{_HTTP}_requests", "Requests answered.", labels=["operation", "method", "code"]
        )
        sums: dict[tuple[str, ...], _Requests] = {
            (operation,): _Requests() for operation in self._operations
        }
        for (operation, method, code), tally in self._tallies.items():
            requests.add_metric([operation, method.lower(), str(code)], sum(tally.counts))
            by_operation = sums.setdefault((operation,), _Requests())
            by_operation.add(tally)
            by_operation.received += tally.received
            by_operation.sent += tally.sent
        yield requests
        yield from _summaries(sums)
        yield histogram(
            f"{_HTTP}_request_duration_seconds", "How long requests took.", ["operation"], sums
        )
        yield GaugeMetricFamily(
            f"{_HTTP}_requests_in_flight", "Requests being worked upon.", self.in_flight
        )


def _summaries(sums: Mapping[tuple[str, ...], _Requests]) -> Iterator[Metric]:
    duration = _summary("request_duration_microseconds", "How long requests took.")
    received = _summary("request_size_bytes", "Bytes of request bodies.")
    sent = _summary("response_size_bytes", "Bytes of response bodies.")
    for labels, tally in sums.items():
        count = sum(tally.counts)
        duration.add_metric(labels, count, tally.total * 1_000_000)
        received.add_metric(labels, count, tally.received)
        sent.add_metric(labels, count, tally.sent)
    return iter((duration, received, sent))


def _summary(name: str, help_text: str) -> SummaryMetricFamily:
    return SummaryMetricFamily(f"{_HTTP}_{name}", help_text, labels=["operation"])
