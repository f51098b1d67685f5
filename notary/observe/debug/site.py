"""The HTTP door of the debug server: for programs and people on this machine, not for web pages."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IAddress
from twisted.logger import Logger
from twisted.web.http import FORBIDDEN, NOT_ALLOWED
from twisted.web.resource import IResource
from twisted.web.server import Request, Site

from notary.observe.debug.addresses import is_loopback, names_this_machine

IDLE_TIMEOUT = 60
"""Seconds after which a connection on which nothing happens is closed."""

TEXT = "text/plain; charset=utf-8"

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}
_OWN_SITES = ("same-origin", "none")


class DebugRequest(Request):
    """A request that is refused if a page of another site could have caused it."""

    channel: Any

    def gotLength(self, length: int | None) -> None:
        """Make no room for a body: nothing here has a use for one."""
        super().gotLength(0)

    def handleContentChunk(self, data: bytes) -> None:
        """Throw a part of the body away."""

    def process(self) -> None:
        """Serve the request, or say why not."""
        for name, value in _HEADERS.items():
            self.setHeader(name, value)
        refusal = self._refusal()
        if refusal is None:
            super().process()
        else:
            self.write(say(self, *refusal))
            self.finish()

    def render(self, resrc: IResource) -> None:
        """Answer, without telling what software does."""
        self.responseHeaders.removeHeader(b"Server")
        super().render(resrc)

    def _refusal(self) -> tuple[int, str] | None:
        hosts = self._values("Host")
        if len(hosts) != 1 or not names_this_machine(hosts[0]):
            return FORBIDDEN, "ask for localhost, 127.0.0.1 or [::1]"
        sites = self._values("Sec-Fetch-Site")
        if self._values("Origin") or any(site not in _OWN_SITES for site in sites):
            return FORBIDDEN, "this is not for other web pages"
        if self.method not in (b"GET", b"HEAD"):
            self.setHeader("Allow", "GET, HEAD")
            return NOT_ALLOWED, "there is only GET and HEAD"
        return None

    def _values(self, name: str) -> list[str]:
        return list(self.requestHeaders.getRawHeaders(name, []))


def say(request: Request, status: int, message: str) -> bytes:
    """Return the body of an answer that is one line of text, having set its headers and status."""
    body = f"{message}\n".encode()
    request.setResponseCode(status)
    request.setHeader("Content-Type", TEXT)
    request.setHeader("Content-Length", str(len(body)))
    return body


class DebugSite(Site):
    """Serves the pages of the debug server to this machine.

    Args:
        resource: the pages.
        reactor: tells when connections have been idle for too long.
        address: where it listens, for the log.
    """

    noisy = False
    _log = Logger()

    def __init__(self, resource: IResource, reactor: Any, address: str) -> None:
        super().__init__(
            resource,
            DebugRequest,
            timeout=IDLE_TIMEOUT,
            reactor=reactor,
            parsePOSTFormSubmission=False,
        )
        self._address = address

    def startFactory(self) -> None:
        """Begin to serve."""
        self._log.info("Debug server listening on {address}", address=self._address)

    def stopFactory(self) -> None:
        """Cease to serve."""

    def buildProtocol(self, addr: IAddress | None) -> Any:
        """Let a connection in, if it comes from this machine.

        A kernel with ``route_localnet`` set brings packets of other hosts to loopback addresses.
        """
        peer: Any = addr
        if is_loopback(peer.host):
            return super().buildProtocol(addr)
        self._log.warn("the debug server was asked by {peer}, and hung up", peer=peer.host)
        return None

    def log(self, request: DebugRequest) -> None:  # type: ignore[override]
        """Log an answer."""
        self._log.info(
            "debug server: {method} {uri}: {status}",
            method=request.method.decode(errors="replace"),
            uri=request.uri.decode(errors="replace"),
            status=request.code,
        )
