"""A connection of an HTTP client, which ends without loss when the server stops."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.http_headers import Headers

from notary.server.short_way import Begun, Found
from notary.server.shortcuts import LONGEST_HEAD

CLOSING_TIMEOUT = 5
"""Seconds that the client of an idle connection has to agree that it is closed."""

_HEAD_END = b"\r\n\r\n"


class _Waiting:
    """Stands among a channel's requests for one that goes the short way and is not answered yet."""

    def __init__(self, head: bytes, begun: Begun) -> None:
        self.head = head
        self.begun = begun
        self.lost = False

    def connectionLost(self, reason: Failure) -> None:
        """There is nobody to answer any more."""
        self.lost = True


class NotaryChannel(HTTPChannel):
    """A connection that counts among those of its site, which may ask it to end.

    From then on each answer says ``Connection: close``, and is the last one.

    A request whose head comes alone and at once goes the short way if the site knows it.
    """

    site: Any
    transport: Any
    _draining = False
    _closing = False
    _apart: tuple[tuple[bytes, bytes] | None, Begun | None] = (None, None)
    _comes_from: tuple[str, str] | None = None

    def connectionMade(self) -> None:
        """Count among the open connections."""
        super().connectionMade()
        self.site.connections.add(self)

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        """Count no more."""
        self.site.connections.discard(self)
        super().connectionLost(reason)

    def dataReceived(self, data: bytes) -> None:
        """Take in what the client sends."""
        if not self._is_lone_head(data):
            super().dataReceived(data)
            return
        begun = self.site.short_way.begin(data)
        if begun is None:
            self._go_the_ordinary_way(data)
            return
        self.resetTimeout()
        if begun.line.lesson.waits:
            self._wait(data, begun)
        else:
            self._answer(data, begun, None)

    def _is_lone_head(self, data: bytes) -> bool:
        """Tell whether data is the head of a request and nothing else, and nothing is under way."""
        return (
            not self.requests
            and not self._buffer
            and not self._busyReceiving
            and self.site.short_way is not None
            and len(data) <= LONGEST_HEAD
            and data.startswith(b"GET ")
            and data.find(_HEAD_END) == len(data) - len(_HEAD_END)
            and bool(self.persistent)
            and not (self._draining or self._closing or self._waitingForTransport)
        )

    def _go_the_ordinary_way(self, head: bytes, begun: Begun | None = None) -> None:
        line, _, block = head.partition(b"\r\n")
        self._apart = (line, block), begun
        super().dataReceived(head)
        self._apart = None, None

    def taken_apart(self) -> tuple[tuple[bytes, bytes] | None, Begun | None]:
        """Return the parts of a head that came alone, and what was found out about it before.

        They are the next request's, and only once.
        """
        apart, self._apart = self._apart, (None, None)
        return apart

    def _wait(self, head: bytes, begun: Begun) -> None:
        """Be busy with a request until it is known what the store has for it."""
        waiting = _Waiting(head, begun)
        self.requests.append(waiting)
        self._handlingRequest = True
        self.setRawMode()
        found: Deferred[Found] = self.site.short_way.ask(begun)
        found.addBoth(self._go_on, waiting).addErrback(self._failed)

    def _go_on(self, found: Found | Failure, waiting: _Waiting) -> None:
        self.site.short_way.done_waiting()
        if waiting.lost:
            return
        self.requests.clear()
        self._handlingRequest = False
        self.line_mode = 1
        waited, self._dataBuffer = self._dataBuffer, []
        self.resetTimeout()
        self._answer(waiting.head, waiting.begun, found)
        if waited:
            if not (self._handlingRequest or self._waitingForTransport):
                self._networkProducer.resumeProducing()
            self.dataReceived(b"".join(waited))

    def _failed(self, failure: Failure) -> None:
        self._log.failure("a known request could not be answered", failure)
        self.abort()

    def _answer(self, head: bytes, begun: Begun, found: Found | Failure | None) -> None:
        short_way = self.site.short_way
        body = None if self._draining else short_way.body(begun, found)
        if body is None:
            if found is not None:
                begun.found = lambda: _result(found)
            self._go_the_ordinary_way(head, begun)
            return
        short_way.answer(begun, body, self.transport, self._remote_address(begun.headers.forwarded))

    def _remote_address(self, forwarded: str) -> str:
        if self._comes_from is None or self._comes_from[0] != forwarded:
            address = self.site.remote_address(self.transport.getPeer(), forwarded)
            self._comes_from = forwarded, address
        return self._comes_from[1]

    def pauseProducing(self) -> None:
        """Go on with nothing: the client does not read what it is sent.

        Twisted's own channel would still answer all requests that have come, which may be many.
        """
        self.paused = True
        super().pauseProducing()
        self._networkProducer.pauseProducing()

    def resumeProducing(self) -> None:
        """Go on with what has come."""
        self.paused = False
        super().resumeProducing()
        if self._buffer and not self._busyReceiving:
            self.dataReceived(b"")

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
        if self.requests and isinstance(self.requests[0], _Waiting):
            self.setTimeout(self.timeOut)
        elif self._draining:
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


def _result(found: Found | Failure) -> Found:
    if isinstance(found, Failure):
        found.raiseException()
    return found
