"""A debug server without sockets, threads or time."""

from __future__ import annotations

from collections.abc import Callable
from http.client import HTTPResponse
from io import BytesIO
from typing import Any, cast

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionLost
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure

from notary.observe.debug.site import DebugSite
from tests.server.harness import Answer

HOST = ("Host", "localhost:8080")


class Threads:
    """A pool whose threads do everything at once."""

    def callInThreadWithCallback(
        self, told: Callable[[bool, Any], None], function: Callable[[], Any]
    ) -> None:
        try:
            told(True, function())
        except Exception:
            told(False, Failure())


class Reactor(MemoryReactorClock):
    """A reactor in memory, with threads."""

    def getThreadPool(self) -> Threads:
        return Threads()

    def callFromThread(self, callable: Callable[..., Any], *args: Any, **kwargs: Any) -> None:
        callable(*args, **kwargs)


class Visitor:
    """A client's connection to a debug server."""

    def __init__(self, site: DebugSite, host: str = "127.0.0.1") -> None:
        self.transport = StringTransport(peerAddress=IPv4Address("TCP", host, 54321))
        self._protocol = site.buildProtocol(self.transport.getPeer())
        self._method = ""
        if self._protocol is not None:
            self._protocol.makeConnection(self.transport)

    @property
    def let_in(self) -> bool:
        return self._protocol is not None

    def request(self, method: str, path: str, *headers: tuple[str, str], body: str = "") -> None:
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
        self._method = method
        self._protocol.dataReceived("\r\n".join([*lines, "", body]).encode())

    def get(self, path: str) -> Answer:
        """Ask for a page that is there at once."""
        self.request("GET", path, HOST)
        return self.answer

    @property
    def answer(self) -> Answer:
        """The answer to the last request."""
        stream = BytesIO(self.transport.value())
        response = HTTPResponse(cast(Any, _Socket(stream)), method=self._method)
        response.begin()
        answer = Answer(response.status, response.headers, response.read())
        assert stream.read() == b""
        self.transport.clear()
        return answer

    @property
    def waits(self) -> bool:
        return not self.transport.value()

    def go_away(self) -> None:
        self._protocol.connectionLost(Failure(ConnectionLost()))


class _Socket:
    def __init__(self, stream: BytesIO) -> None:
        self._stream = stream

    def makefile(self, _mode: str) -> Any:
        return _Unclosed(self._stream)


class _Unclosed:
    def __init__(self, stream: BytesIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def close(self) -> None:
        pass
