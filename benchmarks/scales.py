"""How the figures move with the number of collections, and with that of connections."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.loads import Workload
from benchmarks.stock import Stock
from benchmarks.workloads import all_workloads, contents, timestamps

CONNECTIONS = (1, 4, 16, 64)
_BY_COLLECTIONS = (
    "timestamp-guns-c16",
    "checksum-guns-c16",
    "changefeed-c16",
    "pull-k8",
    "publish-k4",
)


def by_collections(stock: Stock, guns: int) -> list[Workload]:
    """What is measured on so many collections."""
    workloads = all_workloads(stock, guns)
    return [workloads[name] for name in _BY_COLLECTIONS]


def by_connections(stock: Stock) -> Iterator[Workload]:
    """What is measured over more and more connections."""
    for make in (timestamps, contents):
        for connections in CONNECTIONS:
            yield make(stock, connections)
