"""Where a daemon listens."""

from __future__ import annotations

import errno
import socket
from typing import Any, cast

from twisted.application.service import Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import ServerFactory
from twisted.logger import Logger

_NO_IPV6 = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)


class Door(Service):
    """Listens on an address for as long as the service runs.

    Args:
        reactor: does the listening.
        host: an IP address or host name; empty for every interface, IPv6 and IPv4.
        port: the TCP port.
        factory: serves the connections.
        context: the TLS settings from `notary.tls.server_context`, None for plain text.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        host: str,
        port: int,
        factory: ServerFactory[Any],
        context: Any,
    ) -> None:
        self._reactor = reactor
        self._host = host
        self._port = port
        self._factory = factory
        self._context = context
        self._listening: IListeningPort | None = None

    def privilegedStartService(self) -> None:
        """Begin to listen, before `twistd` gives up the rights of root.

        Raises:
            SystemExit: that is not possible; the message says why.
        """
        super().privilegedStartService()
        if self._context is not None:
            self._log.info("Enabling TLS")
        host = f"[{self._host}]" if ":" in self._host else self._host
        address = f"{host}:{self._port}"
        self._log.info("Starting on {address}", address=address)
        try:
            self._listening = self._listen_on_any() if not self._host else self._listen_on_host()
        except (CannotListenError, OSError) as error:
            reason = getattr(error, "socketError", error)
            raise SystemExit(f"cannot listen on {address}: {reason}") from error

    def startService(self) -> None:
        """Begin to listen, unless that was done before."""
        super().startService()
        if self._listening is None:
            self.privilegedStartService()

    def _listen_on_any(self) -> IListeningPort:
        try:
            return self._listen("::")
        except CannotListenError as error:
            if error.socketError.errno not in _NO_IPV6:
                raise
            return self._listen("0.0.0.0")  # noqa: S104 - that is what an empty host means

    def _listen_on_host(self) -> IListeningPort:
        found = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        addresses = sorted(found, key=lambda info: info[0] != socket.AF_INET)
        return self._listen(str(addresses[0][4][0]))

    def _listen(self, interface: str) -> IListeningPort:
        if self._context is None:
            port = self._reactor.listenTCP(self._port, self._factory, interface=interface)
        else:
            port = self._reactor.listenSSL(
                self._port, self._factory, self._context, interface=interface
            )
        return cast(IListeningPort, port)

    def stopService(self) -> Deferred[None]:
        """Cease to listen.

        Returns:
            A Deferred that fires with None when the port is closed.
        """
        super().stopService()
        if self._listening is None:
            return maybeDeferred(lambda: None)
        return maybeDeferred(self._listening.stopListening).addCallback(lambda _: None)
