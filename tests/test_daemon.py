"""The services of a daemon stop in order, and at the latest when somebody insists."""

from __future__ import annotations

import os
import signal
from typing import Any, cast

import pytest
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs
from twisted.python import usage

from notary.daemon import Daemon, Options


class Reactor(Clock):
    """Calls at once what a signal asks for."""

    def callFromThread(self, function: Any) -> None:
        function()


class Slow(Service):
    """Stops when it is let."""

    def __init__(self) -> None:
        self.stopping: Deferred[None] | None = None
        self.let_go: Deferred[None] = Deferred()

    def stopService(self) -> Deferred[None]:
        super().stopService()
        self.stopping = self.let_go
        return self.stopping


class Failing(Service):
    """Cannot stop."""

    def stopService(self) -> None:
        raise ValueError("stuck")


@pytest.fixture
def daemon() -> Daemon:
    options = Options()
    options.parent = cast(usage.Options, {"nodaemon": True})
    options.parseOptions(["--config=daemon.json"])
    return Daemon(options, "info", Reactor())


def slow(daemon: Daemon) -> Slow:
    service = Slow()
    service.setServiceParent(daemon)
    return service


def test_each_waits_for_those_that_were_added_later(daemon: Daemon) -> None:
    first, last = slow(daemon), slow(daemon)
    daemon.startService()
    stopped: list[None] = []
    daemon.stopService().addCallback(stopped.append)
    assert last.stopping is not None
    assert first.stopping is None
    last.let_go.callback(None)
    assert first.stopping is not None
    assert not stopped
    first.let_go.callback(None)
    assert stopped == [None]
    assert not daemon.running


def test_one_that_fails_keeps_none_from_stopping(daemon: Daemon) -> None:
    first = slow(daemon)
    Failing().setServiceParent(daemon)
    daemon.startService()
    with capturedLogs() as events:
        daemon.stopService()
    assert first.stopping is not None
    first.let_go.callback(None)
    assert [event["log_level"] for event in events] == [LogLevel.critical]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_another_signal_ends_the_wait(daemon: Daemon, number: signal.Signals) -> None:
    first, last = slow(daemon), slow(daemon)
    before = signal.getsignal(number)
    daemon.startService()
    stopping = daemon.stopService()
    os.kill(os.getpid(), number)
    assert last.let_go.called
    assert first.stopping is not None
    assert not stopping.called
    os.kill(os.getpid(), number)
    assert stopping.called
    assert signal.getsignal(number) is before


def test_a_hang_up_reloads_also_while_the_daemon_stops(daemon: Daemon) -> None:
    last = slow(daemon)
    watched = Watched()
    daemon.reloader.watch(watched)
    daemon.startService()
    os.kill(os.getpid(), signal.SIGHUP)
    assert watched.reloads == 1
    daemon.stopService()
    os.kill(os.getpid(), signal.SIGHUP)
    assert watched.reloads == 2
    last.let_go.callback(None)


class Watched:
    """Counts how often it is reloaded."""

    files = ()

    def __init__(self) -> None:
        self.reloads = 0

    def reload(self) -> None:
        self.reloads += 1
