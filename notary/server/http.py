"""The HTTP door: bounded bodies, and one log line and one count for every answer."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote_to_bytes

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import IResource
from twisted.web.server import Request, Site

from notary.draining import Connections
from notary.observe.metrics import RequestMetrics
from notary.server.answers import JSON, render_error
from notary.server.channel import NotaryChannel
from notary.server.errors import INVALID_GUN, UPLOAD_TOO_LARGE, APIError
from notary.server.headers import header

IDLE_TIMEOUT = 60
"""Seconds after which a connection on which nothing happens is closed."""

NO_OPERATION = "NotFound"

_ORIGIN = re.compile(rb"\Ahttps?://[^/]*/?", re.IGNORECASE)
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_IPV4_MAPPED = "::ffff:"
_ABORT_RESPONSE = (
    b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\n"
    b"Content-Type: %b\r\nContent-Length: %d\r\n\r\n%b"
)


class NotaryRequest(Request):
    """A request whose body is bounded, and which knows what it was for.

    A body that is too large is read to its end and thrown away, so that the client gets to see
    why; but nobody has to read one that is more than twice too large.

    Attributes:
        operation: what was asked for, for logs and metrics.
        gun: the collection it is about, if any.
        started: when its headers were complete, in the reactor's seconds.
        received: bytes of its body.
    """

    channel: Any
    operation = NO_OPERATION
    gun: str | None = None
    started = 0.0
    received = 0
    _too_large = False
    _aborted = False

    def gotLength(self, length: int | None) -> None:
        """Make room for the body, if it does not say itself that it is too large."""
        self.started = self.channel.site.clock.seconds()
        self._too_large = length is not None and length > self.channel.site.max_body
        super().gotLength(0 if self._too_large else length)
        if length is not None and length > 2 * self.channel.site.max_body:
            self._abort()

    def handleContentChunk(self, data: bytes) -> None:
        """Keep a part of the body, unless there is too much of it."""
        self.received += len(data)
        self._too_large = self._too_large or self.received > self.channel.site.max_body
        if not self._too_large:
            super().handleContentChunk(data)
        elif self.received > 2 * self.channel.site.max_body and not self._aborted:
            self._abort()

    def getRequestHostname(self) -> bytes:
        """Return any name that routing can work with: what clients call us plays no part in it."""
        return b"localhost"

    def process(self) -> None:
        """Serve the request, unless its body is too large or its path is no text.

        As RFC 9112 (3.2.2) asks, the path may stand behind the address of a server.
        """
        if self._aborted:
            return
        self.path = _ORIGIN.sub(b"/", self.path)
        if self._too_large:
            self._refuse(self._size_error())
        elif _is_text(self.path):
            super().process()
        else:
            self._refuse(APIError(INVALID_GUN, "the path is not UTF-8 in percent encoding"))

    def render(self, resrc: IResource) -> None:
        """Answer, without telling what software does."""
        self.responseHeaders.removeHeader(b"Server")
        super().render(resrc)

    def _size_error(self) -> APIError:
        return APIError(UPLOAD_TOO_LARGE, f"the limit is {self.channel.site.max_body} bytes")

    def _refuse(self, error: APIError) -> None:
        self.write(render_error(self, error))
        self.finish()

    def _abort(self) -> None:
        self._aborted = True
        error = self._size_error()
        self.channel.write(_ABORT_RESPONSE % (JSON.encode(), len(error.body), error.body))
        self.code, self.sentLength = error.code.status, len(error.body)
        self.channel.site.log(self)
        self.channel.loseConnection()

    def connectionLost(self, reason: Failure) -> None:
        """Leave the body open for what still reads it: a publish that has begun goes on."""
        self.content = None
        super().connectionLost(reason)


def _is_text(path: bytes) -> bool:
    try:
        unquote_to_bytes(path).decode()
    except UnicodeDecodeError:
        return False
    return _BAD_ESCAPE.search(path) is None


class NotarySite(Site):
    """Serves the API to connections, and logs and counts what it answers.

    Args:
        resource: the API.
        clock: tells how long answers take, and when connections have been idle for too long.
        metrics: where answers are counted.
        max_body: bytes of a request's body at the most.

    Attributes:
        connections: those that are open.
    """

    noisy = False
    protocol = NotaryChannel  # type: ignore[assignment]
    _log = Logger()

    def __init__(
        self, resource: IResource, clock: IReactorTime, metrics: RequestMetrics, max_body: int
    ) -> None:
        super().__init__(
            resource,
            NotaryRequest,
            timeout=IDLE_TIMEOUT,
            reactor=clock,
            parsePOSTFormSubmission=False,
        )
        self.clock = clock
        self.max_body = max_body
        self.connections = Connections(clock)
        self._metrics = metrics

    def startFactory(self) -> None:
        """Begin to serve. There is no access log file: answers are log events."""

    def stopFactory(self) -> None:
        """Cease to serve."""

    def log(self, request: NotaryRequest) -> None:  # type: ignore[override]
        """Log and count an answer."""
        seconds = self.clock.seconds() - request.started
        method, uri, agent, peer = describe(request)
        self._metrics.observe(
            request.operation, method, request.code, seconds, request.received, request.sentLength
        )
        self._log.info(
            "response completed",
            **{
                "http.request.method": method,
                "http.request.uri": uri,
                "http.request.remoteaddr": peer,
                "http.request.useragent": agent,
                "http.response.duration": f"{seconds * 1000:.3f}ms",
                "http.response.status": request.code,
                "http.response.written": request.sentLength,
                **({} if request.gun is None else {"gun": request.gun}),
            },
        )


def describe(request: NotaryRequest) -> tuple[str, str, str, str]:
    """Return a request's method, URI, user agent and remote address as text."""
    peer: Any = request.getClientAddress()
    host = str(peer.host).removeprefix(_IPV4_MAPPED)
    return (
        request.method.decode(errors="replace"),
        request.uri.decode(errors="replace"),
        header(request, b"User-Agent"),
        f"{host}:{peer.port}",
    )
