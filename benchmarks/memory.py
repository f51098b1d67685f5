"""What a pair has in memory, the longer it serves, and the more collections."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import attrs

from benchmarks.contenders import Contender
from benchmarks.loads import Workload
from benchmarks.measuring import SERVER, SIGNER, measure_sample
from benchmarks.publishes import NewKeys, Publishes
from benchmarks.reads import Reads
from benchmarks.stock import Stock
from benchmarks.workloads import pulled

REQUESTS_EACH = 50
"""Requests for each collection."""

LIMITS = {SERVER: 120, SIGNER: 80}
"""MiB that are to be enough."""

_BEYOND = 1.25
"""It goes on for so many times the requests, to see whether memory still grows."""

_READS_LONGER = 5
"""Reads go on for so many times as long as publishes."""


@attrs.frozen
class Step:
    """What is in memory at some point.

    Attributes:
        requests: how many were answered until then.
        server: bytes of the server.
        signer: bytes of the signer.
        faults: what went wrong since the step before.
    """

    requests: int
    server: int
    signer: int
    faults: tuple[str, ...]


def watch_memory(
    stock: Stock, contender: Contender, database: int, requests: int, seconds: float
) -> Iterator[Step]:
    """Have all files of many collections read, with publishes and new keys in between.

    Args:
        stock: the collections.
        contender: who is watched.
        database: the process ID of MariaDB.
        requests: how many are to be answered, before it goes on a little.
        seconds: how long one kind of request goes on.
    """
    guns = max(1, requests // REQUESTS_EACH)
    contender.stock_up(stock, guns)
    contender.restart()
    deaths = contender.deaths
    files = [each for number in range(guns) for each in pulled(stock, number)]
    workloads: Sequence[Workload] = [
        Reads("read-all-c16", f"all files of {guns:,} collections", 16, lambda _: files),
        Publishes("publish-k4", "publish", 4, 5),
        NewKeys("timestamp-key-k4", "new timestamp key", 4),
    ]
    answered = 0
    while answered < requests * _BEYOND:
        faults: tuple[str, ...] = ()
        for workload in workloads:
            times = _READS_LONGER if isinstance(workload, Reads) else 1
            sample = measure_sample(workload, contender, database, seconds * times)
            answered += sample.load.requests
            faults += sample.load.faults
        if contender.deaths > deaths:
            faults += ("the server died",)
        yield Step(answered, sample.resident[SERVER], sample.resident[SIGNER], faults)
        if faults:
            return
