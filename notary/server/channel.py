"""A connection of an HTTP client, which ends without loss when the server stops."""

from __future__ import annotations

from typing import Any

from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.http_headers import Headers

CLOSING_TIMEOUT = 5
"""Seconds that the client of an idle connection has to agree that it is closed."""


class NotaryChannel(HTTPChannel):
    """A connection that counts among those of its site, which may ask it to end.

    From then on each answer says ``Connection: close``, and is the last one.
    """

    site: Any
    transport: Any
    _draining = False
    _closing = False

    def connectionMade(self) -> None:
        """Count among the open connections."""
        super().connectionMade()
        self.site.connections.add(self)

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        """Count no more."""
        self.site.connections.discard(self)
        super().connectionLost(reason)

    def writeHeaders(self, version: bytes, code: bytes, reason: bytes, headers: Headers) -> None:
        """Begin an answer."""
        if self._draining:
            self.persistent = False
            headers.setRawHeaders(b"Connection", [b"close"])
        super().writeHeaders(version, code, reason, headers)

    def loseConnection(self) -> None:
        """End the connection once all is written."""
        self._closing = True
        super().loseConnection()

    def timeoutConnection(self) -> None:
        """End a connection on which nothing happens."""
        if self._draining:
            self.abort()
        else:
            super().timeoutConnection()

    def drain(self) -> None:
        """End with the answer that is under way, or else the next one."""
        self._draining = True

    def close_if_idle(self) -> None:
        """End if no request has begun."""
        if self.requests or self._closing:
            return
        self.loseConnection()
        if not self._waitingForTransport:  # for what an answer still has to send
            self.setTimeout(CLOSING_TIMEOUT)

    def abort(self) -> None:
        """End at once."""
        self.transport.abortConnection()
