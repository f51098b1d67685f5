"""What both ends of the connection between server and signer do: frames, bounds and time-outs.

docs/signer-protocol.rst specifies the protocol.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any

from google.protobuf.message import Message
from twisted.internet.interfaces import IDelayedCall, IHandshakeListener, IReactorTime
from twisted.protocols.basic import Int32StringReceiver
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


class Code(IntEnum):
    """Kinds of errors: the canonical codes of RPC (google.rpc.Code)."""

    INVALID_ARGUMENT = 3
    NOT_FOUND = 5
    RESOURCE_EXHAUSTED = 8
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14


@implementer(IHandshakeListener)
class WireProtocol(Int32StringReceiver, TimeoutMixin):
    """A connection with frames of at most `MAX_FRAME` bytes, which nobody can keep busy for ever.

    Args:
        clock: runs the time-outs.

    Attributes:
        transport: the TLS connection.
    """

    MAX_LENGTH = MAX_FRAME
    transport: Any
    _closing = False

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock

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
        self.transport.write(b"".join(len(frame).to_bytes(4, "big") + frame for frame in frames))

    def close(self) -> None:
        """Take nothing more in, and end the connection once what was sent is on its way."""
        self._closing = self.paused = True
        self.transport.unregisterProducer()
        self.transport.loseConnection()
        self.setTimeout(CLOSING_TIMEOUT)

    def dataReceived(self, data: bytes) -> None:
        """Take frames apart, unless the connection is being closed."""
        if not self._closing:
            super().dataReceived(data)

    def stringReceived(self, string: bytes) -> None:
        """Take a message in. Only a whole one shows that the peer is alive."""
        self.resetTimeout()
        self.message_received(string)

    def lengthLimitExceeded(self, length: int) -> None:
        """Refuse a frame at its first bytes."""
        self.message_too_long(length)

    def timeoutConnection(self) -> None:
        """End the connection at once."""
        self.transport.abortConnection()
