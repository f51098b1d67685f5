"""Connections end when a daemon stops: soon if they are idle, in time if they are not."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent

from notary.draining import DRAIN_SECONDS, GRACE, Connections


@attrs.define(eq=False)
class Connection:
    """One that remembers what it was asked."""

    among: Connections
    busy: bool
    asked: list[str] = attrs.Factory(list)

    def drain(self) -> None:
        self.asked.append("drain")

    def close_if_idle(self) -> None:
        self.asked.append("close")
        if not self.busy:
            self.among.discard(self)

    def abort(self) -> None:
        self.asked.append("abort")
        self.among.discard(self)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def connections(clock: Clock) -> Connections:
    connections = Connections(clock)
    connections.startService()
    return connections


def add(connections: Connections, *, busy: bool) -> Connection:
    connection = Connection(connections, busy)
    connections.add(connection)
    return connection


def results(stopping: Deferred[None]) -> Sequence[object]:
    found: list[object] = []
    stopping.addBoth(found.append)
    return found


def test_without_any_the_end_comes_at_once(connections: Connections, clock: Clock) -> None:
    assert results(connections.stopService()) == [None]
    assert connections.draining
    assert clock.getDelayedCalls() == []


def test_those_that_end_by_themselves_are_waited_for(
    connections: Connections, clock: Clock
) -> None:
    connection = add(connections, busy=True)
    stopped = results(connections.stopService())
    assert connection.asked == ["drain"]
    clock.advance(GRACE / 2)
    assert stopped == []
    connections.discard(connection)
    assert stopped == [None]
    assert connection.asked == ["drain"]
    assert clock.getDelayedCalls() == []


def test_idle_ones_end_after_the_grace(connections: Connections, clock: Clock) -> None:
    connection = add(connections, busy=False)
    stopped = results(connections.stopService())
    clock.advance(GRACE)
    assert connection.asked == ["drain", "close"]
    assert stopped == [None]
    assert clock.getDelayedCalls() == []


def test_busy_ones_are_cut_off_at_last(connections: Connections, clock: Clock) -> None:
    connection = add(connections, busy=True)
    stopped = results(connections.stopService())
    clock.advance(GRACE)
    clock.advance(DRAIN_SECONDS - GRACE - 0.1)
    assert stopped == []
    with capturedLogs() as events:
        clock.advance(0.1)
    assert connection.asked == ["drain", "close", "abort"]
    assert stopped == [None]
    (warning,) = map(formatEvent, events)
    assert warning == "1 connections were still busy after 25 s and are cut off"


def test_nobody_has_to_wait_for_them(connections: Connections, clock: Clock) -> None:
    connection = add(connections, busy=True)
    stopping = connections.stopService()
    stopping.cancel()
    assert connection.asked == ["drain", "abort"]
    stopping.addErrback(lambda failure: failure.trap(CancelledError))
    assert len(connections) == 0
    assert clock.getDelayedCalls() == []


def test_late_ones_are_not_left_out(connections: Connections) -> None:
    first = add(connections, busy=True)
    stopped = results(connections.stopService())
    late = add(connections, busy=True)
    assert late.asked == ["drain"]
    connections.discard(first)
    assert stopped == []
    connections.discard(late)
    assert stopped == [None]


def test_after_another_start_they_may_stay(connections: Connections) -> None:
    connections.stopService()
    connections.startService()
    assert add(connections, busy=False).asked == []
