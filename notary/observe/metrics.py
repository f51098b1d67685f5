"""Counting requests, under the metric names that the original service gave them."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Summary, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

__all__ = ["CONTENT_TYPE_LATEST", "RequestMetrics"]


class RequestMetrics:
    """Requests by operation, with their durations and sizes."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "notary_server_http_requests",
            "Requests answered.",
            ["operation", "method", "code"],
            registry=self._registry,
        )
        self._duration = self._summary(
            "request_duration_microseconds", "How long requests took, in microseconds."
        )
        self._request_size = self._summary("request_size_bytes", "Bytes of request bodies.")
        self._response_size = self._summary("response_size_bytes", "Bytes of response bodies.")

    def _summary(self, name: str, help_text: str) -> Summary:
        return Summary(
            f"notary_server_http_{name}", help_text, ["operation"], registry=self._registry
        )

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
        known = method.lower() if method in _METHODS else "unknown"
        self._requests.labels(operation, known, str(code)).inc()
        self._duration.labels(operation).observe(seconds * 1_000_000)
        self._request_size.labels(operation).observe(received)
        self._response_size.labels(operation).observe(sent)

    def render(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self._registry)
