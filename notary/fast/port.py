"""Where connections are accepted."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort, IReadDescriptor
from twisted.internet.protocol import ServerFactory
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from notary.fast.connection import Connection
from notary.fast.ends import Address, address
from notary.fast.openssl import OpenSSLRecords
from notary.fast.reactor import FastReactor
from notary.fast.records import Records

ACCEPTED_AT_ONCE = 16
"""Connections that are accepted before those that are open are looked after again."""

PAUSE = 1
"""Seconds until more are accepted when the process has no descriptor left for one."""

_EXHAUSTED = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


@implementer(IListeningPort, IReadDescriptor)
class Port:
    """Accepts connections with TLS.

    Args:
        reactor: tells when there are any.
        listening: the socket, which does not block; the port makes a copy of it.
        factory: serves the connections.
        make_records: begins TLS for one more of them.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: FastReactor,
        listening: socket.socket,
        factory: ServerFactory[Any],
        make_records: Callable[[], Records | OpenSSLRecords],
    ) -> None:
        self._reactor = reactor
        self._socket = listening.dup()
        self._socket.setblocking(False)
        self._factory = factory
        self._make_records = make_records
        self._beginning: set[asyncio.Task[object]] = set()

    def startListening(self) -> None:
        """Begin to accept."""
        self._factory.doStart()
        self._reactor.addReader(self)

    def stopListening(self) -> Deferred[None]:
        """Accept whoever is waiting, and nobody any more.

        Returns:
            A Deferred that fires with None when the protocols of all know of their connections.
        """
        while self._accept_one():
            pass
        self._reactor.removeReader(self)
        self._socket.close()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        if self._beginning:
            await Deferred.fromFuture(asyncio.ensure_future(asyncio.wait(set(self._beginning))))
        self._factory.doStop()

    def getHost(self) -> Address:
        """Return the address that is listened on."""
        return address(self._socket.getsockname())

    def fileno(self) -> int:
        """Return the descriptor of the socket."""
        return self._socket.fileno()

    def logPrefix(self) -> str:
        """Return what stands for the port in logs."""
        return "Port"

    def doRead(self) -> None:
        """Accept those who are waiting."""
        for _ in range(ACCEPTED_AT_ONCE):
            if not self._accept_one():
                return

    def connectionLost(self, reason: Failure) -> None:
        """Take notice that the reactor gave the socket up."""

    def _accept_one(self) -> bool:
        try:
            accepted, peer = self._socket.accept()
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno in _EXHAUSTED:
                self._pause(error)
                return False
            return True  # it has gone again
        self._serve(accepted, address(peer))
        return True

    def _serve(self, accepted: socket.socket, peer: Address) -> None:
        connection = None
        try:
            host = address(accepted.getsockname())
            protocol = self._factory.buildProtocol(peer)
            if protocol is not None:
                records, loop = self._make_records(), self._reactor.loop
                connection = Connection(records, protocol, peer, host, loop)
        except Exception:
            self._log.failure("a connection cannot be served")
        if connection is None:
            accepted.close()
            return
        task = self._reactor.loop.create_task(self._begin(connection, accepted))
        self._beginning.add(task)
        task.add_done_callback(self._beginning.discard)

    async def _begin(self, connection: Connection, accepted: socket.socket) -> None:
        try:
            await self._reactor.loop.connect_accepted_socket(lambda: connection, accepted)
        except OSError as error:
            self._log.debug("a connection was lost at once: {reason}", reason=str(error))
            accepted.close()

    def _pause(self, error: OSError) -> None:
        self._log.error(
            "no connection can be accepted for {seconds} s: {reason}",
            seconds=PAUSE,
            reason=str(error),
        )
        self._reactor.removeReader(self)
        self._reactor.callLater(PAUSE, self._resume)

    def _resume(self) -> None:
        if self._socket.fileno() >= 0:
            self._reactor.addReader(self)
