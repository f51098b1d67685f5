"""The services of a daemon stop in order, and at the latest when somebody insists."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path
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


def make(reactor: Reactor, **how: bool) -> Daemon:
    options = Options()
    options.parent = cast(usage.Options, {"nodaemon": True})
    options.parseOptions(["--config=daemon.json"])
    return Daemon(options, "info", reactor, **how)


@pytest.fixture
def daemon() -> Daemon:
    return make(Reactor())


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


class Following(Service):
    """Processes that work for a daemon."""

    def __init__(self) -> None:
        self.ready: Deferred[None] = Deferred()
        self.orders: list[str] = []
        self.stuck = False

    def order(self, name: str) -> None:
        self.orders.append(name)

    def answering(self) -> bool:
        return not self.stuck


def test_what_is_asked_of_a_leader_is_passed_on(daemon: Daemon) -> None:
    following = Following()
    daemon.lead(following)
    daemon.startService()
    for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        os.kill(os.getpid(), number)
    assert following.orders == ["reload", "more", "less"]
    daemon.stopService()


def test_systemd_learns_that_a_leader_is_ready_when_those_are_that_follow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "2000000")
        reactor = Reactor()
        daemon = make(reactor)
        following = Following()
        daemon.lead(following)
        daemon.startService()
        with pytest.raises(BlockingIOError):
            systemd.recv(100)
        following.ready.callback(None)
        assert systemd.recv(100).startswith(b"READY=1\n")
        assert systemd.recv(100) == b"WATCHDOG=1"
        following.stuck = True
        reactor.advance(1)
        with pytest.raises(BlockingIOError):
            systemd.recv(100)
        following.stuck = False
        reactor.advance(1)
        assert systemd.recv(100) == b"WATCHDOG=1"
        daemon.stopService()
    with capturedLogs():
        reactor.advance(1)


def test_one_that_follows_heeds_orders_and_no_signals() -> None:
    daemon = make(Reactor(), follows=True)
    last = slow(daemon)
    watched = Watched()
    daemon.reloader.watch(watched)
    daemon.startService()
    stopping = daemon.stopService()
    for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGTERM, signal.SIGINT):
        os.kill(os.getpid(), number)
    assert (watched.reloads, daemon.log_level.level) == (0, "info")
    assert not last.let_go.called
    for order in ("reload", "more", "hurry"):
        daemon.orders[order]()
    assert (watched.reloads, daemon.log_level.level) == (1, "debug")
    assert last.let_go.called
    assert stopping.called
