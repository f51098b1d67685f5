"""The server's end of a connection to the signer."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

from google.protobuf.message import DecodeError
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import connectionDone
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure

from notary import request_id
from notary.signing.signer_pb2 import Request, Response
from notary.signing.wire import ALPN, KEEPALIVE, WireProtocol
from notary.tls import handshake_error

PING_TIMEOUT = 10
"""Seconds that a signer has to answer what asks for nothing."""


class CallLostError(Exception):
    """A connection ended before a call was answered; it may have been carried out."""


class SignerConnection(WireProtocol):
    """Makes calls, any number at a time.

    Args:
        clock: runs the time-outs.

    Attributes:
        usable: fires with this connection once the signer has answered on it, or fails with
            `CallLostError`, which says why.
        lost: fires with the reason, a string, when the connection is over.
    """

    def __init__(self, clock: IReactorTime) -> None:
        super().__init__(clock)
        self.usable: Deferred[SignerConnection] = Deferred(lambda _: self._drop("given up"))
        self.lost: Deferred[str] = Deferred()
        self._trouble = ""
        self._ids = count(1)
        self._waiting: dict[int, Deferred[Response]] = {}
        self._received = self._received_before = 0
        self._keepalive = LoopingCall(self._ping_if_silent)
        self._keepalive.clock = clock

    @property
    def under_way(self) -> int:
        """How many calls wait for their answers."""
        return len(self._waiting)

    def call(self, fill_in: Callable[[Request], object]) -> Deferred[Response]:
        """Make a call.

        If the Deferred is cancelled and nothing at all has come since the call was made, the
        connection is taken for dead.

        Args:
            fill_in: puts the call into a request.

        Returns:
            A Deferred that fires with the answer, or fails with `CallLostError`.
        """
        request = Request(id=next(self._ids), request_id=request_id.current())
        fill_in(request)
        received = self._received

        def give_up(_: Deferred[Response]) -> None:
            self._waiting.pop(request.id, None)
            if self._received == received:
                self._drop("it does not answer")

        answer: Deferred[Response] = Deferred(give_up)
        self._waiting[request.id] = answer
        self.send(request)
        return answer

    def established(self) -> None:
        """See whether the signer answers: only then has it accepted our certificate."""
        self.setTimeout(None)
        self._ping().addCallbacks(
            lambda _: self.usable.callback(self), lambda _: self._drop("it does not answer")
        )
        self._keepalive.start(KEEPALIVE, now=False)

    def not_understood(self, negotiated: bytes | None) -> None:
        """Leave a peer that speaks another protocol."""
        self._drop(f"it does not speak {ALPN.decode()}; is it a Go notary-signer?")

    def message_received(self, data: bytes) -> None:
        """Hand an answer to whom it is for, if anybody still waits."""
        self._received += 1
        try:
            response = Response.FromString(data)
        except DecodeError:
            self._drop("it sends what is no message of the protocol")
            return
        answer = self._waiting.pop(response.id, None)
        if answer is not None:
            answer.callback(response)

    def message_too_long(self, length: int) -> None:
        """Leave a peer that would take too much memory."""
        self._drop(f"it announces a message of {length} bytes")

    def timeoutConnection(self) -> None:
        """Leave a peer that does not finish the handshake."""
        self._drop("it does not finish the TLS handshake")

    def _ping_if_silent(self) -> None:
        if self._received == self._received_before:
            self._ping().addErrback(lambda _: None)  # the call itself drops a dead connection
        self._received_before = self._received

    def _ping(self) -> Deferred[Response]:
        """Ask for nothing, which the signer has to answer all the same."""
        return self.call(lambda request: None).addTimeout(PING_TIMEOUT, self._clock)

    def _drop(self, trouble: str) -> None:
        self._trouble = self._trouble or trouble
        self.transport.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Tell everybody who waits."""
        self.setTimeout(None)
        if self._keepalive.running:
            self._keepalive.stop()
        trouble = self._trouble or (
            f"the connection ended: {reason.getErrorMessage()}"
            if self.usable.called
            else handshake_error(self.transport, reason)
        )
        self.lost.callback(trouble)  # first, so that nobody makes the same call here again
        if not self.usable.called:
            self.usable.errback(CallLostError(trouble))
        waiting, self._waiting = self._waiting, {}
        for answer in waiting.values():
            answer.errback(CallLostError(trouble))
