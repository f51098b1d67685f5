"""What workers are to be, and how one of them is started."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from socket import socket
from typing import Any

import attrs

from notary.config.values import ListenAddress, SystemdSocket
from notary.door import open_sockets
from notary.workers.messages import ENVIRONMENT, FIRST_SOCKET, ORDERS, REPORTS
from notary.workers.process import WorkerProcess

_FOR_THE_PARENT = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
"""Variables of systemd that a worker must not see: only the parent speaks to it."""


@attrs.frozen
class SharedDoor:
    """An address that workers listen on.

    Attributes:
        key: of the configuration.
        address: where.
        secure: whether TLS is spoken there.
        for_first: whether only the first worker listens there.
    """

    key: str
    address: ListenAddress | SystemdSocket
    secure: bool = False
    for_first: bool = False


@attrs.frozen
class Plan:
    """What workers are to be.

    Attributes:
        module: has the function ``main`` that each of them runs.
        arguments: its command line.
        number: how many there are.
        doors: where they listen.
        reuse_port: whether other processes of this user may listen there too.
        prefix: begins the names of the daemon's metrics.
        log_descriptor: where they write their log; None if that is for the parent to do.
        write_log: writes lines of theirs to the parent's log.
    """

    module: str
    arguments: Sequence[str]
    number: int
    doors: Sequence[SharedDoor]
    reuse_port: bool
    prefix: str
    log_descriptor: int | None
    write_log: Callable[[str], object]

    def open_sockets(self) -> list[dict[str, socket]]:
        """Listen, and return for each worker what it accepts from, by key.

        Raises:
            SystemExit: that is not possible; the message says why.
        """
        workers: list[dict[str, socket]] = [{} for _ in range(self.number)]
        for door in self.doors:
            some = workers[:1] if door.for_first else workers
            sockets = open_sockets(
                door.address, len(some), secure=door.secure, reuse_port=self.reuse_port
            )
            for worker, its in zip(some, sockets, strict=True):
                worker[door.key] = its
        return workers


class Spawn:
    """Starts worker processes.

    Args:
        reactor: runs them.
        plan: what they are.
    """

    def __init__(self, reactor: Any, plan: Plan) -> None:
        self._reactor = reactor
        self._plan = plan
        self._nothing = open(os.devnull, "rb")  # noqa: SIM115 - it is for all that are started

    def __call__(self, worker: WorkerProcess, sockets: Mapping[str, socket], level: str) -> None:
        """Start a process.

        Args:
            worker: what is told of it.
            sockets: what it accepts from, by the key of the configuration.
            level: the least severe level that it logs.
        """
        passed = {
            FIRST_SOCKET + index: (key, each) for index, (key, each) in enumerate(sockets.items())
        }
        addresses = {door.key: str(door.address) for door in self._plan.doors}
        told = {
            "number": worker.number,
            "level": level,
            "sockets": {
                key: [descriptor, addresses[key]] for descriptor, (key, _) in passed.items()
            },
        }
        log = "r" if self._plan.log_descriptor is None else self._plan.log_descriptor
        self._reactor.spawnProcess(
            worker,
            sys.executable,
            [sys.executable, "-c", self._program(), *self._plan.arguments],
            env={**_own_environment(), ENVIRONMENT: json.dumps(told)},
            childFDs={
                0: self._nothing.fileno(),
                1: log,
                2: log,
                ORDERS: "w",
                REPORTS: "r",
                **{descriptor: each.fileno() for descriptor, (_, each) in passed.items()},
            },
        )

    def _program(self) -> str:
        """Return what has the same modules as this process, whatever the working directory has."""
        return (
            f"import sys; sys.path[:] = {sys.path!r}; from {self._plan.module} import main; main()"
        )


def _own_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name not in _FOR_THE_PARENT}
