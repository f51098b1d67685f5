"""What both ends of the connection between server and signer do: frames, bounds and time-outs.

docs/signer-protocol.rst specifies the protocol.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any

from google.protobuf.message import Message
from twisted.internet.interfaces import (
    IDelayedCall,
    IHandshakeListener,
    IPushProducer,
    IReactorTime,
)
from twisted.internet.protocol import Protocol
from twisted.protocols.policies import TimeoutMixin
from zope.interface import implementer

ALPN = b"notary-signer/1"
"""What both ends have to agree on during the TLS handshake (RFC 7301)."""

MAX_FRAME = 8 * 1024 * 1024
"""Bytes of a message at the most: a snapshot that names 30,000 delegations."""

MAX_CALLS = 128
"""Calls that one connection may have under way."""

HANDSHAKE_TIMEOUT = 10
"""Seconds until the TLS handshake has to be done."""

IDLE_TIMEOUT = 180
"""Seconds after which the signer closes a connection without a whole message."""

KEEPALIVE = 60
"""Seconds of silence after which the server asks the signer for its health."""

CLOSING_TIMEOUT = 5
"""Seconds that a closing connection has for what is still to be sent."""

_PREFIX_SIZE = 4


class Code(IntEnum):
    """Kinds of errors: the canonical codes of RPC (google.rpc.Code)."""

    INVALID_ARGUMENT = 3
    NOT_FOUND = 5
    RESOURCE_EXHAUSTED = 8
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14


@implementer(IHandshakeListener, IPushProducer)
class WireProtocol(Protocol, TimeoutMixin):
    """A connection with frames of at most `MAX_FRAME` bytes, which nobody can keep busy for ever.

    It does not use Twisted's `Int32StringReceiver`, which copies all that it has of a frame
    whenever some more of it comes.

    Args:
        clock: runs the time-outs.

    Attributes:
        transport: the TLS connection.
    """

    transport: Any
    _closing = False
    _paused = False

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._unread = bytearray()
        self._read = 0

    def callLater(self, period: float, function: Callable[[], object]) -> IDelayedCall:
        """Run the time-outs of the mixin."""
        return self._clock.callLater(period, function)

    def connectionMade(self) -> None:
        """Begin to wait for the end of the handshake."""
        self.transport.setTcpNoDelay(True)
        self.transport.setTcpKeepAlive(True)
        self.setTimeout(HANDSHAKE_TIMEOUT)

    def handshakeCompleted(self) -> None:
        """Go on if both ends speak the same protocol."""
        negotiated = self.transport.negotiatedProtocol
        if negotiated == ALPN:
            self.established()
        else:
            self.not_understood(negotiated)

    def established(self) -> None:
        """Messages can be sent from now on."""
        raise NotImplementedError

    def not_understood(self, negotiated: bytes | None) -> None:
        """The peer speaks another protocol, or none that it names."""
        raise NotImplementedError

    def message_received(self, data: bytes) -> None:
        """The peer sent a whole message."""
        raise NotImplementedError

    def message_too_long(self, length: int) -> None:
        """The peer announced more than `MAX_FRAME` bytes."""
        raise NotImplementedError

    def send(self, *messages: Message) -> None:
        """Send messages."""
        frames = (message.SerializeToString() for message in messages)
        self.transport.write(
            b"".join(len(frame).to_bytes(_PREFIX_SIZE, "big") + frame for frame in frames)
        )

    def close(self) -> None:
        """Take nothing more in, and end the connection once what was sent is on its way."""
        self._closing = True
        self.transport.unregisterProducer()
        self.transport.loseConnection()
        self.setTimeout(CLOSING_TIMEOUT)

    def dataReceived(self, data: bytes) -> None:
        """Take in what came, unless the connection is being closed."""
        if not self._closing:
            self._unread += data
            self._take_messages()

    def _take_messages(self) -> None:
        while not self._paused and not self._closing:
            begin = self._read + _PREFIX_SIZE
            if len(self._unread) < begin:
                break
            length = int.from_bytes(self._unread[self._read : begin], "big")
            if length > MAX_FRAME:
                self.message_too_long(length)
                break
            if len(self._unread) < begin + length:
                break
            self._read = begin + length
            self.resetTimeout()  # only a whole message shows that the peer is alive
            self.message_received(bytes(self._unread[begin : self._read]))
        del self._unread[: self._read]
        self._read = 0

    def pauseProducing(self) -> None:
        """Read no more, since what was sent is not read either."""
        self._paused = True
        self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """Go on reading."""
        self._paused = False
        self.transport.resumeProducing()
        self._take_messages()

    def stopProducing(self) -> None:
        """Nothing can be sent any more: the connection is lost, as `connectionLost` is told."""

    def timeoutConnection(self) -> None:
        """End the connection at once."""
        self.transport.abortConnection()
