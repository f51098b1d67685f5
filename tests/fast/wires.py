"""Both ends of a TLS connection without a socket: a client, and what uvloop would be."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

import attrs
from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from notary.fast.connection import Connection
from notary.fast.openssl import OpenSSLRecords
from notary.fast.records import Records

PEER = IPv4Address("TCP", "192.0.2.7", 40112)
HOST = IPv4Address("TCP", "192.0.2.1", 4443)

MakeRecords = Callable[[], Records | OpenSSLRecords]
"""Begins TLS for a connection."""


@attrs.frozen
class Timer:
    """What a loop gives for a call that it is going to make."""

    call: IDelayedCall

    def cancel(self) -> None:
        if self.call.active():
            self.call.cancel()


@attrs.frozen
class Loop:
    """As much of an event loop as a connection needs, with a clock that is set by hand."""

    clock: Clock = attrs.Factory(Clock)

    def call_later(self, seconds: float, function: Callable[..., object], *args: Any) -> Timer:
        return Timer(self.clock.callLater(seconds, function, *args))

    def call_soon(self, function: Callable[..., object], *args: Any) -> Timer:
        return self.call_later(0, function, *args)


@attrs.define(eq=False)
class Socket:
    """uvloop's side of a connection, for a client that reads when it is told to.

    Attributes:
        sent: what was written and not taken yet.
        writes: how often that was done.
        reading: whether anything is read.
        end: how it was closed.
    """

    connection: Any = None
    sent: bytes = b""
    writes: int = 0
    reading: bool = True
    end: str = ""
    _high: int = 0
    _full: bool = False

    def set_write_buffer_limits(self, high: int, low: int) -> None:
        assert low == 0
        self._high = high

    def get_write_buffer_size(self) -> int:
        return len(self.sent)

    def write(self, data: bytes) -> None:
        assert not self.end
        self.sent += data
        self.writes += 1
        if len(self.sent) > self._high and not self._full:
            self._full = True
            self.connection.pause_writing()

    def take(self, size: int | None = None) -> bytes:
        """Have some of what was written sent, all of it by default."""
        taken, self.sent = self.sent[:size], self.sent[len(self.sent[:size]) :]
        if self._full and not self.sent:
            self._full = False
            self.connection.resume_writing()
        return taken

    def is_closing(self) -> bool:
        return bool(self.end)

    def close(self) -> None:
        self.end = "closed"

    def abort(self) -> None:
        self.end = "aborted"

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


class Recorder(Protocol):
    """Keeps what it gets.

    Attributes:
        received: the data.
        reasons: why it ended.
        on_data: what to do with data besides.
        greeting: what to write at once.
    """

    transport: Any
    greeting = b""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.reasons: list[BaseException] = []
        self.on_data: Callable[[bytes], object] = len

    def connectionMade(self) -> None:
        if self.greeting:
            self.transport.write(self.greeting)

    def dataReceived(self, data: bytes) -> None:
        self.received.append(data)
        self.on_data(data)

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        self.reasons.append(cast(BaseException, reason.value))


class Wire:
    """A connection, and a client at the other end.

    Attributes:
        loop: has the time.
        socket: what is in between.
        protocol: what the server speaks.
        connection: what is tested.
        tls: the client's end.
    """

    def __init__(
        self,
        make_records: MakeRecords,
        client: ssl.SSLContext,
        protocol: Recorder | None = None,
    ) -> None:
        self.loop = Loop()
        self.socket = Socket()
        self.protocol = protocol or Recorder()
        loop = cast(Any, self.loop)
        self.connection = Connection(make_records(), self.protocol, PEER, HOST, loop)
        self.socket.connection = self.connection
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = client.wrap_bio(self._incoming, self._outgoing, server_hostname="localhost")
        self.connection.connection_made(self.socket)

    def shake_hands(self) -> None:
        """Do the handshake."""
        for _ in range(4):
            with suppress(ssl.SSLWantReadError):
                self.tls.do_handshake()
            self.pass_on()
            self.take()

    def say(self, *pieces: bytes) -> None:
        """Have the client send pieces of data, which arrive together."""
        for piece in pieces:
            self.tls.write(piece)
        self.pass_on()

    def pass_on(self) -> None:
        """Give the server what the client has sent."""
        self.arrive(self._outgoing.read())

    def arrive(self, data: bytes) -> None:
        """Give the server any bytes, as uvloop does."""
        while data and not self.socket.end:
            buffer = self.connection.get_buffer(-1)
            size = min(len(buffer), len(data))
            buffer[:size] = data[:size]
            data = data[size:]
            self.connection.buffer_updated(size)

    def take(self) -> None:
        """Have all that the server has sent arrive at the client."""
        self._incoming.write(self.socket.take())

    def heard(self) -> bytes:
        """What the client gets to read."""
        self.take()
        data = b""
        with suppress(ssl.SSLWantReadError):
            while piece := self.tls.read(1024 * 1024):
                data += piece
        return data

    def close(self) -> None:
        """Have the client read what there is, and say that it sends nothing more."""
        self.heard()
        with suppress(ssl.SSLWantReadError):
            self.tls.unwrap()
        self.pass_on()

    def end(self, error: Exception | None = None) -> BaseException:
        """Have the socket closed, and return why the protocol thinks that is."""
        assert not self.protocol.reasons
        self.connection.connection_lost(error)
        (reason,) = self.protocol.reasons
        assert self.loop.clock.getDelayedCalls() == []
        return reason
