"""How late a server's event loop is under load, as its own metric has it."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import attrs
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.contenders import Contender
from benchmarks.https import Connection, client_context, get
from benchmarks.loads import Load, Workload

_METRIC = "notary_server_loop_lag_seconds"
LATE = 0.01
"""Seconds that no look should be late by."""

Buckets = Mapping[float, float]
"""How many looks were at most so many seconds late."""


@attrs.frozen
class Lag:
    """How late the event loop was during a load.

    Attributes:
        title: the workload's.
        buckets: of the looks at it.
        queued: seconds in which the reactor's thread could have run, but the machine's processors
            were busy with others.
        load: what the clients saw.
        machine: the machine's load at the end, the mean of a minute.
    """

    title: str
    buckets: Buckets
    queued: float
    load: Load
    machine: float

    @property
    def looks(self) -> int:
        """How many there were."""
        return round(self.buckets[math.inf])

    @property
    def late(self) -> int:
        """How many were later than they should be."""
        return self.looks - round(self.buckets[LATE])

    def bound(self, part: float) -> float:
        """Seconds, a bound of the metric, that this part of the looks did not exceed."""
        wanted = self.buckets[math.inf] * part
        return min(bound for bound, number in self.buckets.items() if number >= wanted)


def measure_lag(workload: Workload, contender: Contender, seconds: float) -> Lag:
    """Put a server under load, and ask it before and after.

    Raises:
        OSError: the server is not there.
        WrongAnswerError: it did not answer as it should before the load began.
    """
    with workload.ready(contender, seconds) as go:
        server = contender.server(workload.certificate)
        before, queued = _ask(server.port), _queued(server.pid)
        load = go()
        after = _ask(server.port)
    buckets = {bound: number - before[bound] for bound, number in after.items()}
    queued = _queued(server.pid) - queued
    return Lag(workload.title, buckets, queued, load, os.getloadavg()[0])


def read_buckets(metrics: str) -> dict[float, float]:
    """The buckets of the lag in what a server tells Prometheus."""
    return {
        float(sample.labels["le"]): sample.value
        for family in text_string_to_metric_families(metrics)
        for sample in family.samples
        if sample.name == f"{_METRIC}_bucket"
    }


def _ask(port: int) -> dict[float, float]:
    with closing(Connection(port, client_context())) as connection:
        return read_buckets(connection.ask(get("/metrics")).body.decode())


def _queued(pid: int) -> float:
    """Seconds that the first thread of a process has waited for a processor so far."""
    return int(Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[1]) / 1e9
