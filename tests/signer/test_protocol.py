"""The signer's end of a connection: frames in, answers out, in whatever order they are done."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from OpenSSL import crypto
from twisted.internet.error import ConnectionAborted, ConnectionLost
from twisted.internet.interfaces import IHandshakeListener
from twisted.logger import LogEvent, capturedLogs
from zope.interface.verify import verifyObject

from notary.draining import DRAIN_SECONDS, GRACE
from notary.signer.protocol import MAX_CALLS_IN_A_TURN
from notary.signing.signer_pb2 import HealthCheckRequest, KeyID, Request, SignatureRequest
from notary.signing.wire import MAX_CALLS, MAX_FRAME, Code
from notary.tuf.keys import PublicKey
from tests.signer.fakes import TLSTransport
from tests.signer.harness import GUN, PAYLOAD, UNKNOWN, Peer, Signer, frame, made, messages
from tests.support.authority import make_identity
from tests.support.log_lines import written_lines

ADDRESS = "192.168.1.1:54321"


@pytest.fixture
def log() -> Iterator[Sequence[LogEvent]]:
    with capturedLogs() as events:
        yield events


@pytest.fixture
def peer(signer: Signer, log: Sequence[LogEvent]) -> Iterator[Peer]:
    """A peer that is let in, with whom nothing unexpected may happen."""
    yield Peer.let_in(signer)
    assert not [event for event in log if "log_failure" in event]


def signing(number: int, key: PublicKey) -> Request:
    asked = SignatureRequest(keyID=KeyID(ID=key.key_id), gun=GUN, role="timestamp", content=PAYLOAD)
    return Request(id=number, sign=asked)


def health(number: int) -> Request:
    return Request(id=number, check_health=HealthCheckRequest())


class TestFrames:
    @pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 64, None])
    def test_may_come_in_any_pieces(self, signer: Signer, peer: Peer, size: int | None) -> None:
        key = made(signer)
        requests = [signing(1, key), health(2), signing(3, key)]
        stream = b"".join(frame(request.SerializeToString()) for request in requests)
        peer.send(stream, size)
        answers = peer.answers()
        assert [answer.id for answer in answers] == [1, 2, 3]
        for answer in (answers[0].sign, answers[2].sign):
            assert key.verifies(answer.algorithm.algorithm, answer.content, PAYLOAD)

    def test_half_a_frame_is_no_call(self, signer: Signer, peer: Peer) -> None:
        peer.send(frame(health(1).SerializeToString())[:-1])
        assert peer.answers() == []
        assert signer.store.asked == []

    def test_an_empty_one_is_a_message_without_a_call(self, peer: Peer) -> None:
        peer.send(frame(b""))
        (answer,) = peer.answers()
        assert (answer.id, answer.error.code) == (0, Code.UNIMPLEMENTED)

    def test_may_be_as_large_as_allowed(self, signer: Signer, peer: Peer) -> None:
        key = made(signer)
        request = signing(1, key)
        request.sign.content = b"x" * (MAX_FRAME - request.ByteSize() - 20)
        request.sign.content += b"x" * (MAX_FRAME - request.ByteSize())
        assert request.ByteSize() == MAX_FRAME
        peer.send(frame(request.SerializeToString()), 1024 * 1024)
        (answer,) = peer.answers()
        signature = answer.sign
        assert key.verifies(signature.algorithm.algorithm, signature.content, request.sign.content)

    @pytest.mark.parametrize("length", [MAX_FRAME + 1, 2**31, 2**32 - 1])
    def test_larger_ones_are_refused_at_their_first_bytes(
        self, peer: Peer, log: Sequence[LogEvent], length: int
    ) -> None:
        head = length.to_bytes(4, "big")
        peer.send(head[:3])
        assert peer.ended == ""
        peer.send(head[3:])
        (answer,) = peer.answers()
        assert (answer.id, answer.error.code) == (0, Code.RESOURCE_EXHAUSTED)
        reason = f"a message of {length} bytes is announced, {MAX_FRAME} are allowed"
        assert answer.error.message == reason
        assert peer.ended == "closed"
        assert messages(log, "warning") == [
            f"refused a client without certificate at {ADDRESS}: {reason}"
        ]

    def test_what_is_no_message_ends_the_connection(
        self, peer: Peer, log: Sequence[LogEvent]
    ) -> None:
        peer.send(frame(b"\xff garbage"))
        (answer,) = peer.answers()
        assert (answer.id, answer.error.code) == (0, Code.INVALID_ARGUMENT)
        assert answer.error.message == "this is no message of the protocol"
        assert peer.ended == "closed"
        assert len(messages(log, "warning")) == 1

    @pytest.mark.parametrize("bad", [frame(b"\xff"), b"\xff\xff\xff\xff"])
    def test_nothing_is_read_after_what_is_refused(
        self, signer: Signer, peer: Peer, bad: bytes
    ) -> None:
        good = frame(health(2).SerializeToString())
        peer.send(frame(health(1).SerializeToString()) + bad + good)
        peer.send(good)
        assert [answer.id for answer in peer.answers()] == [1, 0]
        assert signer.store.times("check") == 1


class TestCalls:
    def test_are_answered_as_they_are_done(self, signer: Signer, peer: Peer) -> None:
        slow, fast = made(signer), made(signer, role="snapshot")
        signer.store.hanging.add(slow.key_id)
        quick = signing(2, fast)
        quick.sign.role = "snapshot"
        peer.ask(signing(1, slow), quick, health(3))
        assert [answer.id for answer in peer.answers()] == [2, 3]
        signer.store.let_go()
        assert [answer.id for answer in peer.answers()] == [2, 3, 1]

    def test_too_many_are_refused_one_by_one(self, signer: Signer, peer: Peer) -> None:
        signer.store.hanging.add("check")
        numbers = range(1, MAX_CALLS + 1)
        peer.ask(*map(health, numbers))
        peer.ask(health(500), health(501))
        refused = peer.answers()
        assert [answer.id for answer in refused] == [500, 501]
        for answer in refused:
            assert answer.error.code == Code.RESOURCE_EXHAUSTED
            assert answer.error.message == (
                f"more than {MAX_CALLS} calls are under way on this connection"
            )
        assert signer.store.times("check") == MAX_CALLS
        signer.store.let_go()
        answers = peer.answers()[2:]
        assert [answer.id for answer in answers] == [*numbers]
        assert not any(answer.HasField("error") for answer in answers)
        peer.ask(*map(health, numbers))
        assert not any(answer.HasField("error") for answer in peer.answers()[2:])

    def test_refused_ones_are_logged(self, signer: Signer, peer: Peer, log: list[LogEvent]) -> None:
        signer.store.hanging.add("check")
        peer.ask(*map(health, range(MAX_CALLS + 1)))
        (line,) = (event for event in log if event.get("call.result") == "RESOURCE_EXHAUSTED")
        assert line["call.name"] == "check_health"
        signer.store.let_go()

    def test_those_that_are_done_do_not_count(self, signer: Signer, peer: Peer) -> None:
        for number in (901, 902, 903):
            peer.ask(health(number))
            peer.answers()
        signer.store.hanging.add("check")
        peer.ask(*map(health, range(MAX_CALLS + 1)))
        assert [answer.id for answer in peer.answers()] == [901, 902, 903, MAX_CALLS]

    def test_not_too_many_are_done_in_one_turn(self, signer: Signer, peer: Peer) -> None:
        peer.ask(*map(health, range(1, MAX_CALLS_IN_A_TURN + 3)))
        refused = [answer.id for answer in peer.answers() if answer.HasField("error")]
        assert refused == [MAX_CALLS_IN_A_TURN + 1, MAX_CALLS_IN_A_TURN + 2]

    def test_any_number_of_them_are_done_in_several(self, signer: Signer, peer: Peer) -> None:
        for _ in range(5):
            peer.ask(*map(health, range(MAX_CALLS)))
            assert not any(answer.HasField("error") for answer in peer.answers())

    def test_each_connection_has_its_own(self, signer: Signer, peer: Peer) -> None:
        signer.store.hanging.add("check")
        peer.ask(*map(health, range(MAX_CALLS)))
        other = Peer.let_in(signer)
        other.ask(health(1))
        assert other.answers() == []
        signer.store.let_go()
        assert [answer.WhichOneof("result") for answer in other.answers()] == ["check_health"]

    def test_of_the_same_number_are_both_answered(self, signer: Signer, peer: Peer) -> None:
        peer.ask(health(1), health(1))
        assert [answer.id for answer in peer.answers()] == [1, 1]

    def test_numbers_may_be_large(self, peer: Peer) -> None:
        peer.ask(health(2**64 - 1))
        assert [answer.id for answer in peer.answers()] == [2**64 - 1]

    def test_that_are_not_known_are_answered(self, peer: Peer) -> None:
        """A newer server learns that this signer is older."""
        unknown = b"\x08\x07" + b"\x4a\x02ab"  # id 7, and a message with the number 9
        peer.send(frame(unknown))
        (answer,) = peer.answers()
        assert (answer.id, answer.error.code) == (7, Code.UNIMPLEMENTED)
        assert peer.ended == ""

    def test_what_else_a_newer_server_says_is_passed_over(self, peer: Peer) -> None:
        peer.send(frame(health(7).SerializeToString() + b"\xa2\x06\x02ab"))
        (answer,) = peer.answers()
        assert (answer.id, answer.WhichOneof("result")) == (7, "check_health")

    def test_the_last_of_two_in_one_message_counts(self, peer: Peer) -> None:
        first = Request(id=1, get_key_info=KeyID(ID=UNKNOWN)).SerializeToString()
        peer.send(frame(first + health(2).SerializeToString()))
        (answer,) = peer.answers()
        assert (answer.id, answer.WhichOneof("result")) == (2, "check_health")


class TestEnds:
    def test_answers_come_too_late_for_whoever_left(self, signer: Signer, peer: Peer) -> None:
        signer.store.hanging.add("check")
        peer.ask(health(1), health(2))
        peer.go_away()
        signer.store.let_go()
        assert peer.answers() == []

    def test_answers_come_too_late_for_whoever_was_refused(
        self, signer: Signer, peer: Peer
    ) -> None:
        signer.store.hanging.add("check")
        peer.ask(health(1))
        peer.send(frame(b"\xff"))
        signer.store.let_go()
        assert [answer.id for answer in peer.answers()] == [0]

    @pytest.mark.parametrize("reason", [None, ConnectionLost(), ConnectionAborted()])
    def test_are_logged_with_the_name_of_the_peer(
        self, signer: Signer, log: Sequence[LogEvent], tmp_path: Path, reason: Exception | None
    ) -> None:
        certificate = make_identity(tmp_path, "the-server").certificate
        transport = TLSTransport(certificate=crypto.X509.from_cryptography(certificate))
        peer = Peer(signer, transport)
        peer.finish_handshake()
        peer.go_away(reason)
        name = f"CN=the-server at {ADDRESS}"
        assert messages(log, "info") == [f"connected: {name}", f"disconnected: {name}"]
        assert messages(log, "warning") == []

    def test_leave_nothing_behind(self, signer: Signer, peer: Peer) -> None:
        assert len(signer.factory.connections) == 1
        peer.ask(health(1))
        peer.answers()
        peer.go_away()
        assert not signer.factory.connections
        assert signer.clock.getDelayedCalls() == []


class TestDraining:
    """The daemon stops."""

    def test_an_idle_connection_is_closed(self, signer: Signer, peer: Peer) -> None:
        stopping = signer.factory.connections.stopService()
        assert peer.ended == "closed"
        peer.go_away()
        assert stopping.called
        assert signer.clock.getDelayedCalls() == []

    def test_calls_under_way_are_answered_first(self, signer: Signer, peer: Peer) -> None:
        signer.store.hanging.add("check")
        peer.ask(health(1), health(2))
        signer.factory.connections.stopService()
        signer.clock.advance(GRACE)
        assert peer.ended == ""
        signer.store.let_go()
        assert [answer.id for answer in peer.answers()] == [1, 2]
        assert peer.ended == "closed"

    def test_answers_that_are_ready_are_sent(self, signer: Signer, peer: Peer) -> None:
        peer.ask(health(1))
        signer.factory.connections.stopService()
        assert [answer.id for answer in peer.answers()] == [1]
        assert peer.ended == "closed"

    def test_calls_that_come_now_are_left_to_others(self, signer: Signer, peer: Peer) -> None:
        """The server makes them again on another connection when this one is lost."""
        signer.store.hanging.add("check")
        peer.ask(health(1))
        signer.factory.connections.stopService()
        peer.ask(health(2))
        signer.store.let_go()
        assert [answer.id for answer in peer.answers()] == [1]

    def test_calls_that_take_too_long_are_cut_off(self, signer: Signer, peer: Peer) -> None:
        signer.store.hanging.add("check")
        peer.ask(health(1))
        stopping = signer.factory.connections.stopService()
        signer.clock.advance(GRACE)
        signer.clock.advance(DRAIN_SECONDS - GRACE)
        assert peer.ended == "aborted"
        assert stopping.called

    def test_a_handshake_is_broken_off_without_a_word(
        self, signer: Signer, log: Sequence[LogEvent]
    ) -> None:
        peer = Peer(signer)
        signer.factory.connections.stopService()
        assert peer.ended == "aborted"
        peer.go_away(ConnectionLost())
        assert messages(log, "warning") == []


def test_provides_what_the_transport_asks_for(signer: Signer) -> None:
    protocol = signer.factory.buildProtocol(None)
    verifyObject(IHandshakeListener, protocol)


def test_sets_the_socket_up(peer: Peer) -> None:
    assert peer.transport.options == {"setTcpNoDelay": True, "setTcpKeepAlive": True}


class TestRequestIDs:
    def test_lines_have_the_id_that_the_server_sent(self, signer: Signer, peer: Peer) -> None:
        first, second = made(signer), made(signer, role="snapshot")
        signer.store.hanging.update([first.key_id, second.key_id])
        with written_lines() as lines:
            for number, key in ((1, first), (2, second)):
                request = signing(number, key)
                request.request_id = f"id-{number}"
                peer.ask(request)
            peer.ask(health(3))
            signer.store.let_go()
        found = {(line.get("http.request.id"), line["call.name"]) for line in lines}
        assert found == {("id-1", "sign"), ("id-2", "sign"), (None, "check_health")}
        assert len(lines) == 3

    @pytest.mark.parametrize("given", ["a b", "x" * 129, "a\nb", "\x1b[0m"])
    def test_one_that_is_not_sane_is_not_logged(
        self, signer: Signer, peer: Peer, given: str
    ) -> None:
        request = health(1)
        request.request_id = given
        with written_lines() as lines:
            peer.ask(request)
        assert [line.get("http.request.id") for line in lines] == [None]
