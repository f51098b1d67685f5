"""Blocking work: where it runs, and what becomes of it when nobody waits any more."""

from __future__ import annotations

from threading import Event, current_thread, main_thread
from typing import cast

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, gatherResults
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.task import deferLater
from twisted.logger import LogLevel, capturedLogs

from notary.storage.interfaces import StoreUnavailableError
from notary.storage.threads import ThreadsStoppedError, WorkerThreads

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
