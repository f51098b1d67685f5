"""Clients in processes of their own."""

from __future__ import annotations

import time

import attrs
import pytest

from benchmarks.crowds import crowd
from benchmarks.https import WrongAnswerError
from benchmarks.loads import percentile


@attrs.define
class FakeClient:
    """Takes ten milliseconds for each step.

    Attributes:
        cannot_begin: whether there is nobody to connect to.
        steps: how many go well.
    """

    cannot_begin: bool = False
    steps: int = 1000

    def begin(self) -> None:
        if self.cannot_begin:
            raise ConnectionRefusedError("nobody is there")

    def step(self) -> None:
        if not self.steps:
            raise WrongAnswerError("status 500")
        self.steps -= 1
        time.sleep(0.01)


def test_all_steps_of_all_clients_count() -> None:
    with crowd([FakeClient(), FakeClient()], 0.3) as go:
        load = go()
    assert 2 <= load.requests <= 60
    assert load.seconds >= 0.3
    assert 10 <= load.p50 <= load.p99
    assert not load.faults


def test_a_wrong_answer_ends_a_client() -> None:
    with crowd([FakeClient(steps=2)], 5) as go:
        load = go()
    assert load.requests == 2
    assert load.faults == ("status 500",)


def test_nobody_works_unless_all_can_begin() -> None:
    with crowd([FakeClient(), FakeClient(cannot_begin=True)], 5) as go:
        load = go()
    assert load.requests == 0
    assert sorted(load.faults) == [
        "another client could not begin",
        "at the beginning: nobody is there",
    ]


@pytest.mark.parametrize(("part", "value"), [(0.5, 51), (0.99, 100), (1, 100)])
def test_percentiles(part: float, value: float) -> None:
    assert percentile(range(1, 101), part) == value


def test_percentile_of_nothing() -> None:
    assert percentile([], 0.5) == 0
