"""The HTTP door: bounded bodies, and one log line and one count for every answer."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_to_bytes

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import IResource
from twisted.web.server import Request, Site

from notary import request_id
from notary.draining import Connections
from notary.observe.logs import tell
from notary.observe.metrics import RequestMetrics
from notary.server.access.interfaces import Scope
from notary.server.answers import JSON, render_error
from notary.server.channel import NotaryChannel
from notary.server.errors import INVALID_GUN, UPLOAD_TOO_LARGE, APIError
from notary.server.headers import header
from notary.server.lessons import Lesson
from notary.server.remote import Networks, remote_address
from notary.server.request_log import COMPLETED, request_fields
from notary.server.short_way import Found, ShortWay

IDLE_TIMEOUT = 60
"""Seconds after which a connection on which nothing happens is closed."""

NO_OPERATION = "NotFound"

_ORIGIN = re.compile(rb"\Ahttps?://[^/]*/?", re.IGNORECASE)
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_ABORT_RESPONSE = (
    b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\n"
    b"Content-Type: %b\r\nContent-Length: %d\r\nX-Request-ID: %b\r\n\r\n%b"
)


class NotaryRequest(Request):
    """A request whose body is bounded, and which knows what it was for.

    A body that is too large is read to its end and thrown away, so that the client gets to see
    why; but nobody has to read one that is more than twice too large. The body of whoever may do
    nothing with it is thrown away too.

    Attributes:
        operation: what was asked for, for logs and metrics.
        gun: the collection it is about, if any.
        user: whose access token came with it, if any.
        request_id: tells it from all others: what the client chose, if that is sane.
        started: when its headers were complete, in the reactor's seconds.
        received: bytes of its body.
        scope: what whoever makes it needs; None if anybody may.
        found: returns what the store has for it, or raises what is wrong, if the store was asked
            already.
        lesson: what the answer depends on, None if nobody knows.
        reason: what the log says of a refusal.
        raw: its first line and the rest of its head, if they came alone and at once.
    """

    channel: Any
    operation = NO_OPERATION
    gun: str | None = None
    user: str | None = None  # type: ignore[assignment]  # Twisted keeps that of Basic here
    request_id = ""
    started = 0.0
    received = 0
    scope: Scope | None = None
    found: Callable[[], Found] | None = None
    lesson: Lesson | None = None
    reason = ""
    raw: tuple[bytes, bytes] | None = None
    _too_large = False
    _unwanted = False
    _aborted = False

    def gotLength(self, length: int | None) -> None:
        """Make room for the body, if it does not say itself that it is too large."""
        self.raw, begun = self.channel.taken_apart()
        if begun is None:
            self.started = self.channel.site.clock.seconds()
            given = header(self, b"X-Request-ID")
            self.request_id = given if request_id.is_sane(given) else request_id.new()
        else:
            self.started, self.request_id = begun.started, begun.request_id
            self.found = begun.found
        self.setHeader(b"X-Request-ID", self.request_id.encode())
        self._too_large = length is not None and length > self.channel.site.max_body
        self._unwanted = length != 0 and not self.channel.site.wants_body(self)
        super().gotLength(0 if self._too_large or self._unwanted else length)
        if length is not None and length > 2 * self.channel.site.max_body:
            self._abort()

    def handleContentChunk(self, data: bytes) -> None:
        """Keep a part of the body, unless there is too much of it."""
        self.received += len(data)
        self._too_large = self._too_large or self.received > self.channel.site.max_body
        if not self._too_large:
            if not self._unwanted:
                super().handleContentChunk(data)
        elif self.received > 2 * self.channel.site.max_body and not self._aborted:
            self._abort()

    @property
    def forwarded(self) -> str:
        """Where proxies say that the request comes from."""
        values = self.requestHeaders.getRawHeaders(b"X-Forwarded-For", [])
        return b",".join(values).decode(errors="replace")

    def getRequestHostname(self) -> bytes:
        """Return any name that routing can work with: what clients call us plays no part in it."""
        return b"localhost"

    def process(self) -> None:
        """Serve the request, unless its body is too large or its path is no text.

        As RFC 9112 (3.2.2) asks, the path may stand behind the address of a server.
        """
        if self._aborted:
            return
        with request_id.serving(self.request_id):
            self._process()

    def _process(self) -> None:
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
        self.channel.write(
            _ABORT_RESPONSE % (JSON.encode(), len(error.body), self.request_id.encode(), error.body)
        )
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
        wants_body: whether a request, of which the headers are there, may do anything.
        proxies: the networks of proxies that are believed where a request comes from.
        short_way: answers what was answered before; None to have all go the ordinary way.

    Attributes:
        connections: those that are open.
    """

    noisy = False
    protocol = NotaryChannel  # type: ignore[assignment]
    _log = Logger()

    def __init__(
        self,
        resource: IResource,
        clock: IReactorTime,
        metrics: RequestMetrics,
        max_body: int,
        wants_body: Callable[[Request], bool],
        proxies: Networks = (),
        short_way: ShortWay | None = None,
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
        self.wants_body = wants_body
        self.connections = Connections(clock)
        self._metrics = metrics
        self._proxies = proxies
        self.short_way = short_way

    def startFactory(self) -> None:
        """Begin to serve. There is no access log file: answers are log events."""

    def stopFactory(self) -> None:
        """Cease to serve."""

    def log(self, request: NotaryRequest) -> None:  # type: ignore[override]
        """Log and count an answer."""
        seconds = self.clock.seconds() - request.started
        method = request.method.decode(errors="replace")
        self._metrics.observe(
            request.operation, method, request.code, seconds, request.received, request.sentLength
        )
        peer: Any = request.getClientAddress()
        comes_from = self.remote_address(peer, request.forwarded if self._proxies else "")
        fields = request_fields(request, seconds, comes_from)
        tell(self._log, COMPLETED, **fields)
        if self.short_way is not None and request.raw is not None and request.lesson is not None:
            self.short_way.shortcuts.learn(*request.raw, request, fields)

    def remote_address(self, peer: Any, forwarded: str) -> str:
        """Return where a request comes from, given who is connected and what proxies say."""
        return remote_address(peer.host, peer.port, forwarded, self._proxies)
