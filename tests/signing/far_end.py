"""A connection to a signer whose other end is in the hands of a test."""

from __future__ import annotations

from collections.abc import Sequence

from google.protobuf.message import Message
from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from notary.signing.client import SignerConnection
from notary.signing.signer_pb2 import KeyID, Request, Response
from notary.signing.wire import ALPN


class TLSTransport(StringTransport):
    """A TLS connection as far as a protocol sees it."""

    negotiatedProtocol: bytes | None = ALPN

    def setTcpNoDelay(self, enabled: bool) -> None:
        pass

    def setTcpKeepAlive(self, enabled: bool) -> None:
        pass

    def getHandle(self) -> SSL.Connection:
        return SSL.Connection(SSL.Context(SSL.TLS_METHOD))


class End:
    """A connection, whose other end is in the hands of a test.

    Attributes:
        clock: its time.
        connection: what is tested.
        lost: why it ended, as often as it said so.
    """

    def __init__(self) -> None:
        self.clock = Clock()
        self.transport = TLSTransport()
        self.connection = SignerConnection(self.clock)
        self.lost: list[str] = []
        self.connection.lost.addCallback(self.lost.append)
        self.connection.makeConnection(self.transport)

    def shake_hands(self, negotiated: bytes | None = ALPN) -> None:
        self.transport.negotiatedProtocol = negotiated
        self.connection.handshakeCompleted()

    def become_usable(self) -> None:
        self.shake_hands()
        (ping,) = self.requests()
        self.answer(ping.id)

    def requests(self) -> list[Request]:
        """What was sent since the last time."""
        data = self.transport.value()
        self.transport.clear()
        requests = []
        while data:
            end = 4 + int.from_bytes(data[:4], "big")
            requests.append(Request.FromString(data[4:end]))
            data = data[end:]
        return requests

    def send(self, *messages: Message | bytes) -> None:
        raw = [
            message.SerializeToString() if isinstance(message, Message) else message
            for message in messages
        ]
        frames = b"".join(len(each).to_bytes(4, "big") + each for each in raw)
        self.connection.dataReceived(frames)

    def answer(self, *call_ids: int) -> None:
        self.send(*(Response(id=call_id) for call_id in call_ids))

    def call(self, key_id: str = "") -> Deferred[Response]:
        return self.connection.call(lambda request: request.delete_key.MergeFrom(KeyID(ID=key_id)))

    def calls(self, number: int) -> tuple[Sequence[Deferred[Response]], Sequence[int]]:
        """Make calls, and tell under which IDs they were sent."""
        waiting = [self.call() for _ in range(number)]
        return waiting, [request.id for request in self.requests()]

    @property
    def dropped(self) -> bool:
        return self.transport.disconnected

    def lose(self, reason: Exception | None = None) -> None:
        """End the connection; without a reason, by what it has done itself."""
        assert self.dropped is (reason is None)
        self.connection.connectionLost(Failure(reason or ConnectionAborted()))
