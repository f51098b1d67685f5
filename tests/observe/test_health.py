"""Health: checks that succeed, fail, hang and never begin."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock

from notary.observe.health import CHECK_TIMEOUT, failing_checks

Checks = Mapping[str, Callable[[], Deferred[None]]]


def run(checks: Checks, clock: Clock) -> list[dict[str, str]]:
    """What comes of the checks; empty as long as nothing does."""
    results: list[dict[str, str]] = []
    Deferred.fromCoroutine(failing_checks(checks, clock)).addCallback(results.append)
    return results


def well() -> Deferred[None]:
    return succeed(None)


def ill() -> Deferred[None]:
    return fail(ValueError("why"))


def test_nothing_is_wrong_where_nothing_is_checked() -> None:
    assert run({}, Clock()) == [{}]


def test_those_that_succeed_are_left_out() -> None:
    clock = Clock()
    assert run({"a": well, "b": ill, "c": well, "d": ill}, clock) == [{"b": "why", "d": "why"}]
    assert clock.getDelayedCalls() == []


def test_checks_run_at_the_same_time() -> None:
    waiting: list[Deferred[None]] = [Deferred(), Deferred()]
    results = run({"a": lambda: waiting[0], "b": lambda: waiting[1]}, Clock())
    waiting[1].errback(ValueError("why"))
    assert results == []
    waiting[0].callback(None)
    assert results == [{"b": "why"}]


def test_one_that_hangs_has_failed_after_a_while() -> None:
    clock = Clock()
    cancelled: list[Deferred[None]] = []
    results = run({"a": lambda: Deferred(cancelled.append), "b": ill, "c": Deferred}, clock)
    clock.advance(CHECK_TIMEOUT - 0.1)
    assert results == []
    clock.advance(0.2)
    late = f"no answer within {CHECK_TIMEOUT} seconds"
    assert results == [{"a": late, "b": "why", "c": late}]
    assert len(cancelled) == 1
