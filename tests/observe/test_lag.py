"""How late the event loop is."""

from __future__ import annotations

from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from twisted.internet.task import Clock

from notary.observe.lag import INTERVAL, LoopLag


def lag(registry: CollectorRegistry, bound: str) -> float | None:
    return registry.get_sample_value("d_loop_lag_seconds_bucket", {"le": bound})


def test_what_holds_the_loop_is_seen() -> None:
    registry, clock = CollectorRegistry(), Clock()
    watch = LoopLag(registry, "d", clock)
    watch.startService()
    clock.advance(INTERVAL)
    clock.advance(INTERVAL + 0.02)
    assert lag(registry, "0.01") == 1
    assert lag(registry, "0.025") == 2
    assert registry.get_sample_value("d_loop_lag_seconds_sum") == pytest.approx(0.02)


def test_it_ends_with_its_daemon() -> None:
    clock = Clock()
    watch = LoopLag(CollectorRegistry(), "d", clock)
    watch.startService()
    clock.advance(INTERVAL)
    watch.stopService()
    assert clock.getDelayedCalls() == []


def test_a_clock_that_is_set_back_is_no_lag() -> None:
    registry, clock = CollectorRegistry(), Clock()
    LoopLag(registry, "d", clock).startService()
    timer: Any
    [timer] = clock.getDelayedCalls()
    clock.rightNow -= 1
    timer.func(*timer.args, **timer.kw)
    assert registry.get_sample_value("d_loop_lag_seconds_sum") == 0
