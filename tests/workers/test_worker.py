"""What a worker does for its parent: real pipes, and a reactor that only remembers."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import pytest
from prometheus_client import CollectorRegistry
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent

from notary.config.values import ListenAddress
from notary.observe.tallies import Reading
from notary.sockets import PassedSocket
from notary.workers import worker as module
from notary.workers.messages import ENVIRONMENT, ORDERS, REPORTS, encode
from notary.workers.worker import TOTALS_SECONDS, Told, Worker, told_by_parent

ADDRESS = ListenAddress("", 4443)


class Reactor(Clock):
    """Counts how often it is stopped."""

    def __init__(self) -> None:
        super().__init__()
        self.stopped = 0

    def callWhenRunning(self, function: Callable[[], object]) -> None:
        function()

    def stop(self) -> None:
        self.stopped += 1


class Pipes:
    """The end of the parent."""

    def __init__(self, protocol: Any, stdin: int, stdout: int, reactor: object) -> None:
        assert (stdin, stdout) == (ORDERS, REPORTS)
        self.protocol = protocol
        self.reports: list[tuple[str, Any]] = []

    def write(self, data: bytes) -> None:
        self.reports.append(tuple(json.loads(data)))

    def order(self, name: str, value: Any = None) -> None:
        self.protocol.dataReceived(encode(name, value))


@attrs.define
class World:
    """A worker that has been started.

    Attributes:
        done: the names of the orders that were not for the worker itself.
    """

    reactor: Reactor
    worker: Worker
    pipes: Pipes
    done: list[str]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(module, "StandardIO", Pipes)
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    reactor = Reactor()
    done: list[str] = []
    told = Told(2, "info", {"server.http_addr": PassedSocket(5, ":4443")})
    worker = Worker(reactor, told, {"reload": lambda: done.append("reload")})
    worker.startService()
    pipes = worker._pipes
    assert isinstance(pipes, Pipes)
    yield World(reactor, worker, pipes, done)
    for number, handler in before.items():
        signal.signal(number, handler)


def test_is_told_at_the_start_and_forgets() -> None:
    told = {"number": 2, "level": "debug", "sockets": {"server.http_addr": [5, ":4443"]}}
    environ = {ENVIRONMENT: json.dumps(told), "PATH": "/bin"}
    expected = Told(2, "debug", {"server.http_addr": PassedSocket(5, ":4443")})
    assert told_by_parent(environ) == expected
    assert environ == {"PATH": "/bin"}
    assert told_by_parent(environ) is None


def test_says_that_it_serves_and_leaves_signals_to_the_parent(world: World) -> None:
    assert world.pipes.reports == [("ready", None)]
    for number in (signal.SIGTERM, signal.SIGINT):
        os.kill(os.getpid(), number)
    assert not world.reactor.stopped


def test_listens_where_the_parent_does(world: World) -> None:
    assert world.worker.address("server.http_addr", ADDRESS) == PassedSocket(5, ":4443")


def test_does_what_it_is_told(world: World) -> None:
    world.pipes.order("reload")
    assert world.done == ["reload"]
    world.pipes.order("ping")
    assert world.pipes.reports[-1] == ("alive", None)


def test_ends_once_when_it_is_told(world: World) -> None:
    with capturedLogs() as events:
        world.pipes.order("stop")
        world.pipes.order("stop")
        world.pipes.protocol.connectionLost()
    assert world.reactor.stopped == 1
    assert not events


def test_ends_when_the_parent_is_gone(world: World) -> None:
    with capturedLogs() as events:
        world.pipes.protocol.connectionLost()
    assert world.reactor.stopped == 1
    assert [formatEvent(event) for event in events] == [
        "the parent of this worker is gone, so it ends"
    ]


def test_tells_its_metrics(world: World) -> None:
    registry = CollectorRegistry()
    Reading(registry, "things_total", "Things.", lambda: 3)
    world.worker.exposition(registry)
    world.pipes.order("measure")
    expected = [["things", "counter", "Things.", [["things_total", {}, 3]]]]
    assert world.pipes.reports[-1] == ("measures", expected)


def ask(world: World) -> Deferred[bytes]:
    asking = world.worker.exposition(CollectorRegistry())()
    assert isinstance(asking, Deferred)
    return asking


def test_asks_the_parent_for_those_of_all(world: World) -> None:
    texts: list[bytes] = []
    ask(world).addCallback(texts.append)
    ask(world).addCallback(texts.append)
    assert world.pipes.reports[1:] == [("ask", None)]
    world.pipes.order("totals", "things 3\n")
    assert texts == [b"things 3\n"] * 2


def test_does_not_wait_for_ever(world: World) -> None:
    failures: list[Any] = []
    ask(world).addErrback(failures.append)
    world.reactor.advance(TOTALS_SECONDS)
    assert failures[0].check(TimeoutError)
    world.pipes.order("totals", "late\n")
    texts: list[bytes] = []
    ask(world).addCallback(texts.append)
    world.pipes.order("totals", "things 4\n")
    assert texts == [b"things 4\n"]
