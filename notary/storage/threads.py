"""The threads in which blocking work runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from twisted.application.service import Service
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

from notary.storage.interfaces import StoreUnavailableError

_P = ParamSpec("_P")
_T = TypeVar("_T")


class ThreadsStoppedError(StoreUnavailableError):
    """Work was handed to threads that are not running."""


class WorkerThreads(Service):
    """A few threads for blocking work, running as long as the service does.

    Args:
        reactor: where results are delivered.
        name: tells these threads from others in logs and debuggers.
        size: how many jobs run at a time; more of them wait for their turn.
    """

    _log = Logger()

    def __init__(self, reactor: IReactorFromThreads, name: str, size: int) -> None:
        self._reactor = reactor
        self._label = name
        self._pool = ThreadPool(minthreads=0, maxthreads=size, name=name)
        self._jobs = 0
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
        """Call a function in a thread.

        Cancelling the Deferred only ends the waiting: the function still runs to its end.

        Returns:
            A Deferred that fires with what the function returns, or fails with what it raises,
            or with `ThreadsStoppedError` if the service is not running.
        """
        if not self.running:
            return fail(ThreadsStoppedError(f"the {self._label} threads are not running"))
        self._jobs += 1
        waiting: Deferred[_T] = Deferred()
        job = deferToThreadPool(self._reactor, self._pool, function, *args, **kwargs)
        job.addBoth(self._deliver, waiting).addErrback(self._report)
        job.addCallback(lambda _: self._finish_job())
        return waiting

    def _deliver(self, result: _T | Failure, waiting: Deferred[_T]) -> Failure | None:
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

    def _finish_job(self) -> None:
        self._jobs -= 1
        self._tell_if_all_done()

    def _tell_if_all_done(self) -> None:
        if not self.running and not self._jobs:
            self._all_done.callback(None)
