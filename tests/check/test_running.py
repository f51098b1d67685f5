"""Checks that run at the same time."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent

from notary.check.findings import Finding, error, ok, warning
from notary.check.running import CHECK_SECONDS, log_concerns, together


async def fine() -> Sequence[Finding]:
    return [ok("a", "fine")]


async def broken() -> Sequence[Finding]:
    raise ValueError("oops")


async def endless() -> Sequence[Finding]:
    await Deferred()
    return []


def test_none_hides_another() -> None:
    clock = Clock()
    checks = [("b", broken()), ("c", endless()), ("a", fine())]
    found = Deferred.fromCoroutine(together(clock, checks))
    clock.advance(CHECK_SECONDS)
    results: list[list[Finding]] = []
    found.addCallback(results.append)
    assert results == [
        [
            error("b", "could not be checked: ValueError: oops"),
            error("c", f"no answer within {CHECK_SECONDS} seconds: is it overloaded?"),
            ok("a", "fine"),
        ]
    ]


def test_what_is_wrong_is_logged_by_a_daemon_that_starts() -> None:
    with capturedLogs() as events:
        log_concerns([ok("a", "fine"), warning("b", "old"), error("c", "too old")])
    assert [(event["log_level"].name, formatEvent(event)) for event in events] == [
        ("warn", "b: old"),
        ("error", "c: too old"),
    ]
