"""A door for those who watch over a daemon, where there is no other HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import ServerFactory
from twisted.logger import Logger
from twisted.protocols.policies import ThrottlingFactory
from twisted.python.failure import Failure
from twisted.web import http
from twisted.web.http import INTERNAL_SERVER_ERROR, NOT_ALLOWED, NOT_FOUND
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from notary.observe.pages import Page, Pages

IDLE_TIMEOUT = 30
"""Seconds after which a connection on which nothing happens is closed."""

MAX_CONNECTIONS = 64
"""Connections at a time."""

_WITH_BODY = b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class _Request(Request):
    """A request without a body."""

    channel: Any
    _refused = False

    def gotLength(self, length: int | None) -> None:
        """Take no body: nothing here is for one."""
        super().gotLength(0)
        if length != 0:
            self._refused = True
            self.channel.write(_WITH_BODY)
            self.channel.loseConnection()

    def handleContentChunk(self, data: bytes) -> None:
        """Throw away what comes before the connection is closed."""

    def process(self) -> None:
        """Answer, unless that was done."""
        if not self._refused:
            super().process()

    def render(self, resrc: IResource) -> None:
        """Answer, without telling what software does."""
        self.responseHeaders.removeHeader(b"Server")
        super().render(resrc)


class _Pages(Resource):
    """The pages of a daemon by path; anything else is a 404 without a body."""

    isLeaf = True
    _log = Logger()

    def __init__(self, pages: dict[bytes, Callable[[], Awaitable[Page]]]) -> None:
        super().__init__()
        self._pages = pages

    def render(self, request: Request) -> int | bytes:
        """Answer GET and HEAD, for which Twisted leaves out the body; refuse the rest."""
        if request.method in (b"GET", b"HEAD"):
            return self._show(request)
        request.setResponseCode(NOT_ALLOWED)
        request.setHeader("Allow", "GET, HEAD")
        return b""

    def _show(self, request: Request) -> int | bytes:
        page = self._pages.get(request.path)
        if page is None:
            request.setResponseCode(NOT_FOUND)
            return b""
        gone: list[Failure] = []
        request.notifyFinish().addErrback(gone.append)

        def show(page: Page) -> None:
            request.setResponseCode(page.status)
            request.setHeader("Content-Type", page.content_type)
            request.setHeader("Content-Length", str(len(page.body)))
            request.write(page.body)

        def failed(failure: Failure) -> None:
            self._log.failure("{path} failed", failure, path=request.path.decode(errors="replace"))
            request.setResponseCode(INTERNAL_SERVER_ERROR)

        async def answer() -> None:
            made = await page()
            if not gone:
                show(made)

        done = Deferred.fromCoroutine(answer()).addErrback(failed)
        done.addCallback(lambda _: None if gone else request.finish())
        return NOT_DONE_YET


class _Site(Site):
    noisy = False

    def startFactory(self) -> None:
        """There is no access log."""

    def stopFactory(self) -> None:
        """There is no access log."""

    def log(self, request: http.Request) -> None:
        """Say nothing: this is asked every few seconds."""


class _Limited(ThrottlingFactory):
    noisy = False


def watching_site(name: str, pages: Pages, clock: IReactorTime) -> ServerFactory[Any]:
    """Return what serves a daemon's pages: ``/metrics``, and the rest under ``/_NAME/``.

    Args:
        name: of the daemon, such as ``notary_signer``.
        pages: what is shown.
        clock: tells when connections have been idle for too long.
    """
    resource = _Pages(
        {
            b"/metrics": pages.metrics,
            f"/_{name}/health".encode(): pages.health,
            f"/_{name}/live".encode(): pages.live,
            f"/_{name}/ready".encode(): pages.ready,
        }
    )
    site = _Site(resource, _Request, timeout=IDLE_TIMEOUT, reactor=clock)
    return cast("ServerFactory[Any]", _Limited(site, MAX_CONNECTIONS))
