"""A worker, as it sees itself."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

import attrs
from prometheus_client import CollectorRegistry
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.stdio import StandardIO
from twisted.logger import Logger
from twisted.python.failure import Failure

from notary.config.values import ListenAddress, SystemdSocket
from notary.observe.pages import Exposition
from notary.observe.totals import snapshot
from notary.sharing import Shared
from notary.sockets import PassedSocket
from notary.workers.messages import ENVIRONMENT, ORDERS, REPORTS, Messages, encode

TOTALS_SECONDS = 5
"""Seconds that the parent may take to add up metrics."""


@attrs.frozen
class Told:
    """What a parent tells a worker when it starts it.

    Attributes:
        number: of the worker, from 1.
        level: the least severe level that is logged.
        sockets: where it accepts connections, by the key of the configuration.
    """

    number: int
    level: str
    sockets: Mapping[str, PassedSocket]


def told_by_parent(environ: MutableMapping[str, str]) -> Told | None:
    """Return what a parent has told this process, and forget it; None if it is no worker."""
    told = environ.pop(ENVIRONMENT, None)
    if told is None:
        return None
    values = json.loads(told)
    sockets = {key: PassedSocket(*each) for key, each in values["sockets"].items()}
    return Told(values["number"], values["level"], sockets)


class Worker(Service):
    """Does what the parent wants, and ends if that is gone. It has to be the last of the services.

    Signals are for the parent, which passes them on: a terminal or a supervisor may send them to
    all processes at once, and a second one would say not to wait.

    Args:
        reactor: is stopped at the end.
        told: what the parent has told.
        orders: what to do when the parent says so, besides what is for the worker itself.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        told: Told,
        orders: Mapping[str, Callable[[], object]],
    ) -> None:
        self._reactor = reactor
        self._told = told
        self._registry = CollectorRegistry()
        self._pipes: Any = None
        self._totals: Deferred[str] | None = None
        self._asking: Shared[bytes] = Shared()
        self._stopping = False
        self._orders: Mapping[str, Callable[[Any], object]] = {
            **{name: _without_value(action) for name, action in orders.items()},
            "stop": lambda _: self._stop(),
            "ping": lambda _: self._report("alive"),
            "measure": lambda _: self._report("measures", snapshot(self._registry)),
            "totals": self._are_added_up,
        }

    def startService(self) -> None:
        """Listen to the parent, and tell it when everything else has been started."""
        super().startService()
        link = _Link(lambda name, value: self._orders[name](value), self._orphaned)
        pipes: Any = StandardIO  # whose types are those of Windows
        self._pipes = pipes(link, ORDERS, REPORTS, reactor=self._reactor)
        self._reactor.callWhenRunning(self._begin)

    def _begin(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        self._report("ready")

    def address(self, key: str, configured: ListenAddress | SystemdSocket) -> PassedSocket:
        """Return the socket that the parent listens on."""
        return self._told.sockets[key]

    def exposition(self, registry: CollectorRegistry) -> Exposition:
        """Return what asks the parent for the metrics of all workers; tell it those of this one.

        It fails with `TimeoutError` if the parent does not answer.
        """
        self._registry = registry
        return lambda: self._asking.run(None, self._ask)

    async def _ask(self) -> bytes:
        self._totals = Deferred()
        self._report("ask")
        text = await self._totals.addTimeout(TOTALS_SECONDS, self._reactor)
        return text.encode()

    def _are_added_up(self, text: str) -> None:
        if self._totals is not None and not self._totals.called:
            self._totals.callback(text)

    def _report(self, name: str, value: Any = None) -> None:
        self._pipes.write(encode(name, value))

    def _orphaned(self) -> None:
        if not self._stopping:
            self._log.error("the parent of this worker is gone, so it ends")
        self._stop()

    def _stop(self) -> None:
        if not self._stopping:
            self._stopping = True
            self._reactor.stop()


class _Link(Protocol):
    """The pipes to the parent and from it."""

    def __init__(self, heed: Callable[[str, Any], object], lost: Callable[[], object]) -> None:
        self._heed = heed
        self._lost = lost
        self._messages = Messages()

    def dataReceived(self, data: bytes) -> None:
        for name, value in self._messages.feed(data):
            self._heed(name, value)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._lost()


def _without_value(action: Callable[[], object]) -> Callable[[Any], object]:
    return lambda _: action()
