"""The parent of the workers: it starts them, watches them, and adds up what they measure."""

from __future__ import annotations

from collections.abc import Callable
from socket import socket
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from notary.observe.totals import Totals, snapshot
from notary.sharing import Shared
from notary.workers.measures import ParentMetrics
from notary.workers.plan import Plan, Spawn
from notary.workers.process import WorkerProcess

STOP_SECONDS = 27
"""Seconds in which workers may finish what is under way; they do not take longer by themselves."""

HURRY_SECONDS = 2
"""Seconds that they have after that before they are killed; supervisors give a daemon 30."""

LONGEST_PAUSE = 5
"""Seconds until a worker that keeps ending is started again: connections wait for it."""

STEADY_SECONDS = 60
"""Seconds after which a worker that ends is taken for one that used to work."""


class Workers(Service):
    """Worker processes that serve what the parent of them listens on.

    The first is started alone, since all others would fail as it does; they follow when it serves.

    Args:
        reactor: runs the processes.
        plan: what they are.
        log_level: returns the least severe level that a new worker is to log.
        give_up: ends the daemon: a worker has failed, and no other serves.

    Attributes:
        ready: fires with None when all workers have begun to serve.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        plan: Plan,
        log_level: Callable[[], str],
        give_up: Callable[[], object],
    ) -> None:
        self._reactor = reactor
        self._plan = plan
        self._log_level = log_level
        self._give_up = give_up
        self._sockets: list[dict[str, socket]] = []
        self._spawn: Spawn | None = None
        self._workers: dict[int, WorkerProcess] = {}
        self._not_yet_ready = set(range(1, plan.number + 1))
        self._failures = dict.fromkeys(self._not_yet_ready, 0)
        self._pauses: dict[int, IDelayedCall] = {}
        self._all_ended: Deferred[None] | None = None
        self._totals = Totals()
        self._adding: Shared[str] = Shared()
        self._metrics = ParentMetrics(plan.prefix, self._serving)
        self.ready: Deferred[None] = Deferred()

    def privilegedStartService(self) -> None:
        """Listen for the workers, before `twistd` gives up the rights of root.

        Raises:
            SystemExit: that is not possible; the message says why.
        """
        super().privilegedStartService()
        self._sockets = self._plan.open_sockets()

    def startService(self) -> None:
        """Start the first worker; the others follow."""
        super().startService()
        if not self._sockets:
            self.privilegedStartService()
        self._spawn = Spawn(self._reactor, self._plan)
        self._reactor.callWhenRunning(self._start, 1)  # not before children are watched

    def stopService(self) -> Deferred[None]:
        """Have the workers finish what is under way.

        Returns:
            A Deferred that fires with None when they have ended. Cancelling it hurries them, and
            cancelling it again kills them.
        """
        super().stopService()
        for pause in self._pauses.values():
            pause.cancel()
        self._pauses.clear()
        # They come last to close what they share with us, having accepted whoever waits.
        for sockets in self._sockets:
            for each in sockets.values():
                each.close()
        self._sockets = []
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        self.order("stop")
        if await self._ended_within(STOP_SECONDS):
            return
        self.order("hurry")
        if await self._ended_within(HURRY_SECONDS):
            return
        for worker in self._workers.values():
            self._log.error("worker {number} does not end and is killed", number=worker.number)
            worker.kill()
        await self._ended_within(HURRY_SECONDS)

    async def _ended_within(self, seconds: float) -> bool:
        if not self._workers:
            return True
        self._all_ended = Deferred()
        try:
            await self._all_ended.addTimeout(seconds, self._reactor)
        except (TimeoutError, CancelledError):
            return False
        finally:
            self._all_ended = None
        return True

    def order(self, name: str) -> None:
        """Tell all workers to do something."""
        for worker in self._workers.values():
            worker.order(name)

    def answering(self) -> bool:
        """Return whether all that serve have answered since this was asked the last time."""
        serving = [worker for worker in self._workers.values() if worker.ready]
        answered = all(worker.answered for worker in serving)
        for worker in serving:
            worker.ping()
        return answered

    def is_ready(self, worker: WorkerProcess) -> None:
        """See `notary.workers.process.Parent`."""
        self._log.info(
            "worker {number} serves (process {pid})", number=worker.number, pid=worker.pid
        )
        if not self.running:
            return
        for number in self._not_yet_ready - self._workers.keys() - self._pauses.keys():
            self._start(number)
        self._not_yet_ready.discard(worker.number)
        if not self._not_yet_ready and not self.ready.called:
            self.ready.callback(None)

    def has_ended(self, worker: WorkerProcess, how: str, *, killed: bool) -> None:
        """See `notary.workers.process.Parent`."""
        number = worker.number
        del self._workers[number]
        self._totals.keep(worker.measured)
        if not self.running:
            if not self._workers and self._all_ended is not None:
                self._all_ended.callback(None)
        elif not killed and not self._serving():
            self._log.info("worker {number} {how}, and no other serves", number=number, how=how)
            self._give_up()
        else:
            self._restart(worker, how)

    def _restart(self, worker: WorkerProcess, how: str) -> None:
        number = worker.number
        steady = self._reactor.seconds() - worker.began > STEADY_SECONDS
        failures = self._failures[number] = 1 if steady else self._failures[number] + 1
        pause = min(2 ** (failures - 1) - 1, LONGEST_PAUSE)
        self._log.error(
            "worker {number} (process {pid}) {how}; it is started again in {pause} s",
            number=number,
            pid=worker.pid,
            how=how,
            pause=pause,
        )
        self._metrics.restarts += 1
        self._pauses[number] = self._reactor.callLater(pause, self._start, number)

    def _start(self, number: int) -> None:
        self._pauses.pop(number, None)
        if not self.running:
            return
        assert self._spawn is not None  # noqa: S101 - it is there while the service runs
        worker = WorkerProcess(self._reactor, number, self, self._plan.write_log)
        self._workers[number] = worker
        self._spawn(worker, self._sockets[number - 1], self._log_level())

    def _serving(self) -> int:
        return sum(worker.ready for worker in self._workers.values())

    def is_asked(self, worker: WorkerProcess) -> None:
        """See `notary.workers.process.Parent`."""
        adding = self._adding.run(None, self._add_up)
        adding.addCallbacks(
            lambda text: worker.order("totals", text),
            lambda failure: self._log.failure("the metrics cannot be added up", failure),
        )

    async def _add_up(self) -> str:
        asked = [worker.measure() for worker in self._workers.values() if worker.ready]
        for each in asked:
            try:
                await each
            except TimeoutError:
                self._log.warn("a worker does not tell its metrics; the former ones are shown")
        running = [worker.measured for worker in self._workers.values()]
        return self._totals.text([*running, snapshot(self._metrics.registry)]).decode()
