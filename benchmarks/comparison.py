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
class Comparison:
    """Two pairs that run, and how long each workload is measured on them.

    Attributes:
        mariadb: has their databases.
        pairs: the two.
        rounds: how often.
        seconds: how long each time.
    """

    mariadb: MariaDB
    pairs: Sequence[Contender]
    rounds: int
    seconds: float
    _stock: Stock = attrs.field(factory=Stock)

    def measure(
        self,
        guns: int,
        only: Sequence[str] | None = None,
        collections: Sequence[int] = (),
        memory: int | None = None,
    ) -> Results:
        """Measure, and tell on standard error how it goes.

        Args:
            guns: how many collections are read in turn.
            only: names of workloads, None for all.
            collections: with how many collections some are measured again.
            memory: for how many requests memory is watched, if it is.

        Raises:
            LookupError: there is no such workload; the message lists those that there are.
        """
        workloads = all_workloads(self._stock, guns)
        if unknown := set(only or ()) - set(workloads):
            raise LookupError(
                f"no such workload: {', '.join(sorted(unknown))}; there are: {', '.join(workloads)}"
            )
        machine = describe(self.mariadb, self.pairs)
        rows = self._rows(guns, [workloads[name] for name in only or workloads])
        scales = {each: self._rows(each, by_collections(self._stock, each)) for each in collections}
        connections = self._rows(guns, by_connections(self._stock)) if collections else []
        steps = list(self._memory(memory)) if memory is not None else []
        return Results(machine, self.rounds, self.seconds, rows, scales, connections, steps)

    @property
    def _database(self) -> int:
        return int((self.mariadb.directory / "pid").read_text())

    def _rows(self, guns: int, workloads: Iterable[Workload]) -> list[Row]:
        for pair in self.pairs:
            pair.stock_up(self._stock, max(guns, RECORDS))
        rows = []
        for workload in workloads:
            row = measure_row(workload, self.pairs, self._database, self.rounds, self.seconds)
            rows.append(row)
            medians = (f"{who} {number(row.median(who, Sample.rate))}" for who in row.samples)
            _say(f"{row.title}: {', '.join(medians)} per second", *row.faults)
        return rows

    def _memory(self, requests: int) -> Iterable[Step]:
        (ours,) = (pair for pair in self.pairs if pair.name == OURS)
        for step in watch_memory(self._stock, ours, self._database, requests, self.seconds):
            _say(f"memory: {step.requests:,} requests of {requests:,}", *step.faults)
            yield step


def _say(*lines: str) -> None:
    print(*lines, sep="\n  ", file=sys.stderr, flush=True)
