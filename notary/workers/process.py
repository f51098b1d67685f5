"""One worker, as its parent sees it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import ProcessProtocol
from twisted.python.failure import Failure

from notary.observe.totals import Snapshot
from notary.workers.messages import ORDERS, REPORTS, Messages, encode

MEASURE_SECONDS = 2
"""Seconds that a worker may take to tell its metrics."""


class Parent(Protocol):
    """Who wants to know what becomes of a worker."""

    def is_ready(self, worker: WorkerProcess) -> None:
        """The worker listens."""

    def has_ended(self, worker: WorkerProcess, how: str, *, killed: bool) -> None:
        """The worker is no more; ``killed`` if by a signal, and not of itself."""

    def is_asked(self, worker: WorkerProcess) -> None:
        """The worker wants to know the metrics of all."""


class WorkerProcess(ProcessProtocol):
    """A worker process.

    Args:
        clock: tells the time.
        number: of the worker, from 1.
        parent: learns what becomes of it.
        log: takes in whole lines, if the worker does not write to the log itself.

    Attributes:
        number: of the worker.
        ready: whether it listens.
        answered: whether it has answered since it was asked the last time whether it is alive.
        measured: its metrics when it last told them.
        began: when it was started.
        pid: its process ID.
    """

    transport: Any
    pid = 0

    def __init__(
        self, clock: IReactorTime, number: int, parent: Parent, log: Callable[[str], object]
    ) -> None:
        self.number = number
        self.ready = False
        self.answered = True
        self.measured: Snapshot = []
        self.began = clock.seconds()
        self._clock = clock
        self._parent = parent
        self._write_log = log
        self._messages = Messages()
        self._line = b""
        self._measuring: Deferred[None] | None = None
        self._reports: Mapping[str, Callable[[Any], object]] = {
            "ready": self._is_ready,
            "alive": self._is_alive,
            "measures": self._has_measured,
            "ask": lambda _: parent.is_asked(self),
        }

    def order(self, name: str, value: Any = None) -> None:
        """Tell it something, if it can still hear that."""
        if self.transport is not None and ORDERS in self.transport.pipes:
            self.transport.writeToChild(ORDERS, encode(name, value))

    def ping(self) -> None:
        """Ask whether it is alive."""
        self.answered = False
        self.order("ping")

    def measure(self) -> Deferred[None]:
        """Ask for its metrics, once at a time.

        Returns:
            A Deferred that fires with None when they are there or it has ended, or fails with
            `TimeoutError`.
        """
        self._measuring = Deferred()
        self.order("measure")
        return self._measuring.addTimeout(MEASURE_SECONDS, self._clock)

    def kill(self) -> None:
        """End it at once."""
        with suppress(ProcessExitedAlready):
            self.transport.signalProcess(signal.SIGKILL)

    def connectionMade(self) -> None:
        """Note who it is."""
        self.pid = self.transport.pid

    def childDataReceived(self, childFD: int, data: bytes) -> None:
        """Heed what it reports; whatever else it writes is for the log."""
        if childFD != REPORTS:
            self._log_lines(data)
            return
        for name, value in self._messages.feed(data):
            self._reports[name](value)

    def processEnded(self, reason: Failure) -> None:
        """Tell the parent."""
        if self._line:
            self._log_lines(b"\n")
        self._has_measured(self.measured)
        ended: Any = reason.value
        killed = ended.signal is not None
        how = (
            f"was killed by {signal.Signals(ended.signal).name}"
            if killed
            else f"ended with status {ended.exitCode}"
        )
        self._parent.has_ended(self, how, killed=killed)

    def _log_lines(self, data: bytes) -> None:
        lines, newline, self._line = (self._line + data).rpartition(b"\n")
        if newline:
            self._write_log(f"{lines.decode(errors='backslashreplace')}\n")

    def _is_ready(self, _: Any) -> None:
        self.ready = True
        self._parent.is_ready(self)

    def _is_alive(self, _: Any) -> None:
        self.answered = True

    def _has_measured(self, measured: Any) -> None:
        self.measured = measured
        if self._measuring is not None and not self._measuring.called:
            self._measuring.callback(None)
