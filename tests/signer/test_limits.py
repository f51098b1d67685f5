"""What a peer cannot do: wait for ever, be sent more than it reads, or come too often."""

from __future__ import annotations

import pytest
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.logger import capturedLogs

from notary.signer import protocol
from notary.signing.signer_pb2 import HealthCheckRequest, Request
from notary.signing.wire import ALPN, CLOSING_TIMEOUT, HANDSHAKE_TIMEOUT, IDLE_TIMEOUT
from tests.signer.fakes import TLSTransport
from tests.signer.harness import Peer, Signer, frame, messages

ADDRESS = "192.168.1.1:54321"
HEALTH = frame(Request(id=1, check_health=HealthCheckRequest()).SerializeToString())


@pytest.fixture
def peer(signer: Signer) -> Peer:
    return Peer.let_in(signer)


class TestHandshake:
    def test_has_to_be_done_in_time(self, signer: Signer) -> None:
        peer = Peer(signer)
        signer.clock.advance(HANDSHAKE_TIMEOUT - 1)
        assert peer.ended == ""
        signer.clock.advance(1)
        assert peer.ended == "aborted"

    def test_is_no_reason_to_hurry_afterwards(self, signer: Signer) -> None:
        peer = Peer.let_in(signer)
        signer.clock.advance(HANDSHAKE_TIMEOUT)
        assert peer.ended == ""

    @pytest.mark.parametrize("negotiated", [None, b"", b"h2", b"notary-signer/2", ALPN + b" "])
    def test_of_another_protocol(self, signer: Signer, negotiated: bytes | None) -> None:
        with capturedLogs() as events:
            peer = Peer(signer, TLSTransport(negotiated))
            peer.finish_handshake()
            peer.go_away(ConnectionAborted())
        assert peer.ended == "aborted"
        assert messages(events, "warning") == [
            f"refused {ADDRESS}: it does not ask for the protocol notary-signer/1 (ALPN); a Go "
            "notary-server needs the Go notary-signer"
        ]
        assert messages(events, "info") == []

    def test_that_breaks_off_is_logged(self, signer: Signer) -> None:
        with capturedLogs() as events:
            Peer(signer).go_away(ConnectionLost())
        (warning,) = messages(events, "warning")
        assert warning.startswith(f"refused {ADDRESS}: the TLS handshake failed: ")

    @pytest.mark.parametrize("reason", [ConnectionDone(), ConnectionAborted()])
    def test_that_is_called_off_is_not(self, signer: Signer, reason: Exception) -> None:
        """So that a load balancer may see whether anybody listens."""
        with capturedLogs() as events:
            Peer(signer).go_away(reason)
        assert events == []


class TestIdling:
    def test_ends_the_connection(self, signer: Signer, peer: Peer) -> None:
        signer.clock.advance(IDLE_TIMEOUT - 1)
        assert peer.ended == ""
        signer.clock.advance(1)
        assert peer.ended == "aborted"

    def test_half_a_frame_does_not_help(self, signer: Signer, peer: Peer) -> None:
        peer.send(HEALTH[:-1])
        signer.clock.advance(IDLE_TIMEOUT)
        assert peer.ended == "aborted"

    def test_nor_do_bytes_that_dribble_in(self, signer: Signer, peer: Peer) -> None:
        peer.send((1000).to_bytes(4, "big"))
        for _ in range(IDLE_TIMEOUT - 1):
            signer.clock.advance(1)
            peer.send(b"x")
        assert peer.ended == ""
        signer.clock.advance(1)
        assert peer.ended == "aborted"

    def test_whole_messages_show_that_the_peer_is_alive(self, signer: Signer, peer: Peer) -> None:
        for _ in range(5):
            signer.clock.advance(IDLE_TIMEOUT - 1)
            peer.send(HEALTH)
        assert peer.ended == ""
        signer.clock.advance(IDLE_TIMEOUT)
        assert peer.ended == "aborted"

    def test_whoever_was_refused_has_little_time_to_read_why(
        self, signer: Signer, peer: Peer
    ) -> None:
        peer.send(frame(b"\xff"))
        signer.clock.advance(CLOSING_TIMEOUT - 1)
        peer.send(HEALTH)
        assert peer.ended == "closed"
        signer.clock.advance(1)
        assert peer.ended == "aborted"


class TestBackpressure:
    def test_nothing_is_taken_in_while_answers_are_not_read(
        self, signer: Signer, peer: Peer
    ) -> None:
        producer = peer.producer
        assert peer.transport.streaming
        producer.pauseProducing()
        assert peer.transport.producerState == "paused"
        peer.send(HEALTH * 3)
        assert peer.answers() == []
        assert signer.store.asked == []
        producer.resumeProducing()
        assert peer.transport.producerState == "producing"
        assert len(peer.answers()) == 3
        peer.send(HEALTH)
        assert len(peer.answers()) == 4

    def test_a_frame_goes_on_where_it_was_interrupted(self, signer: Signer, peer: Peer) -> None:
        producer = peer.producer
        peer.send(HEALTH + HEALTH[:5])
        producer.pauseProducing()
        peer.send(HEALTH[5:])
        producer.resumeProducing()
        assert [answer.id for answer in peer.answers()] == [1, 1]

    def test_whoever_never_reads_is_idle(self, signer: Signer, peer: Peer) -> None:
        peer.producer.pauseProducing()
        peer.send(HEALTH)
        signer.clock.advance(IDLE_TIMEOUT)
        assert peer.ended == "aborted"

    def test_whoever_was_refused_is_not_read_again(self, signer: Signer, peer: Peer) -> None:
        producer = peer.producer
        peer.send(frame(b"\xff") + HEALTH)
        assert peer.transport.producer is None
        producer.pauseProducing()
        producer.resumeProducing()
        assert [answer.id for answer in peer.answers()] == [0]
        assert signer.store.asked == []

    def test_the_end_of_the_connection_may_stop_it(self, signer: Signer, peer: Peer) -> None:
        producer = peer.producer
        signer.store.hanging.add("check")
        peer.send(HEALTH)
        producer.stopProducing()
        peer.go_away()
        signer.store.let_go()
        assert peer.answers() == []


class TestNumberOfConnections:
    def test_is_bounded(self, signer: Signer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(protocol, "MAX_CONNECTIONS", 2)
        first, second = Peer(signer), Peer.let_in(signer)
        with capturedLogs() as events:
            third = Peer(signer)
            third.go_away(ConnectionLost())
        assert (first.ended, second.ended, third.ended) == ("", "", "aborted")
        assert messages(events, "error") == [
            f"refused {ADDRESS}: 2 connections are open, which is the most there may be"
        ]
        assert messages(events, "warning") == []
        first.go_away()
        assert Peer(signer).ended == ""

    def test_whoever_is_one_too_many_is_forgotten(
        self, signer: Signer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(protocol, "MAX_CONNECTIONS", 0)
        peer = Peer(signer)
        assert not signer.factory.connections
        peer.go_away(ConnectionAborted())
        assert signer.clock.getDelayedCalls() == []
