"""Where a daemon listens."""

from __future__ import annotations

from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.protocol import ServerFactory
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory

from notary.config.values import ListenAddress, SystemdSocket
from notary.sockets import listening_socket


class Door(Service):
    """Listens on an address for as long as the service runs.

    Args:
        reactor: does the listening.
        address: as it is configured.
        factory: serves the connections.
        context: the TLS settings from `notary.tls.ServerContext`, None for plain text.
        reuse_port: whether other processes of this user may listen on the same port.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        address: ListenAddress | SystemdSocket,
        factory: ServerFactory[Any],
        context: Any,
        *,
        reuse_port: bool = False,
    ) -> None:
        self._reactor = reactor
        self._address = address
        self._secure = context is not None
        self._factory: Any = (
            factory if context is None else TLSMemoryBIOFactory(context, False, factory, reactor)
        )
        self._reuse_port = reuse_port
        self._listening: Any = None

    def privilegedStartService(self) -> None:
        """Begin to listen, before `twistd` gives up the rights of root.

        Raises:
            SystemExit: that is not possible; the message says why.
        """
        super().privilegedStartService()
        if self._secure:
            self._log.info("Enabling TLS")
        self._log.info("Starting on {address}", address=self._address)
        try:
            listening = listening_socket(self._address, reuse_port=self._reuse_port)
        except OSError as error:
            raise SystemExit(f"cannot listen on {self._address}: {error}") from error
        with listening:  # which the port makes a copy of
            self._listening = self._reactor.adoptStreamPort(
                listening.fileno(), listening.family, self._factory
            )

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
