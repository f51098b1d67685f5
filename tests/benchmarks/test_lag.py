"""What is made of the metric of the event loop's lag."""

from __future__ import annotations

import math

from prometheus_client import CollectorRegistry, generate_latest
from twisted.internet.task import Clock

from benchmarks.lag import Lag, read_buckets
from benchmarks.loads import Load
from notary.observe.lag import INTERVAL, LoopLag


def lag_of(*late: float) -> Lag:
    """What is seen of a loop that is so many seconds late at each look."""
    registry, clock = CollectorRegistry(), Clock()
    watch = LoopLag(registry, "notary_server", clock)
    watch.startService()
    for seconds in late:
        clock.advance(INTERVAL + seconds)
    buckets = read_buckets(generate_latest(registry).decode())
    return Lag("title", buckets, 0.25, Load(20, 1.0, 1, 2), 1.5)


def test_looks_and_those_that_came_late() -> None:
    lag = lag_of(*[0.0] * 9, 0.02)
    assert (lag.looks, lag.late) == (10, 1)


def test_bounds_are_those_of_the_metric() -> None:
    lag = lag_of(*[0.0] * 9, 0.02)
    assert [lag.bound(part) for part in (0.5, 0.9, 0.99, 1)] == [0.001, 0.001, 0.025, 0.025]


def test_more_than_the_last_bound() -> None:
    assert lag_of(11.0).bound(1) == math.inf
