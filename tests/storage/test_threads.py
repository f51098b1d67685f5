"""Blocking work: where it runs, and what becomes of it when nobody waits any more."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event, current_thread, main_thread
from typing import cast

import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.task import deferLater
from twisted.logger import LogLevel, capturedLogs

from notary import request_id
from notary.storage.interfaces import StoreUnavailableError
from notary.storage.threads import (
    QueueLimits,
    ThreadsBusyError,
    ThreadsStoppedError,
    WorkerThreads,
)
from tests.support.clocks import ClockWithThreads

SECONDS = 10.0


def started(size: int = 2) -> WorkerThreads:
    threads = WorkerThreads(cast(IReactorFromThreads, reactor), "worker", size)
    threads.startService()
    return threads


@ensureDeferred
async def test_runs_in_a_thread(threads: WorkerThreads) -> None:
    thread = await threads.run(current_thread)
    assert thread is not main_thread()
    assert "test" in thread.name


@ensureDeferred
async def test_passes_arguments_and_results(threads: WorkerThreads) -> None:
    assert await threads.run(sorted, [1, 3, 2], reverse=True) == [3, 2, 1]


@ensureDeferred
async def test_passes_errors(threads: WorkerThreads) -> None:
    with pytest.raises(ZeroDivisionError):
        await threads.run(divmod, 1, 0)


@ensureDeferred
async def test_jobs_run_for_the_request_that_they_are_for() -> None:
    """Those too that wait until another one's is done."""
    threads = started(size=1)
    jobs = []
    for name in ("first", "second", "third"):
        with request_id.serving(name):
            jobs.append(threads.run(request_id.current))
    assert await gatherResults(jobs) == ["first", "second", "third"]
    await threads.stopService()


@ensureDeferred
async def test_runs_as_many_jobs_at_a_time_as_told() -> None:
    threads = started(size=2)
    go_on = Event()
    running: list[str] = []

    def job() -> int:
        running.append(current_thread().name)
        go_on.wait(SECONDS)
        return len(running)

    jobs = [threads.run(job) for _ in range(3)]
    while len(running) < 2:
        await deferLater(reactor, 0.001)
    assert len(running) == 2
    go_on.set()
    assert sorted(await gatherResults(jobs))[-1] == 3
    await threads.stopService()


@ensureDeferred
async def test_cancelling_ends_the_waiting_and_not_the_work() -> None:
    threads = started()
    go_on, finished = Event(), Event()

    def job() -> None:
        go_on.wait(SECONDS)
        finished.set()

    with capturedLogs() as logs:
        waiting = threads.run(job)
        waiting.cancel()
        with pytest.raises(CancelledError):
            await waiting
        assert not finished.is_set()
        go_on.set()
        await threads.stopService()
    assert finished.is_set()
    assert logs == []


@ensureDeferred
async def test_a_failure_nobody_waits_for_is_logged() -> None:
    threads = started()
    with capturedLogs() as logs:
        waiting = threads.run(int, "no number")
        waiting.cancel()
        with pytest.raises(CancelledError):
            await waiting
        await threads.stopService()
    [entry] = logs
    assert entry["log_level"] is LogLevel.info
    assert entry["label"] == "worker"
    assert "no number" in entry["reason"]


@ensureDeferred
async def test_stopping_waits_for_all_jobs_without_holding_up_the_reactor() -> None:
    threads = started(size=1)
    go_on = Event()
    jobs = [threads.run(go_on.wait, SECONDS) for _ in range(3)]
    stopped = threads.stopService()
    reactor.callLater(0, go_on.set)  # nobody would, if stopping held up the reactor
    assert not stopped.called
    await stopped
    assert await gatherResults(jobs) == [True, True, True]


@ensureDeferred
async def test_takes_no_work_unless_running() -> None:
    threads = WorkerThreads(cast(IReactorFromThreads, reactor), "worker", 1)
    await assert_refuses(threads)
    threads.startService()
    await threads.stopService()
    await assert_refuses(threads)


async def assert_refuses(threads: WorkerThreads) -> None:
    refused: Deferred[object] = threads.run(pytest.fail, "ran")
    with pytest.raises(ThreadsStoppedError, match="the worker threads are not running") as caught:
        await refused
    assert isinstance(caught.value, StoreUnavailableError)


