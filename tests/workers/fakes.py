"""Processes that are not there, and the reactor that starts them."""

from __future__ import annotations

import json
import signal
from collections.abc import Mapping
from typing import Any

from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from notary.observe.totals import Snapshot
from notary.workers.messages import ENVIRONMENT, ORDERS, REPORTS, Messages, encode
from notary.workers.process import WorkerProcess


class Process:
    """A worker as its parent started it, and the transport to it.

    Attributes:
        number: the worker's, as it was told.
        told: all that it was told at the start.
        arguments: its command line.
        orders: the names of what it was ordered since.
        files: which descriptors it has, and which of the parent's they are.
    """

    def __init__(
        self,
        protocol: WorkerProcess,
        pid: int,
        arguments: list[str],
        environment: Mapping[str, str],
        files: Mapping[int, int | str],
    ) -> None:
        self.pid = pid
        self.arguments = arguments
        self.environment = environment
        self.files = files
        self.told = json.loads(environment[ENVIRONMENT])
        self.number = self.told["number"]
        self.received: list[tuple[str, Any]] = []
        self.pipes = {ORDERS: None, REPORTS: None}
        self.signals: list[int] = []
        self.ended = False
        self._protocol = protocol
        self._messages = Messages()
        protocol.makeConnection(self)

    @property
    def orders(self) -> list[str]:
        return [name for name, _ in self.received]

    def writeToChild(self, descriptor: int, data: bytes) -> None:
        assert descriptor == ORDERS
        self.received += self._messages.feed(data)

    def signalProcess(self, number: int) -> None:
        self.signals.append(number)

    def report(self, name: str, value: Any = None) -> None:
        self._protocol.childDataReceived(REPORTS, encode(name, value))

    def write(self, data: bytes) -> None:
        """Write to standard error."""
        self._protocol.childDataReceived(2, data)

    def end(self, status: int | None = None, number: signal.Signals | None = None) -> None:
        """End with a status, or by a signal."""
        self.ended = True
        self.pipes.clear()
        reason = ProcessTerminated(status, number) if status or number else ProcessDone(0)
        self._protocol.processEnded(Failure(reason))


class Reactor(Clock):
    """Starts processes.

    Attributes:
        processes: all that were started, in order.
        measures: what the next ones say when they are asked for their metrics.
    """

    def __init__(self) -> None:
        super().__init__()
        self.processes: list[Process] = []

    def callWhenRunning(self, function: Any, *args: Any) -> None:
        function(*args)

    def spawnProcess(
        self,
        protocol: WorkerProcess,
        executable: str,
        args: list[str],
        env: Mapping[str, str],
        childFDs: Mapping[int, int | str],
    ) -> None:
        assert args[0] == executable
        pid = 100 + len(self.processes)
        self.processes.append(Process(protocol, pid, args[1:], env, childFDs))

    @property
    def running(self) -> list[Process]:
        return [process for process in self.processes if not process.ended]


def measures(count: float) -> Snapshot:
    """The metrics of a process that has counted so far."""
    return [("things", "counter", "Things.", [("things_total", {}, count)])]
