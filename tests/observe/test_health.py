"""Health: checks that succeed, fail, hang and never begin."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from notary.observe.health import (
    CHECK_TIMEOUT,
    INTERVAL,
    RETRY,
    STALE,
    Health,
    Readiness,
    failing_checks,
)

Checks = Mapping[str, Callable[[], Deferred[None]]]


def run(checks: Checks, clock: Clock) -> list[dict[str, str]]:
    """What comes of the checks; empty as long as nothing does."""
    results: list[dict[str, str]] = []
    Deferred.fromCoroutine(failing_checks(checks, clock)).addCallback(results.append)
    return results


def well() -> Deferred[None]:
    return succeed(None)


def broken() -> Deferred[None]:
    raise RuntimeError("a mistake")


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


def test_many_who_ask_at_once_share_one_run() -> None:
    begun: list[Deferred[None]] = []

    def check() -> Deferred[None]:
        begun.append(Deferred())
        return begun[-1]

    health = Health({"a": check}, Clock())
    results: list[dict[str, str]] = []
    for _ in range(100):
        health.failing().addCallback(results.append)
    assert len(begun) == 1
    begun[0].errback(ValueError("why"))
    assert results == [{"a": "why"}] * 100
    health.failing()
    assert len(begun) == 2


class TestReadiness:
    def make(self, checks: Checks, **more: Any) -> tuple[Readiness, Clock]:
        clock = Clock()
        return Readiness(Health(checks, clock), clock, **more), clock

    def test_not_before_the_first_look(self) -> None:
        readiness, _ = self.make({"a": well})
        assert readiness.reasons() == {"Checks": "not checked yet"}
        assert readiness.passing() == {}
        readiness.startService()
        assert readiness.reasons() == {}
        assert readiness.passing() == {"a": 1}

    def test_asking_runs_no_check(self) -> None:
        runs: list[None] = []

        def check() -> Deferred[None]:
            runs.append(None)
            return succeed(None)

        readiness, clock = self.make({"a": check})
        readiness.startService()
        for _ in range(100):
            readiness.reasons()
        assert len(runs) == 1
        clock.advance(INTERVAL)
        assert len(runs) == 2
        readiness.stopService()
        assert clock.getDelayedCalls() == []

    def test_what_fails_is_told_until_it_does_not(self) -> None:
        now = ill
        readiness, clock = self.make({"a": lambda: now(), "b": well})
        readiness.startService()
        assert readiness.reasons() == {"a": "why"}
        assert readiness.passing() == {"a": 0, "b": 1}
        now = well
        clock.advance(RETRY)
        assert readiness.reasons() == {}

    def test_some_checks_do_not_matter(self) -> None:
        readiness, _ = self.make({"a": ill, "b": well}, without=["a"])
        readiness.startService()
        assert readiness.reasons() == {}
        assert readiness.passing() == {"a": 0, "b": 1}

    def test_what_was_seen_too_long_ago_counts_for_nothing(self) -> None:
        now = well
        readiness, clock = self.make({"a": lambda: now()})
        readiness.startService()
        now = broken
        with capturedLogs() as events:
            clock.pump([INTERVAL] * (STALE // INTERVAL))
            assert readiness.reasons() == {}
            clock.advance(INTERVAL)
        assert readiness.reasons() == {"Checks": f"not checked for {STALE + INTERVAL} seconds"}
        assert {event["log_failure"].getErrorMessage() for event in events} == {"a mistake"}

    def test_it_ends_when_the_daemon_stops(self) -> None:
        readiness, clock = self.make({"a": well})
        readiness.startService()
        readiness.stopService()
        clock.advance(INTERVAL)
        assert list(readiness.reasons()) == ["Stopping"]
