"""Where a daemon listens."""

from __future__ import annotations

from collections.abc import Callable
from socket import socket
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.protocol import ServerFactory
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory

from notary.config.values import ListenAddress, SystemdSocket
from notary.fast.openssl import OpenSSLRecords
from notary.fast.port import Port
from notary.fast.reactor import FastReactor
from notary.fast.records import Records
from notary.sockets import PassedSocket, listening_socket, listening_sockets
from notary.tls import FastServerContext, ServerContext

_log = Logger()


def open_sockets(
    address: ListenAddress | SystemdSocket, number: int, *, secure: bool, reuse_port: bool
) -> list[socket]:
    """Return sockets that listen on an address, for the doors of other processes.

    Args:
        address: as it is configured.
        number: how many.
        secure: whether TLS is spoken there.
        reuse_port: whether other processes of this user may listen on the same port.

    Raises:
        SystemExit: that is not possible; the message says why.
    """
    _announce(address, secure)
    try:
        return listening_sockets(address, number, reuse_port=reuse_port)
    except OSError as error:
        raise _no_use(address, error) from error


def _announce(address: ListenAddress | SystemdSocket, secure: bool) -> None:
    if secure:
        _log.info("Enabling TLS")
    _log.info("Starting on {address}", address=address)


def _no_use(address: object, error: OSError) -> SystemExit:
    return SystemExit(f"cannot listen on {address}: {error}")


class Door(Service):
    """Listens on an address for as long as the service runs.

    Args:
        reactor: does the listening.
        address: as it is configured, or a socket that the parent of this process listens on.
        factory: serves the connections.
        context: the TLS settings, None for plain text. Those of `notary.tls.FastServerContext` need
            a `FastReactor`; those of `notary.tls.ServerContext` make Twisted do TLS on any other.
        reuse_port: whether other processes of this user may listen on the same port.
    """

    def __init__(
        self,
        reactor: Any,
        address: ListenAddress | SystemdSocket | PassedSocket,
        factory: ServerFactory[Any],
        context: Any,
        *,
        reuse_port: bool = False,
    ) -> None:
        self._reactor = reactor
        self._address = address
        self._context = context
        self._factory: Any = factory
        self._reuse_port = reuse_port
        self._listening: Any = None

    def privilegedStartService(self) -> None:
        """Begin to listen, before `twistd` gives up the rights of root.

        Raises:
            SystemExit: that is not possible; the message says why.
        """
        super().privilegedStartService()
        if not isinstance(self._address, PassedSocket):  # which the parent has announced
            _announce(self._address, self._context is not None)
        try:
            listening = listening_socket(self._address, reuse_port=self._reuse_port)
        except OSError as error:
            raise _no_use(self._address, error) from error
        with listening:  # which the port makes a copy of
            self._listening = self._port(listening)

    def _port(self, listening: socket) -> Any:
        factory, context = self._factory, self._context
        if context is not None:
            make_records = self._make_records()
            if make_records is not None:
                port = Port(self._reactor, listening, factory, make_records)
                port.startListening()
                return port
            factory = TLSMemoryBIOFactory(context, False, factory, self._reactor)
        return self._reactor.adoptStreamPort(listening.fileno(), listening.family, factory)

    def _make_records(self) -> Callable[[], Records | OpenSSLRecords] | None:
        """Return what begins TLS for a connection, None if Twisted does."""
        context = self._context
        if isinstance(context, FastServerContext):
            return lambda: Records(context.context())
        if isinstance(context, ServerContext) and isinstance(self._reactor, FastReactor):
            return lambda: OpenSSLRecords(context.serverConnectionForTLS(None), is_client=False)
        return None

    def startService(self) -> None:
        """Begin to listen, unless that was done before."""
        super().startService()
        if self._listening is None:
            self.privilegedStartService()

    def stopService(self) -> Deferred[None]:
        """Cease to listen.

        Returns:
            A Deferred that fires with None when the port is closed.
        """
        super().stopService()
        listening, self._listening = self._listening, None
        if listening is None:
            return maybeDeferred(lambda: None)
        listening.doRead()  # whoever waits to be accepted would be cut off
        return maybeDeferred(listening.stopListening).addCallback(lambda _: None)