class TestQueue:
    """With one thread, which is busy."""

    @pytest.fixture
    def clock(self) -> ClockWithThreads:
        return ClockWithThreads()

    @pytest.fixture
    def go_on(self) -> Event:
        return Event()

    @pytest.fixture
    def busy(self, clock: ClockWithThreads, go_on: Event) -> Iterator[WorkerThreads]:
        threads = WorkerThreads(clock, "worker", 1, QueueLimits(jobs=2, seconds=10.0))
        threads.startService()
        threads.run(go_on.wait, SECONDS)
        yield threads
        go_on.set()
        pytest_twisted.blockon(threads.stopService())

    @ensureDeferred
    async def test_work_is_given_up_and_never_done(
        self, busy: WorkerThreads, clock: ClockWithThreads, go_on: Event
    ) -> None:
        ran: list[str] = []
        first = busy.run(ran.append, "first")
        clock.advance(5)
        second = busy.run(ran.append, "second")
        clock.advance(4.9)
        assert not first.called
        clock.advance(0.1)
        with pytest.raises(ThreadsBusyError, match="are busy, and this one has waited for 10 sec"):
            await first
        assert not second.called
        go_on.set()
        await second
        assert ran == ["second"]
        assert clock.getDelayedCalls() == []

    @ensureDeferred
    async def test_what_has_begun_is_not_given_up(
        self, busy: WorkerThreads, clock: ClockWithThreads, go_on: Event
    ) -> None:
        begun, both = Event(), Event()

        def job() -> bool:
            begun.set()
            return both.wait(SECONDS)

        second = busy.run(job)
        third = busy.run(len, "third")
        go_on.set()
        for _ in range(5000):
            if begun.is_set():
                break
            await deferLater(reactor, 0.001)
        clock.advance(10)
        both.set()
        assert await second is True
        with pytest.raises(ThreadsBusyError):
            await third

    @ensureDeferred
    async def test_no_more_may_wait_than_told(self, busy: WorkerThreads, go_on: Event) -> None:
        waiting = [busy.run(len, "job") for _ in range(2)]
        with pytest.raises(ThreadsBusyError, match="are busy, and 2 jobs wait already") as caught:
            await busy.run(pytest.fail, "ran")
        assert isinstance(caught.value, StoreUnavailableError)
        go_on.set()
        assert await gatherResults(waiting) == [3, 3]
        assert await busy.run(len, "another") == 7

    @ensureDeferred
    async def test_jobs_are_done_in_the_order_they_came(
        self, busy: WorkerThreads, go_on: Event
    ) -> None:
        ran: list[int] = []
        waiting = [busy.run(ran.append, n) for n in range(2)]
        go_on.set()
        await gatherResults(waiting)
        assert ran == [0, 1]

    @ensureDeferred
    async def test_giving_up_after_the_caller_has_gone(
        self, busy: WorkerThreads, clock: ClockWithThreads
    ) -> None:
        waiting = busy.run(pytest.fail, "ran")
        waiting.cancel()
        with pytest.raises(CancelledError):
            await waiting
        clock.advance(10)
        assert clock.getDelayedCalls() == []

    @ensureDeferred
    async def test_stopping_does_not_wait_for_what_was_given_up(
        self, clock: ClockWithThreads, go_on: Event
    ) -> None:
        threads = WorkerThreads(clock, "worker", 1, QueueLimits(jobs=2, seconds=10.0))
        threads.startService()
        threads.run(go_on.wait, SECONDS)
        waiting = threads.run(pytest.fail, "ran")
        stopped = threads.stopService()
        clock.advance(10)
        with pytest.raises(ThreadsBusyError):
            await waiting
        assert not stopped.called
        go_on.set()
        await stopped


@ensureDeferred
async def test_tells_how_busy_it_is() -> None:
    threads = WorkerThreads(
        cast(IReactorFromThreads, reactor), "worker", 1, QueueLimits(jobs=1, seconds=SECONDS)
    )
    threads.startService()
    waits: list[float] = []
    durations: list[float] = []
    threads.on_begin, threads.on_end = waits.append, durations.append
    go_on = Event()
    first, second = (threads.run(go_on.wait, SECONDS) for _ in range(2))
    with pytest.raises(ThreadsBusyError):
        await threads.run(go_on.wait)
    assert (threads.size, threads.busy, threads.waiting, threads.refused) == (1, 1, 1, 1)
    go_on.set()
    await gatherResults([first, second])
    await threads.stopService()
    assert (threads.busy, threads.waiting, threads.refused) == (0, 0, 1)
    assert len(waits) == len(durations) == 2
    assert waits[1] >= waits[0] >= 0
