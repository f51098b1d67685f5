"""How the figures move with the number of collections, and with that of connections."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from benchmarks.loads import Workload
from benchmarks.stock import Stock
from benchmarks.workloads import all_workloads, contents, timestamps

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


def by_connections(stock: Stock, numbers: Iterable[int]) -> Iterator[Workload]:
    """What is measured over these numbers of connections."""
    for connections in numbers:
        yield timestamps(stock, connections)
        yield contents(stock, connections)
