"""The signer's end of a connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from google.protobuf.message import DecodeError
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionAborted, ConnectionDone
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import ServerFactory, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from notary import request_id
from notary.draining import Connections
from notary.signer.call_log import Caller, log_refused
from notary.signer.calls import Calls, error_response
from notary.signing.signer_pb2 import Request, Response
from notary.signing.wire import ALPN, IDLE_TIMEOUT, MAX_CALLS, MAX_FRAME, Code, WireProtocol
from notary.tls import handshake_error, peer_name

MAX_CONNECTIONS = 128
"""Connections at a time: they bound what half-sent messages can take of memory."""


MAX_CALLS_IN_A_TURN = 2 * MAX_CALLS
"""Calls of one connection that may be done in one turn of the reactor, or a few."""


class SignerProtocol(WireProtocol):
    """Takes calls from one peer and answers them in whatever order they are done.

    Answers to what came together are sent together. So that nobody can keep the reactor busy, calls
    that are done count until its next turn, in which they are forgotten if there are many.

    Args:
        calls: answers them.
        clock: runs the time-outs.
    """

    factory: SignerFactory
    _log = Logger()
    _peer: Caller | None = None
    _refused = False
    _draining = False
    _under_way = 0
    _done = 0

    def __init__(self, calls: Calls, clock: IReactorTime) -> None:
        super().__init__(clock)
        self._calls = calls

    def connectionMade(self) -> None:
        """Count among the connections, unless there are too many."""
        if len(self.factory.connections) >= MAX_CONNECTIONS:
            # Not in buildProtocol: what wraps the protocol for TLS does not take None.
            self._log.error(
                "refused {peer}: {number} connections are open, which is the most there may be",
                peer=self._address,
                number=MAX_CONNECTIONS,
            )
            self._refused = True
            self.factory.refused["connections"] += 1
            self.transport.abortConnection()
            return
        super().connectionMade()
        self.factory.connections.add(self)

    def established(self) -> None:
        """Begin to take calls, and to stop reading while answers are not read."""
        self.setTimeout(IDLE_TIMEOUT)
        self._peer = Caller(peer_name(self.transport), self._address)
        self._log.info("connected: {peer}", peer=self._peer)
        self.transport.registerProducer(self, True)

    def not_understood(self, negotiated: bytes | None) -> None:
        """Refuse a peer that speaks another protocol."""
        self._log.warn(
            "refused {peer}: it does not ask for the protocol {protocol} (ALPN); a Go "
            "notary-server needs the Go notary-signer",
            peer=self._address,
            protocol=ALPN.decode(),
        )
        self._refused = True
        self.factory.refused["protocol"] += 1
        self.transport.abortConnection()

    def message_received(self, data: bytes) -> None:
        """Begin to answer a call, unless the daemon stops: its peer makes the call again."""
        if self._draining:
            return
        try:
            request = Request.FromString(data)
        except DecodeError:
            self._refuse(Code.INVALID_ARGUMENT, "this is no message of the protocol")
            return
        given = request.request_id
        with request_id.serving(given if request_id.is_sane(given) else ""):
            self._begin(request, cast(Caller, self._peer))

    def _begin(self, request: Request, peer: Caller) -> None:
        if self._under_way >= MAX_CALLS or self._done >= MAX_CALLS_IN_A_TURN:
            message = f"more than {MAX_CALLS} calls are under way on this connection"
            log_refused(request, peer, 0.0, Code.RESOURCE_EXHAUSTED, message)
            self.send(error_response(request.id, Code.RESOURCE_EXHAUSTED, message))
            return
        self._under_way += 1
        work = Deferred.fromCoroutine(self._calls.answer(request, peer))
        work.addCallback(self._finish)

    def message_too_long(self, length: int) -> None:
        """Refuse a message that would take too much memory."""
        message = f"a message of {length} bytes is announced, {MAX_FRAME} are allowed"
        self._refuse(Code.RESOURCE_EXHAUSTED, message)

    def _refuse(self, code: Code, message: str) -> None:
        """Answer what nothing sensible can follow."""
        self._log.warn("refused {peer}: {reason}", peer=self._peer, reason=message)
        self.send(error_response(0, code, message))
        self.close()

    def _finish(self, response: Response) -> None:
        self._under_way -= 1
        self._done += 1
        if self._done == MAX_CALLS:
            self._clock.callLater(0, self._forget_done)
        self.send(response)
        if self._draining:
            self.close_if_idle()

    def _forget_done(self) -> None:
        self._done = 0

    def drain(self) -> None:
        """Take no more calls, and end the connection once those under way are answered."""
        self._draining = True
        if self._peer is None:
            self.abort()
        else:
            self.close_if_idle()

    def close_if_idle(self) -> None:
        """End the connection if no call is under way."""
        if not self._under_way and not self._closing:
            self.close()

    def abort(self) -> None:
        """End the connection at once."""
        self._refused = self._peer is None
        self.transport.abortConnection()

    @property
    def _address(self) -> str:
        peer = self.transport.getPeer()
        return f"{peer.host}:{peer.port}"

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell why a peer was not let in."""
        self.setTimeout(None)
        self.factory.connections.discard(self)
        if self._peer is not None:
            self._log.info("disconnected: {peer}", peer=self._peer)
        elif not self._refused and not reason.check(ConnectionDone, ConnectionAborted):
            self.factory.refused["handshake"] += 1
            self._log.warn(
                "refused {peer}: {reason}",
                peer=self._address,
                reason=handshake_error(self.transport, reason),
            )


if TYPE_CHECKING:
    _Factory = ServerFactory["SignerProtocol"]
else:
    _Factory = ServerFactory  # which takes no parameter before Twisted 26


class SignerFactory(_Factory):
    """Serves the peers that connect.

    Args:
        calls: answers what they ask.
        clock: runs the time-outs.

    Attributes:
        connections: those that are open.
        refused: how many were refused, by what was wrong: too many ``connections``, another
            ``protocol``, a ``handshake`` that failed.
    """

    noisy = False

    def __init__(self, calls: Calls, clock: IReactorTime) -> None:
        self._calls = calls
        self._clock = clock
        self.connections = Connections(clock)
        self.refused = dict.fromkeys(("connections", "protocol", "handshake"), 0)

    def buildProtocol(self, addr: IAddress | None) -> SignerProtocol:
        """Serve one more connection."""
        protocol = SignerProtocol(self._calls, self._clock)
        protocol.factory = self
        return protocol
