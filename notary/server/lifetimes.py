"""How long the metadata that is served is still good."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

from cachetools import LRUCache
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTime

from notary.observe.tallies import Tally, histogram
from notary.storage.interfaces import StoredFile, StoreUnavailableError
from notary.tuf.errors import TUFError
from notary.tuf.metadata import Metadata
from notary.tuf.names import ROOT, SNAPSHOT, TARGETS, TIMESTAMP

DAYS = (0, 1, 7, 30, 90, 365)
"""Bounds of the buckets. What has expired is in the first one."""

BIG_FILE = 32 * 1024
"""Bytes from which on a file is read in a thread: it takes about a millisecond."""

_REMEMBERED = 10_000
_DAY = 24 * 3600
_BOUNDS = tuple(float(days * _DAY) for days in DAYS)
_DELEGATION = "delegation"


class Lifetimes(Collector):
    """Counts current files as they are served, by role and by the time they have left.

    A file is read once for that, as long as it is remembered among the last ten thousand: its
    expiry never changes under its checksum.

    Args:
        registry: gets the metric ``notary_server_served_metadata_life_seconds``.
        clock: tells the time.
        run_in_thread: calls a function with arguments where it may take its time.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        clock: IReactorTime,
        run_in_thread: Callable[..., Deferred[Any]],
    ) -> None:
        self._clock = clock
        self._run_in_thread = run_in_thread
        self._expiries: LRUCache[str, float | None] = LRUCache(_REMEMBERED)
        roles = (ROOT, TARGETS, SNAPSHOT, TIMESTAMP, _DELEGATION)
        self._tallies = {role: Tally(_BOUNDS) for role in roles}
        registry.register(self)

    def served(self, file: StoredFile) -> None:
        """Count a current file."""
        if file.sha256 in self._expiries:
            self._count(file.role, self._expiries[file.sha256])
            return
        run = self._run_in_thread if len(file.data) >= BIG_FILE else maybeDeferred
        reading = cast("Deferred[float | None]", run(_expiry, file.data))
        # A thread that is too busy for this has more important work to do.
        reading.addCallbacks(
            lambda expiry: self._read(file, expiry), lambda why: why.trap(StoreUnavailableError)
        )

    def _read(self, file: StoredFile, expiry: float | None) -> None:
        self._expiries[file.sha256] = expiry
        self._count(file.role, expiry)

    def _count(self, role: str, expiry: float | None) -> None:
        if expiry is not None:
            tally = self._tallies.get(role) or self._tallies[_DELEGATION]
            tally.observe(expiry - self._clock.seconds())

    def collect(self) -> Iterator[Metric]:
        """Yield the metric."""
        yield histogram(
            "notary_server_served_metadata_life_seconds",
            "How long current files that were served are still good; 0 and less if expired.",
            ["role"],
            {(role,): tally for role, tally in self._tallies.items()},
        )


def _expiry(data: bytes) -> float | None:
    """Return when a file expires, as Unix time; None if it does not say so."""
    try:
        expires = Metadata.parse(data).expires
    except TUFError:
        return None
    return None if expires is None else expires.timestamp()
