"""The threads in which blocking work runs."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextvars import Context, copy_context
from functools import partial
from typing import Any, ParamSpec, TypeVar

import attrs
from twisted.application.service import Service
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from notary.storage.interfaces import StoreUnavailableError

_P = ParamSpec("_P")
_T = TypeVar("_T")


class ThreadsStoppedError(StoreUnavailableError):
    """Work was handed to threads that are not running."""


class ThreadsBusyError(StoreUnavailableError):
    """Work was given up before it had begun: there was too much of it."""


@attrs.frozen
class QueueLimits:
    """How long a queue may get.

    Attributes:
        jobs: how many may wait for a thread.
        seconds: how long each of them may.
    """

    jobs: int
    seconds: float


@attrs.define(eq=False)
class _Job:
    """Work, who waits for it since when, for which request, and until when it may be given up."""

    work: Callable[[], Any]
    waiting: Deferred[Any]
    since: float
    context: Context = attrs.field(factory=copy_context)
    patience: IDelayedCall | None = None


class WorkerThreads(Service):
    """A few threads for blocking work, running as long as the service does.

    Args:
        reactor: where results are delivered.
        name: tells these threads from others in logs and debuggers.
        size: how many jobs run at a time; more of them wait for their turn.
        limits: of their queue; None for no limits.

    Attributes:
        size: how many jobs run at a time.
        busy: how many run now.
        refused: how many were given up before they began.
        on_begin: called with the seconds that a job has waited, when it begins.
        on_end: called with the seconds that a job took, when its result is there.
    """

    _log = Logger()
    on_begin: Callable[[float], object] | None = None
    on_end: Callable[[float], object] | None = None

    def __init__(
        self, reactor: Any, name: str, size: int, limits: QueueLimits | None = None
    ) -> None:
        self._reactor = reactor
        self._label = name
        self.size = size
        self._limits = limits
        self._pool = ThreadPool(minthreads=0, maxthreads=size, name=name)
        self._queue: deque[_Job] = deque()
        self.busy = 0
        self.refused = 0
        self._all_done: Deferred[None] = Deferred()

    def startService(self) -> None:
        """Take work from now on."""
        super().startService()
        self._pool.start()

    def stopService(self) -> Deferred[None]:
        """Take no more work, for good.

        Returns:
            A Deferred that fires with None when all work taken before is done and the threads
            have ended.
        """
        super().stopService()
        # stop() joins its threads: without jobs they end at once, so the reactor is not held up.
        self._all_done.addCallback(lambda _: self._pool.stop())
        self._tell_if_all_done()
        return self._all_done

    def run(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> Deferred[_T]:
        """Call a function in a thread, in a copy of the context of the caller.

        Cancelling the Deferred only ends the waiting: the function still runs to its end.

        Returns:
            A Deferred that fires with what the function returns, or fails with what it raises,
            with `ThreadsStoppedError` if the service is not running, or with `ThreadsBusyError`
            if the limits of the queue are reached; then the function does not run.
        """
        if not self.running:
            return fail(ThreadsStoppedError(f"the {self._label} threads are not running"))
        waiting: Deferred[_T] = Deferred()
        job = _Job(partial(function, *args, **kwargs), waiting, self._reactor.seconds())
        if self.busy < self.size:
            self._begin(job)
        elif self._limits is not None and len(self._queue) >= self._limits.jobs:
            return fail(self._busy_error(f"{len(self._queue)} jobs wait already"))
        else:
            self._enqueue(job)
        return waiting

    @property
    def waiting(self) -> int:
        """How many jobs wait for a thread."""
        return len(self._queue)

    def _enqueue(self, job: _Job) -> None:
        self._queue.append(job)
        if self._limits is not None:
            job.patience = self._reactor.callLater(self._limits.seconds, self._give_up, job)

    def _give_up(self, job: _Job) -> None:
        assert self._limits is not None  # noqa: S101 - there is no patience without limits
        self._queue.remove(job)
        error = self._busy_error(f"this one has waited for {self._limits.seconds:g} seconds")
        self._deliver(Failure(error), job.waiting)
        self._tell_if_all_done()

    def _busy_error(self, reason: str) -> ThreadsBusyError:
        self.refused += 1
        return ThreadsBusyError(f"the {self._label} threads are busy, and {reason}")

    def _begin(self, job: _Job) -> None:
        self.busy += 1
        if job.patience is not None:
            job.patience.cancel()
        began = self._reactor.seconds()
        if self.on_begin is not None:
            self.on_begin(began - job.since)
        done = deferToThreadPool(self._reactor, self._pool, job.context.run, job.work)
        done.addBoth(self._deliver, job.waiting)
        done.addErrback(lambda failure: job.context.run(self._report, failure))
        done.addCallback(lambda _: self._finish_job(began))

    def _deliver(self, result: Any, waiting: Deferred[Any]) -> Failure | None:
        """Hand the result to whoever still waits; a failure nobody waits for is returned."""
        if not waiting.called:
            waiting.callback(result)
            return None
        return result if isinstance(result, Failure) else None

    def _report(self, failure: Failure) -> None:
        self._log.info(
            "work in a {label} thread failed after its caller had gone: {reason}",
            label=self._label,
            reason=failure.getErrorMessage(),
        )

    def _finish_job(self, began: float) -> None:
        self.busy -= 1
        if self.on_end is not None:
            self.on_end(self._reactor.seconds() - began)
        if self._queue:
            self._begin(self._queue.popleft())
        self._tell_if_all_done()

    def _tell_if_all_done(self) -> None:
        if not self.running and not self.busy and not self._queue and not self._all_done.called:
            self._all_done.callback(None)
