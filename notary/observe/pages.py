"""What a daemon shows to those who watch over it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

import attrs
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from notary.observe.health import Health, Readiness

Exposition = Callable[[], Awaitable[bytes]]
"""Returns metrics in Prometheus' text format."""

_JSON = "application/json; charset=utf-8"


@attrs.frozen
class Page:
    """An answer.

    Attributes:
        status: the HTTP status.
        content_type: the header ``Content-Type``.
        body: the bytes.
    """

    status: HTTPStatus
    content_type: str
    body: bytes


class Pages:
    """Health, liveness, readiness and metrics of a daemon.

    Args:
        health: runs the checks.
        readiness: knows what came of them the last time.
        exposition: has the metrics.
    """

    def __init__(self, health: Health, readiness: Readiness, exposition: Exposition) -> None:
        self._health = health
        self._readiness = readiness
        self._exposition = exposition

    async def health(self) -> Page:
        """Say what the daemon lacks at this moment, if anything."""
        return _verdict(await self._health.failing())

    async def live(self) -> Page:
        """Say that the reactor turns; nothing else is asked."""
        return _verdict({})

    async def ready(self) -> Page:
        """Say what keeps the daemon from being given work, if anything, without asking anew."""
        return _verdict(self._readiness.reasons())

    async def metrics(self) -> Page:
        """Return all metrics in Prometheus' text format."""
        return Page(HTTPStatus.OK, CONTENT_TYPE_LATEST, await self._exposition())


def exposition_of(registry: CollectorRegistry) -> Exposition:
    """Return what has the metrics of a registry."""

    async def exposition() -> bytes:
        return generate_latest(registry)

    return exposition


def _verdict(reasons: Mapping[str, str]) -> Page:
    status = HTTPStatus.SERVICE_UNAVAILABLE if reasons else HTTPStatus.OK
    return Page(status, _JSON, json.dumps(reasons).encode())
