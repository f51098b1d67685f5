"""What is measured on whom, in which order, and what becomes of it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import attrs
import pytest

from benchmarks.contenders import GO, OURS, RSA, Contender
from benchmarks.https import WrongAnswerError
from benchmarks.loads import Go, Load
from benchmarks.measuring import SERVER, Sample, measure_row
from tests.benchmarks.samples import row, sample


@attrs.frozen
class FakeProcess:
    pid: int
    port: int = 0
    log: Path = Path("/dev/null")


@attrs.define
class FakeContender:
    """A pair whose server is this process, or one that has ended as often as it shall die."""

    name: str
    dies: int = 0
    deaths: int = 0
    signer: FakeProcess = attrs.field(factory=lambda: FakeProcess(os.getpid()))
    _ended: subprocess.Popen[bytes] = attrs.field(factory=lambda: subprocess.Popen(["true"]))

    def server(self, certificate: str) -> FakeProcess:
        assert certificate == RSA
        self._ended.wait()
        if self.deaths < self.dies:
            self.deaths += 1
            return FakeProcess(self._ended.pid)
        return FakeProcess(os.getpid())

    def forget_logs(self) -> None:
        pass


@attrs.define
class FakeWorkload:
    """Notes on whom it is measured.

    Attributes:
        error: raised instead of the second load.
    """

    error: Exception | None = None
    measured: list[str] = attrs.Factory(list)
    name: str = "fake"
    title: str = "a fake"
    certificate: str = RSA

    @contextmanager
    def ready(self, contender: Contender, seconds: float) -> Iterator[Go]:
        self.measured.append(contender.name)
        if self.error is not None and len(self.measured) == 2:
            raise self.error
        yield lambda: Load(10, seconds, 1, 1)


def pairs(dies: int = 0) -> list[Contender]:
    return cast(list[Contender], [FakeContender(GO, dies), FakeContender(OURS)])


def test_each_is_measured_in_turn_and_nobody_always_first() -> None:
    workload = FakeWorkload()
    made = measure_row(workload, pairs(), os.getpid(), rounds=3, seconds=2)
    assert workload.measured == [GO, OURS, OURS, GO, GO, OURS]
    assert [each.rate() for each in made.samples[OURS]] == [5, 5, 5]
    assert made.samples[GO][0].resident[SERVER] > 2**20
    assert not made.faults


def test_a_round_in_which_the_server_died_is_repeated() -> None:
    workload = FakeWorkload()
    made = measure_row(workload, pairs(dies=1), os.getpid(), rounds=1, seconds=2)
    assert workload.measured == [GO, GO, OURS]
    assert made.deaths == {GO: 1, OURS: 0}
    assert not made.faults


def test_a_server_that_always_dies_makes_the_row_invalid() -> None:
    made = measure_row(FakeWorkload(), pairs(dies=99), os.getpid(), rounds=1, seconds=2)
    assert made.faults == ["Go: the server died 5 times"]


@pytest.mark.parametrize("error", [WrongAnswerError("wrong"), ConnectionResetError("wrong")])
def test_a_load_that_cannot_begin_makes_the_row_invalid(error: Exception) -> None:
    made = measure_row(FakeWorkload(error), pairs(), os.getpid(), rounds=1, seconds=2)
    assert made.faults == ["ours: wrong"]


def test_ratios_are_those_of_the_same_round() -> None:
    made = row([sample(100), sample(200), sample(0)], [sample(200), sample(100), sample(9)])
    assert made.ratios(Sample.rate) == [2, 0.5]
    assert made.median(GO, Sample.rate) == 100


def test_costs_are_milliseconds_for_1000_requests() -> None:
    assert sample(500, 40).cost(SERVER) == pytest.approx(40)
