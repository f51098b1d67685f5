"""A whole comparison: the table, the scales, and the memory."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

import attrs

from benchmarks.contenders import OURS, Contender
from benchmarks.loads import Workload
from benchmarks.machine import describe
from benchmarks.measuring import Row, Sample, measure_row
from benchmarks.memory import Step, watch_memory
from benchmarks.page import Results
from benchmarks.report import number
from benchmarks.scales import by_collections, by_connections
from benchmarks.stock import Stock
from benchmarks.workloads import RECORDS, all_workloads
from tests.support.mariadb import MariaDB


@attrs.frozen
class Order:
    """What is to be measured.

    Attributes:
        rounds: how often each workload runs on each pair.
        seconds: how long each time.
        guns: how many collections are read in turn.
        only: names of workloads, None for all.
        connections: over how many connections some are measured again.
        collections: with how many collections some are measured again.
        memory: for how many requests memory is watched, if it is.
    """

    rounds: int
    seconds: float
    guns: int
    only: Sequence[str] | None = None
    connections: Sequence[int] = ()
    collections: Sequence[int] = ()
    memory: int | None = None


@attrs.frozen
class Comparison:
    """Two pairs that run.

    Attributes:
        mariadb: has their databases.
        pairs: the two.
        stock: the collections that they have.
        order: what is to be measured.
    """

    mariadb: MariaDB
    pairs: Sequence[Contender]
    stock: Stock
    order: Order

    def measure(self) -> Results:
        """Measure, and tell on standard error how it goes."""
        order = self.order
        workloads = all_workloads(self.stock, order.guns)
        machine = describe(self.mariadb, self.pairs)
        rows = self._rows(order.guns, [workloads[name] for name in order.only or workloads])
        connections = self._rows(order.guns, by_connections(self.stock, order.connections))
        collections = {
            guns: self._rows(guns, by_collections(self.stock, guns)) for guns in order.collections
        }
        steps = list(self._memory(order.memory)) if order.memory is not None else []
        return Results(machine, order.rounds, order.seconds, rows, connections, collections, steps)

    @property
    def _database(self) -> int:
        return int((self.mariadb.directory / "pid").read_text())

    def _rows(self, guns: int, workloads: Iterable[Workload]) -> list[Row]:
        for pair in self.pairs:
            pair.stock_up(self.stock, max(guns, RECORDS))
        rows = []
        for workload in workloads:
            row = measure_row(
                workload, self.pairs, self._database, self.order.rounds, self.order.seconds
            )
            rows.append(row)
            medians = (f"{who} {number(row.median(who, Sample.rate))}" for who in row.samples)
            _say(f"{row.title}: {', '.join(medians)} per second", *row.faults)
        return rows

    def _memory(self, requests: int) -> Iterable[Step]:
        (ours,) = (pair for pair in self.pairs if pair.name == OURS)
        seconds = self.order.seconds
        for step in watch_memory(self.stock, ours, self._database, requests, seconds):
            _say(f"memory: {step.requests:,} requests of {requests:,}", *step.faults)
            yield step


def _say(*lines: str) -> None:
    print(*lines, sep="\n  ", file=sys.stderr, flush=True)
