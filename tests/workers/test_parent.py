"""What the parent of workers does with processes that start, serve, fail and end."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable

import attrs
import pytest
from twisted.logger import LogLevel, capturedLogs, formatEvent

from notary.config.values import ListenAddress
from notary.workers.parent import HURRY_SECONDS, LONGEST_PAUSE, STOP_SECONDS, Workers
from notary.workers.plan import Plan, SharedDoor
from tests.workers.fakes import Process, Reactor, measures

HTTP = SharedDoor("server.http_addr", ListenAddress("127.0.0.1", 0), secure=True)
DEBUG = SharedDoor("server.debug_addr", ListenAddress("127.0.0.1", 0), for_first=True)


@attrs.define
class World:
    """A parent of three workers.

    Attributes:
        given_up: how often it wanted the daemon to end.
        log: what was written to the log for workers.
    """

    reactor: Reactor
    given_up: int = 0
    level: str = "info"
    log: list[str] = attrs.Factory(list)
    log_descriptor: int | None = 2
    workers: Workers = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        plan = Plan(
            module="notary.server.main",
            arguments=["-config=/x"],
            number=3,
            doors=[DEBUG, HTTP],
            reuse_port=False,
            prefix="notary_server",
            log_descriptor=self.log_descriptor,
            write_log=self.log.append,
        )
        self.workers = Workers(self.reactor, plan, lambda: self.level, self.give_up)

    def give_up(self) -> None:
        self.given_up += 1

    def serve(self) -> list[Process]:
        """Start, and have all workers serve."""
        self.workers.startService()
        self.reactor.processes[0].report("ready")
        for process in self.reactor.processes[1:]:
            process.report("ready")
        return self.reactor.processes

    def metrics(self, asker: Process) -> str:
        """What a worker is told, whose siblings have answered."""
        asker.report("ask")
        name, text = asker.received[-1]
        assert name == "totals"
        return str(text)


@pytest.fixture
def world() -> World:
    return World(Reactor())


def test_the_others_follow_when_the_first_serves(world: World) -> None:
    world.workers.startService()
    (first,) = world.reactor.processes
    assert first.number == 1
    ready: list[None] = []
    world.workers.ready.addCallback(ready.append)
    first.report("ready")
    assert [process.number for process in world.reactor.processes] == [1, 2, 3]
    world.reactor.processes[1].report("ready")
    assert not ready
    world.reactor.processes[2].report("ready")
    assert ready == [None]


def test_each_has_a_socket_of_its_own_and_what_else_it_needs(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"):
        monkeypatch.setenv(name, "1")
    first, second, third = world.serve()
    places = [dict(process.told["sockets"]) for process in (first, second, third)]
    assert places[0].pop("server.debug_addr") == [5, "127.0.0.1:0"]
    assert places == [
        {"server.http_addr": [6, "127.0.0.1:0"]},
        {"server.http_addr": [5, "127.0.0.1:0"]},
        {"server.http_addr": [5, "127.0.0.1:0"]},
    ]
    sockets = {first.files[6], second.files[5], third.files[5]}
    assert len(sockets) == 3
    ports = {socket.socket(fileno=os.dup(int(each))).getsockname()[1] for each in sockets}
    assert len(ports) == 1
    assert first.arguments[0] == "-c"
    assert first.arguments[2:] == ["-config=/x"]
    assert not {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} & first.environment.keys()
    assert (first.files[1], first.files[2]) == (2, 2)


def test_nobody_else_gets_the_port(world: World) -> None:
    world.workers.privilegedStartService()
    port = world.workers._sockets[0]["server.http_addr"].getsockname()[1]
    doors = [SharedDoor("server.http_addr", ListenAddress("127.0.0.1", port))]
    other = World(Reactor())
    other.workers._plan = attrs.evolve(other.workers._plan, doors=doors)
    with pytest.raises(SystemExit, match=f"cannot listen on 127.0.0.1:{port}: "):
        other.workers.startService()
    assert not other.reactor.processes


def test_says_once_where_they_listen(world: World) -> None:
    with capturedLogs() as events:
        world.serve()
    messages = [formatEvent(event) for event in events]
    assert messages[:3] == ["Starting on 127.0.0.1:0", "Enabling TLS", "Starting on 127.0.0.1:0"]
    assert messages[3:] == [f"worker {n} serves (process {99 + n})" for n in (1, 2, 3)]


@pytest.mark.parametrize("status", [0, 1])
def test_one_that_fails_while_none_serves_ends_the_daemon(world: World, status: int) -> None:
    world.workers.startService()
    world.reactor.processes[0].end(status)
    assert world.given_up == 1
    world.reactor.advance(LONGEST_PAUSE)
    assert len(world.reactor.processes) == 1


@pytest.mark.parametrize(
    ("end", "how"),
    [
        (lambda process: process.end(1), "ended with status 1"),
        (lambda process: process.end(number=signal.SIGKILL), "was killed by SIGKILL"),
    ],
)
def test_one_that_ends_is_started_again(
    world: World, end: Callable[[Process], None], how: str
) -> None:
    second = world.serve()[1]
    world.level = "debug"
    with capturedLogs() as events:
        end(second)
    assert [formatEvent(event) for event in events] == [
        f"worker 2 (process 101) {how}; it is started again in 0 s"
    ]
    assert events[0]["log_level"] is LogLevel.error
    world.reactor.advance(0)
    again = world.reactor.processes[3]
    assert (again.number, again.told["level"]) == (2, "debug")
    port = second.told["sockets"]["server.http_addr"][0]
    assert again.files[port] == second.files[port]
    assert not world.given_up


def test_all_may_be_killed_at_once(world: World) -> None:
    for process in [*world.serve()]:
        process.end(number=signal.SIGKILL)
    assert not world.given_up
    world.reactor.advance(0)
    assert [process.number for process in world.reactor.running] == [1, 2, 3]


def test_one_that_keeps_ending_is_started_ever_later(world: World) -> None:
    world.serve()
    pauses = []
    for _ in range(6):
        begun = world.reactor.seconds()
        (second,) = [each for each in world.reactor.running if each.number == 2]
        second.end(number=signal.SIGSEGV)
        while len(world.reactor.running) < 3:
            world.reactor.advance(0.5)
        pauses.append(world.reactor.seconds() - begun)
    assert pauses == pytest.approx([0, 1, 3, 5, 5, 5], abs=0.5)
    world.reactor.advance(61)
    world.reactor.running[-1].end(number=signal.SIGSEGV)
    world.reactor.advance(0)
    assert len(world.reactor.running) == 3


def test_all_are_stopped_when_it_no_longer_listens(world: World) -> None:
    processes = world.serve()
    sockets = [each for own in world.workers._sockets for each in own.values()]
    stopped: list[None] = []
    world.workers.stopService().addCallback(stopped.append)
    assert all(each.fileno() == -1 for each in sockets)
    assert [process.orders for process in processes] == [["stop"]] * 3
    for process in processes:
        assert not stopped
        process.end(0)
    assert stopped == [None]
    assert not world.reactor.getDelayedCalls()


def test_what_does_not_end_is_hurried_and_then_killed(world: World) -> None:
    processes = world.serve()
    stopping = world.workers.stopService()
    processes[0].end(0)
    world.reactor.advance(STOP_SECONDS)
    assert processes[1].orders == ["stop", "hurry"]
    assert not processes[1].signals
    world.reactor.advance(HURRY_SECONDS)
    assert processes[1].signals == [signal.SIGKILL]
    processes[1].end(number=signal.SIGKILL)
    processes[2].end(number=signal.SIGKILL)
    assert stopping.called


def test_a_second_signal_hurries_and_a_third_kills(world: World) -> None:
    processes = world.serve()
    stopped: list[None] = []
    stopping = world.workers.stopService().addCallback(stopped.append)
    stopping.cancel()
    assert [process.orders for process in processes] == [["stop", "hurry"]] * 3
    assert not stopped
    stopping.cancel()
    assert [process.signals for process in processes] == [[signal.SIGKILL]] * 3
    for process in processes:
        process.end(number=signal.SIGKILL)
    assert stopped == [None]


def test_one_that_waits_to_be_started_is_not(world: World) -> None:
    world.serve()[0].end(number=signal.SIGKILL)
    world.workers.stopService()
    world.reactor.advance(1)
    assert len(world.reactor.processes) == 3


def test_orders_reach_all(world: World) -> None:
    processes = world.serve()
    world.workers.order("reload")
    assert [process.orders for process in processes] == [["reload"]] * 3


def test_tells_whether_one_is_stuck(world: World) -> None:
    first, second, third = world.serve()
    assert world.workers.answering()
    for process in (first, second, third):
        process.report("alive")
    assert world.workers.answering()
    for process in (first, third):
        process.report("alive")
    assert not world.workers.answering()
    # Whoever is being started again is not stuck.
    for process in (first, third):
        process.report("alive")
    second.end(number=signal.SIGKILL)
    assert world.workers.answering()


class TestMetrics:
    def answer(self, process: Process, count: float) -> None:
        assert process.orders[-1] == "measure"
        process.report("measures", measures(count))

    def test_are_added_up_also_those_of_the_dead(self, world: World) -> None:
        first, second, third = world.serve()
        first.report("ask")
        for process, count in ((first, 1), (second, 20), (third, 300)):
            self.answer(process, count)
        text = first.received[-1][1]
        assert "\nthings_total 321.0\n" in text
        assert "\nnotary_server_workers 3.0\n" in text
        assert "\nnotary_server_worker_restarts_total 0.0\n" in text
        assert "\nprocess_cpu_seconds_total " in text
        second.end(number=signal.SIGKILL)
        first.report("ask")
        self.answer(first, 2)
        self.answer(third, 300)
        text = first.received[-1][1]
        assert "\nthings_total 322.0\n" in text
        assert "\nnotary_server_workers 2.0\n" in text
        assert "\nnotary_server_worker_restarts_total 1.0\n" in text

    def test_of_one_that_does_not_answer_the_former_ones_count(self, world: World) -> None:
        first, second, third = world.serve()
        first.report("ask")
        for process, count in ((first, 1), (second, 20), (third, 300)):
            self.answer(process, count)
        first.report("ask")
        self.answer(first, 2)
        self.answer(third, 300)
        with capturedLogs() as events:
            world.reactor.advance(2)
        assert len(events) == 1
        assert "\nthings_total 322.0\n" in first.received[-1][1]
        second.report("measures", measures(21))
        first.report("ask")
        for process, count in ((first, 2), (second, 22), (third, 300)):
            self.answer(process, count)
        assert "\nthings_total 324.0\n" in first.received[-1][1]

    def test_one_that_dies_meanwhile_holds_nothing_up(self, world: World) -> None:
        first, second, third = world.serve()
        second.report("ask")
        third.report("ask")
        self.answer(first, 1)
        self.answer(third, 300)
        second.end(number=signal.SIGKILL)
        assert "\nthings_total 301.0\n" in third.received[-1][1]


def test_lines_are_written_for_those_that_cannot_do_it() -> None:
    world = World(Reactor(), log_descriptor=None)
    first = world.serve()[0]
    assert (first.files[1], first.files[2]) == ("r", "r")
    first.write(b"one\ntw")
    assert world.log == ["one\n"]
    first.write(b"o\nthree\nfo")
    assert world.log == ["one\n", "two\nthree\n"]
    first.end(number=signal.SIGKILL)
    assert world.log == ["one\n", "two\nthree\n", "fo\n"]
