"""A signer on a port of this machine, and what waits for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from twisted.internet import reactor
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from notary.config.values import ListenAddress
from notary.door import Door
from notary.signer.protocol import SignerFactory
from notary.signing.interfaces import SignerUnavailableError
from notary.signing.remote import RemoteSigner
from tests.signing.signers import WatchedCalls

HOST = "127.0.0.1"
CLOCK = cast(IReactorTime, reactor)
MOMENT = 0.01
"""Seconds between two looks at something."""
SECONDS = 10.0
"""How long something is waited for at the most."""


class ListeningSigner:
    """A signer that can stop and start again; its keys stay.

    Args:
        context: its TLS settings.
        reactor: listens.

    Attributes:
        calls: what answers.
        port: where it listens, the same port after every start.
    """

    def __init__(self, context: Any, reactor: Any) -> None:
        self.calls = WatchedCalls(CLOCK)
        self.port = 0
        self._factory = SignerFactory(self.calls, CLOCK)
        self._context = context
        self._reactor = reactor
        self._door: Door | None = None

    def start(self) -> None:
        address = ListenAddress(HOST, self.port)
        self._door = Door(self._reactor, address, self._factory, self._context)
        self._door.startService()
        listening: Any = self._door._listening
        self.port = listening.getHost().port

    async def stop(self) -> None:
        """Cease to listen, and end all connections."""
        if self._door is not None:
            await self._door.stopService()
            self._door = None
        self.drop_connections()
        await until(lambda: not self._factory.connections)

    def drop_connections(self, *, busy_only: bool = False) -> None:
        connection: Any
        for connection in self._factory.connections:
            if connection._under_way or not busy_only:
                connection.transport.abortConnection()


Listen = Callable[[Any], ListeningSigner]
Dial = Callable[..., RemoteSigner]


async def until(condition: Callable[[], object]) -> None:
    """Wait until something is true."""
    for _ in range(int(SECONDS / MOMENT)):
        if condition():
            return
        await deferLater(CLOCK, MOMENT)
    raise AssertionError("it does not come true")


async def trouble(remote: RemoteSigner) -> str | None:
    """Tell why a signer cannot be reached, once that has turned out; None if it can be."""
    for _ in range(int(SECONDS / MOMENT)):
        try:
            await remote.check()
        except SignerUnavailableError as error:
            if not str(error).endswith("no connection has been made yet"):
                return str(error)
        else:
            return None
        await deferLater(CLOCK, MOMENT)
    raise AssertionError("it does not turn out")
