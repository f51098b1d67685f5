"""What is made of the metric of the event loop's lag."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from twisted.internet.task import Clock

from benchmarks.lag import Lag, read_buckets
from benchmarks.loads import Load
from benchmarks.profiles import lag_table
from benchmarks.stock import Stock
from benchmarks.workloads import all_workloads
from notary.observe.lag import INTERVAL, LoopLag


@pytest.fixture
def lag() -> Lag:
    """That of a loop which was late once in ten times."""
    registry, clock = CollectorRegistry(), Clock()
    watch = LoopLag(registry, "notary_server", clock)
    watch.startService()
    for late in (*[0.0] * 9, 0.02):
        clock.advance(INTERVAL + late)
    return Lag(read_buckets(generate_latest(registry).decode()), 0.25, Load(20, 1.0, 1, 2), 1.5)


def test_looks_and_those_that_came_late(lag: Lag) -> None:
    assert (lag.looks, lag.late) == (10, 1)


def test_bounds_are_those_of_the_metric(lag: Lag) -> None:
    assert [lag.bound(part) for part in (0.5, 0.9, 0.99, 1)] == [0.001, 0.001, 0.025, 0.025]


def test_the_table(lag: Lag) -> None:
    text = lag_table(all_workloads(Stock(), 1)["publish-2000-k4"], lag)
    figures = dict(line.rsplit("  ", 1) for line in text.splitlines()[3:-1] if "  " in line)
    assert {key.strip(): value for key, value in figures.items()} == {
        "requests per second": "20",
        "looks at the loop": "10",
        "half of them late by at most": "1 ms",
        "99% of them late by at most": "25 ms",
        "all of them late by at most": "25 ms",
        "later than 10 ms": "1",
        "load of the machine, mean of a minute": "1.5",
    }
    assert "processor 0.25 s of 1 s\n" in text
