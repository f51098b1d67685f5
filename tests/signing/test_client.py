"""The server's end of a connection: what it makes of what the signer sends, and of silence."""

from __future__ import annotations

from typing import Any

import pytest
from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.python.failure import Failure

from notary import request_id
from notary.signing.client import PING_TIMEOUT, CallLostError
from notary.signing.signer_pb2 import Response
from notary.signing.wire import HANDSHAKE_TIMEOUT, KEEPALIVE, MAX_FRAME
from tests.server.harness import result_of
from tests.signing.far_end import End

SILENT = "it does not answer"
GARBAGE = "it sends what is no message of the protocol"


@pytest.fixture
def end() -> End:
    """A connection whose handshake has not been done."""
    return End()


@pytest.fixture
def usable(end: End) -> End:
    """A connection on which the signer has answered."""
    end.become_usable()
    return end


def failure_of(deferred: Deferred[Any]) -> str:
    """The reason for which something was lost."""
    with pytest.raises(CallLostError) as caught:
        result_of(deferred)
    return str(caught.value)


class TestBeginning:
    def test_nothing_is_asked_before_the_handshake(self, end: End) -> None:
        assert not end.requests()
        assert not end.connection.usable.called

    def test_is_usable_once_the_signer_has_answered(self, end: End) -> None:
        """With TLS 1.3 a handshake is done before the signer has seen our certificate."""
        end.shake_hands()
        (ping,) = end.requests()
        assert ping.WhichOneof("call") is None
        assert not end.connection.usable.called
        end.answer(ping.id)
        assert result_of(end.connection.usable) is end.connection

    def test_a_handshake_that_takes_too_long(self, end: End) -> None:
        end.clock.advance(HANDSHAKE_TIMEOUT - 1)
        assert not end.dropped
        end.clock.advance(1)
        end.lose()
        assert failure_of(end.connection.usable) == "it does not finish the TLS handshake"
        assert not end.clock.getDelayedCalls()

    @pytest.mark.parametrize("negotiated", [None, b"", b"h2", b"notary-signer/2"])
    def test_a_peer_of_another_protocol(self, end: End, negotiated: bytes | None) -> None:
        end.shake_hands(negotiated)
        assert not end.requests()
        end.lose()
        assert failure_of(end.connection.usable) == (
            "it does not speak notary-signer/1; is it a Go notary-signer?"
        )

    def test_a_first_answer_that_does_not_come(self, end: End) -> None:
        end.shake_hands()
        end.clock.advance(PING_TIMEOUT - 1)
        assert not end.dropped
        end.clock.advance(1)
        end.lose()
        assert failure_of(end.connection.usable) == SILENT
        assert not end.clock.getDelayedCalls()

    def test_other_messages_are_no_answer(self, end: End) -> None:
        end.shake_hands()
        end.answer(0, 7)
        end.clock.advance(PING_TIMEOUT)
        end.lose()
        assert failure_of(end.connection.usable) == SILENT

    @pytest.mark.parametrize("shaken", [False, True])
    def test_tells_why_the_signer_refuses_us(self, end: End, shaken: bool) -> None:
        if shaken:
            end.shake_hands()
        end.lose(SSL.Error([("SSL routines", "", "tlsv13 alert certificate required")]))
        assert failure_of(end.connection.usable) == (
            "the TLS handshake failed: tlsv13 alert certificate required (it demands a certificate "
            "of us, and none is configured)"
        )
        assert not end.clock.getDelayedCalls()

    @pytest.mark.parametrize("shaken", [False, True])
    def test_may_be_given_up(self, end: End, shaken: bool) -> None:
        if shaken:
            end.shake_hands()
        end.connection.usable.addErrback(lambda _: None).cancel()
        end.lose()
        assert end.lost == ["given up"]
        assert not end.clock.getDelayedCalls()


class TestCalls:
    def test_each_has_an_id_and_what_was_filled_in(self, usable: End) -> None:
        for key_id in ("one", "other"):
            usable.call(key_id)
        requests = usable.requests()
        assert [request.delete_key.ID for request in requests] == ["one", "other"]
        assert len({0, *(request.id for request in requests)}) == 3

    def test_answers_find_their_calls_in_any_order(self, usable: End) -> None:
        waiting, ids = usable.calls(3)
        assert usable.connection.under_way == 3
        usable.answer(ids[2], ids[0])
        assert [call.called for call in waiting] == [True, False, True]
        assert usable.connection.under_way == 1
        usable.answer(ids[1])
        assert [result_of(call).id for call in waiting] == ids

    def test_answers_come_in_pieces(self, usable: End) -> None:
        (waiting,), (call_id,) = usable.calls(1)
        response = Response(id=call_id).SerializeToString()
        for byte in len(response).to_bytes(4, "big") + response:
            assert not waiting.called
            usable.connection.dataReceived(bytes([byte]))
        assert result_of(waiting).id == call_id

    def test_answers_that_nobody_waits_for_are_ignored(self, usable: End) -> None:
        (waiting,), (call_id,) = usable.calls(1)
        usable.answer(0, 2**64 - 1, call_id, call_id)
        assert result_of(waiting).id == call_id
        assert not usable.dropped

    def test_a_failed_call_is_an_answer(self, usable: End) -> None:
        (waiting,), (call_id,) = usable.calls(1)
        response = Response(id=call_id)
        response.error.message = "why"
        usable.send(response)
        assert result_of(waiting).error.message == "why"


