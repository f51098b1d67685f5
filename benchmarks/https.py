"""An HTTPS client that takes little time itself, so that it loads servers and not its machine."""

from __future__ import annotations

import socket
import ssl

import attrs

SECONDS = 30
"""How long an answer may take."""

_AT_ONCE = 65536


class WrongAnswerError(Exception):
    """A server did not answer as it should."""


@attrs.frozen
class Answer:
    """What a server answered.

    Attributes:
        status: the HTTP status.
        body: the bytes.
    """

    status: int
    body: bytes


@attrs.frozen
class Expected:
    """A request and what has to be the answer.

    Attributes:
        path: what is asked for.
        status: the HTTP status.
        body: the bytes, None if they may be any.
    """

    path: str
    status: int = 200
    body: bytes | None = None

    def check(self, answer: Answer) -> None:
        """Compare an answer.

        Raises:
            WrongAnswerError: it is another one.
        """
        if answer.status != self.status:
            raise WrongAnswerError(f"{self.path}: status {answer.status}: {answer.body[:200]!r}")
        if self.body is not None and answer.body != self.body:
            raise WrongAnswerError(f"{self.path}: another body: {answer.body[:200]!r}")


def client_context() -> ssl.SSLContext:
    """Settings of clients that verify nothing, which is none of the server's work."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def get(path: str) -> bytes:
    """Write a request for a path."""
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def post(path: str, content_type: str, body: bytes) -> bytes:
    """Write a request that uploads something."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


class Connection:
    """A connection to a port of ``localhost``, kept for one request after the other.

    Args:
        port: the server's.
        context: the settings.
        session: to be resumed.

    Attributes:
        tls: the socket.
    """

    def __init__(
        self, port: int, context: ssl.SSLContext, session: ssl.SSLSession | None = None
    ) -> None:
        plain = socket.create_connection(("127.0.0.1", port), SECONDS)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.tls = context.wrap_socket(plain, server_hostname="localhost", session=session)
        self._received = b""

    def close(self) -> None:
        """End the connection."""
        self.tls.close()

    def ask(self, request: bytes) -> Answer:
        """Send a request and return what is answered.

        Raises:
            OSError: the connection was lost.
            WrongAnswerError: the answer is not HTTP.
        """
        self.tls.sendall(request)
        head = self._until(b"\r\n\r\n").lower()
        status = int(head[9:12])
        length = head.partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0]
        if length:
            return Answer(status, self._take(int(length)))
        if b"\r\ntransfer-encoding: chunked" in head:
            return Answer(status, b"".join(iter(self._chunk, b"")))
        raise WrongAnswerError(f"an answer without a length: {head!r}")

    def _chunk(self) -> bytes:
        size = int(self._until(b"\r\n"), 16)
        return self._take(size + 2)[:size]

    def _until(self, end: bytes) -> bytes:
        """Take everything up to this out of what comes."""
        while (place := self._received.find(end)) < 0:
            self._receive()
        return self._take(place + len(end))

    def _take(self, size: int) -> bytes:
        if len(self._received) < size:
            parts = [self._received]
            missing = size - len(self._received)
            while missing > 0:
                self._received = b""
                self._receive()
                parts.append(self._received)
                missing -= len(self._received)
            self._received = b"".join(parts)
        taken, self._received = self._received[:size], self._received[size:]
        return taken

    def _receive(self) -> None:
        more = self.tls.recv(_AT_ONCE)
        if not more:
            raise ConnectionError("the server ended the connection")
        self._received += more
