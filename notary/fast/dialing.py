"""Connections to others."""

from __future__ import annotations

import asyncio
import os
import socket
from ipaddress import ip_address
from typing import Any

import attrs
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import TimeoutError, getConnectError
from twisted.internet.interfaces import (
    IOpenSSLClientConnectionCreator,
    IProtocolFactory,
    IStreamClientEndpoint,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from notary.fast.connection import Connection
from notary.fast.ends import Address, address
from notary.fast.openssl import OpenSSLRecords
from notary.fast.reactor import FastReactor


@implementer(IStreamClientEndpoint)
@attrs.frozen
class TLSClientEndpoint:
    """Where TLS is spoken.

    Attributes:
        reactor: makes the connections.
        host: the IP address.
        port: of TCP.
        timeout: seconds until it has to be connected.
        creator: has the TLS settings.
    """

    reactor: FastReactor
    host: str
    port: int
    timeout: float
    creator: IOpenSSLClientConnectionCreator

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[Any]:
        """See `IStreamClientEndpoint.connect`. It does not wait for the handshake."""
        connecting = self.reactor.loop.create_task(self._connect(protocolFactory))
        return Deferred.fromFuture(connecting).addErrback(_given_up)

    async def _connect(self, factory: IProtocolFactory) -> Any:
        family = socket.AF_INET if ip_address(self.host).version == 4 else socket.AF_INET6
        connected = socket.socket(family, socket.SOCK_STREAM)
        try:
            connected.setblocking(False)
            peer = await self._reach(connected)
            protocol = factory.buildProtocol(peer)
            records = OpenSSLRecords(
                self.creator.clientConnectionForTLS(protocol),  # type: ignore[arg-type]
                is_client=True,
            )
            host, loop = address(connected.getsockname()), self.reactor.loop
            connection = Connection(records, protocol, peer, host, loop)
            beginning = loop.create_task(loop.create_connection(lambda: connection, sock=connected))
            try:
                await asyncio.shield(beginning)
            except asyncio.CancelledError:  # the protocol has to hear of the end all the same
                await beginning
                connection.abortConnection()
                raise
        except BaseException:
            connected.close()
            raise
        return protocol

    async def _reach(self, connecting: socket.socket) -> Address:
        """Connect a socket.

        Raises:
            ConnectError: that fails, or takes too long.
        """
        reaching = self.reactor.loop.sock_connect(connecting, (self.host, self.port))
        try:
            await asyncio.wait_for(reaching, self.timeout)
        except asyncio.TimeoutError:
            raise TimeoutError from None
        except OSError as error:
            number = error.errno or 0
            raise getConnectError((number, os.strerror(number))) from error
        return address(connecting.getpeername())


def _given_up(failure: Failure) -> Failure:
    """Tell of a task that was cancelled as Twisted does."""
    return Failure(CancelledError()) if failure.check(asyncio.CancelledError) else failure
