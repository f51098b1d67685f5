"""All metrics of the metadata server, and what they are read from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from notary.observe.metrics import RequestMetrics
from notary.observe.registry import DaemonMetrics
from notary.observe.tallies import Calls
from notary.server.lifetimes import Lifetimes
from notary.server.measured import SIGNER_CALLS, STORE_CALLS, MeasuredSigner, MeasuredStore
from notary.signing.interfaces import ISigner
from notary.storage.interfaces import IMetadataStore

PREFIX = "notary_server"

OPERATIONS = (
    "Ping",
    "UpdateTUF",
    "DeleteTUF",
    "GetRoleByHash",
    "GetRoleByVersion",
    "GetRole",
    "GetKey",
    "RotateKey",
    "Changefeed",
    "Health",
    "Live",
    "Ready",
    "Metrics",
)
"""Names that a request may be counted under, besides that of requests without an operation."""


class Cache(Protocol):
    """What is told of `notary.storage.cached.CachedMetadataStore`."""

    hits: int
    misses: int

    @property
    def evictions(self) -> int:
        """How many files had to make room for others."""

    @property
    def bytes_held(self) -> float:
        """How much memory the files take, about."""

    @property
    def files_held(self) -> int:
        """How many files there are in memory."""


class ShortWay(Protocol):
    """What is told of `notary.server.short_way.ShortWay`."""

    answered: int


class ServerMetrics(DaemonMetrics):
    """The registry of a server, filled as the server is put together.

    Args:
        version: of the server.
        clock: tells how long things take.
        run_in_thread: calls a function with arguments where it may take its time.

    Attributes:
        requests: counts requests.
        lifetimes: counts current files that are served.
    """

    def __init__(
        self, version: str, clock: IReactorTime, run_in_thread: Callable[..., Deferred[Any]]
    ) -> None:
        self._clock = clock
        super().__init__(PREFIX, version)
        self.requests = RequestMetrics(self.registry, OPERATIONS)
        self.lifetimes = Lifetimes(self.registry, clock, run_in_thread)

    def measure_signer(self, signer: ISigner) -> ISigner:
        """Return a signer whose calls are counted."""
        calls = Calls(self.registry, f"{PREFIX}_signer", "the signer", SIGNER_CALLS)
        return MeasuredSigner(signer, calls, self._clock)

    def measure_store(self, store: IMetadataStore) -> IMetadataStore:
        """Return a store whose calls are counted."""
        calls = Calls(self.registry, f"{PREFIX}_store", "the metadata store", STORE_CALLS)
        return MeasuredStore(store, calls, self._clock)

    def watch_connections(self, signer: Callable[[], float]) -> None:
        """Tell how many connections to the signer there are."""
        self.read("signer_connections", "Connections on which the signer answers.", signer)

    def watch_short_way(self, short_way: ShortWay) -> None:
        """Tell how many requests were answered as those before."""
        self.read(
            "short_way_requests_total",
            "Requests that were answered without being taken apart, like one before.",
            lambda: short_way.answered,
        )

    def watch_cache(self, cache: Cache, max_bytes: int) -> None:
        """Tell of the files in memory."""
        self.read(
            "cache_hits_total", "Files asked for by checksum found in memory.", lambda: cache.hits
        )
        self.read(
            "cache_misses_total", "Files asked for by checksum not in memory.", lambda: cache.misses
        )
        self.read(
            "cache_evictions_total",
            "Files dropped from memory to make room.",
            lambda: cache.evictions,
        )
        self.read("cache_files", "Files in memory.", lambda: cache.files_held)
        self.read("cache_bytes", "Memory that the files take.", lambda: cache.bytes_held)
        self.read("cache_max_bytes", "Memory that the files may take.", lambda: max_bytes)