class TestTrouble:
    def test_garbage(self, usable: End) -> None:
        (waiting,), _ = usable.calls(1)
        usable.send(b"\xff")
        assert not waiting.called
        usable.lose()
        assert failure_of(waiting) == GARBAGE

    def test_a_message_that_would_take_too_much_memory(self, usable: End) -> None:
        """Nothing of it has to come for that."""
        (waiting,), _ = usable.calls(1)
        usable.connection.dataReceived((MAX_FRAME + 1).to_bytes(4, "big"))
        usable.lose()
        assert failure_of(waiting) == f"it announces a message of {MAX_FRAME + 1} bytes"

    def test_the_largest_message(self, usable: End) -> None:
        usable.connection.dataReceived(MAX_FRAME.to_bytes(4, "big"))
        assert not usable.dropped

    @pytest.mark.parametrize("reason", [ConnectionDone("closed"), ConnectionLost("torn")])
    def test_a_lost_connection_fails_every_call(self, usable: End, reason: Exception) -> None:
        waiting, _ = usable.calls(3)
        usable.lose(reason)
        expected = f"the connection ended: {Failure(reason).getErrorMessage()}"
        assert [failure_of(call) for call in waiting] == [expected] * 3
        assert usable.lost == [expected]
        assert not usable.clock.getDelayedCalls()

    def test_the_first_trouble_is_the_reason(self, usable: End) -> None:
        usable.send(b"\xff", b"")
        usable.connection.dataReceived(b"\xff" * 4)
        usable.lose()
        assert usable.lost == [GARBAGE]

    def test_who_uses_it_knows_that_it_is_lost_before_the_calls_fail(self, usable: End) -> None:
        """So that a call which is made again is not made here."""
        (waiting,), _ = usable.calls(1)
        known: list[bool] = []
        waiting.addErrback(lambda _: known.append(bool(usable.lost)))
        usable.lose(ConnectionDone())
        assert known == [True]


class TestPatience:
    def test_a_call_given_up_in_silence_ends_the_connection(self, usable: End) -> None:
        (given_up, other), _ = usable.calls(2)
        given_up.addErrback(lambda _: None).cancel()
        usable.lose()
        assert failure_of(other) == SILENT

    def test_a_call_given_up_among_others_does_not(self, usable: End) -> None:
        (given_up, answered, other), ids = usable.calls(3)
        usable.answer(ids[1])
        given_up.addErrback(lambda _: None).cancel()
        assert not usable.dropped
        assert usable.connection.under_way == 1
        usable.answer(*ids)
        assert result_of(other).id == ids[2]
        assert result_of(answered).id == ids[1]

    def test_what_came_before_the_call_does_not_count(self, usable: End) -> None:
        (answered,), ids = usable.calls(1)
        usable.answer(*ids)
        result_of(answered)
        (given_up,), _ = usable.calls(1)
        given_up.addErrback(lambda _: None).cancel()
        assert usable.dropped

    def test_a_silent_connection_is_asked_for_a_sign_of_life(self, usable: End) -> None:
        usable.clock.advance(KEEPALIVE)  # in which the first answer came
        assert not usable.requests()
        for _ in range(3):
            usable.clock.pump([KEEPALIVE / 2] * 2)
            (ping,) = usable.requests()
            assert ping.WhichOneof("call") is None
            usable.answer(ping.id)
            usable.clock.advance(KEEPALIVE)  # in which that answer came
            assert not usable.requests()
        assert not usable.dropped

    def test_a_busy_connection_is_not(self, usable: End) -> None:
        for _ in range(10):
            usable.clock.advance(KEEPALIVE - 1)
            _, (call_id,) = usable.calls(1)
            usable.answer(call_id)
        assert not usable.requests()

    def test_a_connection_without_a_sign_of_life_is_ended(self, usable: End) -> None:
        usable.clock.pump([KEEPALIVE] * 2)
        (waiting,), _ = usable.calls(1)
        usable.clock.advance(PING_TIMEOUT)
        usable.lose()
        assert failure_of(waiting) == SILENT
        assert not usable.clock.getDelayedCalls()


def test_calls_carry_the_id_of_the_request_they_are_for(usable: End) -> None:
    with request_id.serving("an-id"):
        usable.call()
    usable.call()
    assert [request.request_id for request in usable.requests()[-2:]] == ["an-id", ""]
