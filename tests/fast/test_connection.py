"""A connection with TLS as protocols of Twisted's see it."""

from __future__ import annotations

import ssl

import attrs
import pytest
from OpenSSL import SSL
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHandshakeListener, IPushProducer, ISSLTransport
from twisted.logger import capturedLogs, formatEvent
from zope.interface import implementer
from zope.interface.verify import verifyObject

from notary.fast.connection import (
    HANDSHAKE_SECONDS,
    LINGER_SECONDS,
    WRITE_BYTES,
)
from notary.fast.openssl import OpenSSLRecords
from notary.fast.records import READ_BYTES, TLS_ERRORS, Records
from notary.tls import FastServerContext, KeyPair, ServerContext
from tests.fast.wires import HOST, PEER, MakeRecords, Recorder, Wire
from tests.support.authority import make_identity

ANSWER = bytes(10_000)


@attrs.define
class Producer:
    """Something that is told to pause, and notes whether it has to."""

    paused: bool = False
    stopped: bool = False

    def pauseProducing(self) -> None:
        self.paused = True

    def resumeProducing(self) -> None:
        self.paused = False

    def stopProducing(self) -> None:
        self.stopped = True


Contexts = tuple[MakeRecords, ssl.SSLContext]


@pytest.fixture(scope="module", params=["ssl", "pyOpenSSL"])
def contexts(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Contexts:
    """The TLS of a server, by either library, and the settings of a client that trusts it."""
    directory = tmp_path_factory.mktemp("tls")
    root = make_identity(directory, "root", is_ca=True)
    server = make_identity(directory, "server", root)
    pair = KeyPair(server.certificate_file, server.key_file)
    client = ssl.create_default_context(cafile=root.certificate_file)
    if request.param == "ssl":
        fast = FastServerContext(pair, None)
        return lambda: Records(fast.context()), client
    context = ServerContext(pair, None)
    return lambda: OpenSSLRecords(context.serverConnectionForTLS(None), is_client=False), client


@pytest.fixture
def fresh(contexts: Contexts) -> Wire:
    """A connection before the handshake."""
    return Wire(*contexts)


@pytest.fixture
def wire(fresh: Wire) -> Wire:
    """A connection after the handshake."""
    fresh.shake_hands()
    fresh.socket.writes = 0
    return fresh


class TestHandshake:
    def test_the_protocol_hears_of_it_before(self, fresh: Wire) -> None:
        verifyObject(ISSLTransport, fresh.protocol.transport)
        verifyObject(IPushProducer, fresh.protocol.transport)
        assert fresh.connection.getPeer() == PEER
        assert fresh.connection.getHost() == HOST
        assert fresh.connection.getPeerCertificate() is None

    def test_what_is_written_before_is_sent_afterwards(self, contexts: Contexts) -> None:
        protocol = Recorder()
        protocol.greeting = b"hello"
        wire = Wire(*contexts, protocol)
        wire.connection.loseConnection()
        assert wire.socket.sent == b""
        wire.shake_hands()
        assert wire.heard() == b"hello"
        assert wire.socket.end == ""
        wire.close()
        assert wire.socket.end == "closed"
        assert isinstance(wire.end(), ConnectionDone)

    def test_data_may_come_with_its_end(self, fresh: Wire) -> None:
        with pytest.raises(ssl.SSLWantReadError):
            fresh.tls.do_handshake()
        fresh.pass_on()
        fresh.take()
        fresh.tls.do_handshake()
        fresh.say(b"question")
        assert fresh.protocol.received == [b"question"]

    @pytest.mark.parametrize(("version", "writes"), [("TLSv1_2", 2), ("TLSv1_3", 1)])
    def test_a_ticket_travels_with_something_else(
        self, contexts: Contexts, version: str, writes: int
    ) -> None:
        server, _ = contexts
        client = ssl.create_default_context()
        client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
        client.maximum_version = ssl.TLSVersion[version]
        wire = Wire(server, client)
        wire.shake_hands()
        assert wire.socket.writes == writes
        wire.connection.write(b"answer")
        assert wire.socket.writes == writes + 1
        assert wire.heard() == b"answer"
        session = wire.tls.session
        assert session is not None
        assert session.has_ticket

    def test_it_takes_too_long(self, fresh: Wire) -> None:
        fresh.loop.clock.advance(HANDSHAKE_SECONDS)
        assert fresh.socket.end == "aborted"
        assert isinstance(fresh.end(), ConnectionAborted)

    def test_it_is_in_time(self, wire: Wire) -> None:
        assert wire.loop.clock.getDelayedCalls() == []

    def test_closing_does_not_wait_for_it(self, fresh: Wire) -> None:
        fresh.connection.loseConnection()
        assert fresh.socket.end == "aborted"
        assert isinstance(fresh.end(), ConnectionAborted)

    @pytest.mark.parametrize(
        "said", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\x04\x01\x00\x00\x00"]
    )
    def test_it_fails(self, fresh: Wire, said: bytes) -> None:
        fresh.arrive(said)
        assert fresh.socket.end == "closed"
        assert isinstance(fresh.end(), TLS_ERRORS)
        assert fresh.protocol.received == []

    def test_the_client_is_told_why_it_fails(self, contexts: Contexts) -> None:
        server, _ = contexts
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client.maximum_version = ssl.TLSVersion.TLSv1_2
        client.set_ciphers("AES128-GCM-SHA256")
        wire = Wire(server, client)
        with pytest.raises(ssl.SSLError, match=r"(?i)handshake.failure"):
            wire.shake_hands()

    def test_the_client_leaves(self, fresh: Wire) -> None:
        fresh.connection.eof_received()
        assert isinstance(fresh.end(), ConnectionLost)


@implementer(IHandshakeListener)
class Listener(Recorder):
    """Wants to know when the handshake is done, and notes what is known then."""

    trouble: Exception | None = None

    def handshakeCompleted(self) -> None:
        self.received.append(b"done")
        self.transport.write(str(self.transport.negotiatedProtocol).encode())
        if self.trouble is not None:
            raise self.trouble


class TestListener:
    @pytest.fixture
    def listener(self) -> Listener:
        return Listener()

    @pytest.fixture
    def wire(self, contexts: Contexts, listener: Listener) -> Wire:
        return Wire(*contexts, listener)

    def test_hears_of_the_end_of_the_handshake_once(self, wire: Wire, listener: Listener) -> None:
        assert listener.received == []
        wire.shake_hands()
        wire.say(b"question")
        assert listener.received == [b"done", b"question"]
        assert wire.heard() == b"None"

    def test_hears_of_it_before_data(self, wire: Wire, listener: Listener) -> None:
        """Though these may come with it."""
        with pytest.raises(ssl.SSLWantReadError):
            wire.tls.do_handshake()
        wire.pass_on()
        wire.take()
        wire.tls.do_handshake()
        wire.say(b"question")
        assert listener.received == [b"done", b"question"]

    def test_may_fail(self, wire: Wire, listener: Listener) -> None:
        listener.trouble = LookupError("trouble")
        with capturedLogs() as events:
            wire.shake_hands()
        assert "a protocol failed" in formatEvent(events[0])
        assert wire.socket.end == "aborted"
        assert wire.end() is listener.trouble

    def test_knows_the_end_that_has_certificates(self, wire: Wire, listener: Listener) -> None:
        assert isinstance(listener.transport.getHandle(), (ssl.SSLObject, SSL.Connection))


class TestData:
    def test_goes_both_ways(self, wire: Wire) -> None:
        wire.say(b"question")
        assert wire.protocol.received == [b"question"]
        wire.connection.write(b"answer")
        wire.connection.writeSequence([b" and", b" more"])
        assert wire.heard() == b"answer and more"

    def test_of_any_size(self, wire: Wire) -> None:
        upload = bytes(3 * READ_BYTES)
        wire.say(upload)
        assert b"".join(wire.protocol.received) == upload
        wire.connection.write(bytes(5 * WRITE_BYTES))
        assert wire.heard() == bytes(5 * WRITE_BYTES)

    def test_nothing_is_nothing(self, wire: Wire) -> None:
        wire.connection.write(b"")
        assert wire.heard() == b""

    def test_answers_are_written_at_once(self, wire: Wire) -> None:
        def answer(_data: bytes) -> None:
            for _ in range(10):
                wire.connection.write(b"x")

        wire.protocol.on_data = answer
        wire.say(b"one", b"two")
        assert wire.socket.writes == 1
        assert wire.heard() == 20 * b"x"

    def test_a_record_in_parts(self, wire: Wire) -> None:
        wire.tls.write(b"question")
        record = wire._outgoing.read()
        for byte in record[:-1]:
            wire.arrive(bytes([byte]))
        assert wire.protocol.received == []
        wire.arrive(record[-1:])
        assert wire.protocol.received == [b"question"]

    def test_that_was_changed_on_its_way(self, wire: Wire) -> None:
        wire.tls.write(b"question")
        record = bytearray(wire._outgoing.read())
        record[-1] ^= 1
        wire.arrive(bytes(record))
        assert wire.protocol.received == []
        assert wire.socket.end == "closed"
        assert isinstance(wire.end(), TLS_ERRORS)

    def test_that_the_protocol_cannot_take(self, wire: Wire) -> None:
        def fail(_data: bytes) -> None:
            raise LookupError("trouble")

        wire.protocol.on_data = fail
        with capturedLogs() as events:
            wire.say(b"question")
        (event,) = events
        assert "a protocol failed" in formatEvent(event)
        assert isinstance(event["log_failure"].value, LookupError)
        assert wire.socket.end == "aborted"
        assert isinstance(wire.end(), LookupError)


class TestFlow:
    @pytest.fixture
    def producer(self, wire: Wire) -> Producer:
        producer = Producer()
        wire.connection.registerProducer(producer, True)
        return producer

    def test_a_client_that_does_not_read_is_written_no_more(
        self, wire: Wire, producer: Producer
    ) -> None:
        wire.connection.write(bytes(WRITE_BYTES // 2))
        assert not producer.paused
        wire.connection.write(bytes(WRITE_BYTES // 2))
        assert producer.paused
        wire.socket.take(1)
        assert producer.paused
        wire.socket.take()
        assert not producer.paused

    def test_many_questions_do_not_pile_up_answers(self, wire: Wire, producer: Producer) -> None:
        """The producer learns of it in between, though answers are sent together."""
        paused = []

        def answer(_data: bytes) -> None:
            wire.connection.write(ANSWER)
            paused.append(producer.paused)

        wire.protocol.on_data = answer
        wire.say(*[b"question"] * 20)
        assert paused.index(True) <= 2 * WRITE_BYTES // len(ANSWER) + 1

    def test_a_producer_may_come_late(self, wire: Wire) -> None:
        wire.connection.write(bytes(2 * WRITE_BYTES))
        producer = Producer()
        wire.connection.registerProducer(producer, True)
        assert producer.paused
        with pytest.raises(RuntimeError):
            wire.connection.registerProducer(producer, True)
        wire.connection.unregisterProducer()
        wire.socket.take()
        assert producer.paused
        with pytest.raises(RuntimeError):
            wire.connection.registerProducer(producer, False)

    def test_a_producer_may_come_too_late(self, wire: Wire) -> None:
        wire.connection.abortConnection()
        producer = Producer()
        wire.connection.registerProducer(producer, True)
        assert producer.stopped

    def test_nothing_is_read_for_a_protocol_that_pauses(self, wire: Wire) -> None:
        wire.protocol.on_data = lambda _: wire.connection.pauseProducing()
        wire.say(b"one" * 10_000)
        assert not wire.socket.reading
        seen = len(wire.protocol.received)
        wire.protocol.on_data = len
        wire.say(b"two")
        assert len(wire.protocol.received) == seen
        wire.connection.resumeProducing()
        assert wire.socket.reading
        assert len(wire.protocol.received) == seen
        wire.loop.clock.advance(0)
        assert b"".join(wire.protocol.received) == b"one" * 10_000 + b"two"
        wire.connection.resumeProducing()
        assert wire.loop.clock.getDelayedCalls() == []


class TestEnd:
    def test_the_protocol_closes(self, wire: Wire) -> None:
        wire.protocol.on_data = lambda _: wire.connection.loseConnection()
        wire.connection.write(b"answer")
        wire.say(b"enough")
        assert wire.connection.disconnecting
        assert wire.heard() == b"answer"
        wire.connection.write(b"more")
        wire.say(b"this is not heard any more")
        assert wire.protocol.received == [b"enough"]
        assert wire.socket.end == ""
        wire.close()
        assert wire.socket.end == "closed"
        assert isinstance(wire.end(), ConnectionDone)

    def test_a_producer_may_finish(self, wire: Wire) -> None:
        wire.connection.registerProducer(Producer(), True)
        wire.connection.loseConnection()
        wire.connection.write(b"answer")
        assert wire.heard() == b"answer"
        wire.connection.unregisterProducer()
        assert wire.socket.sent
        wire.connection.unregisterProducer()

    def test_a_client_may_just_leave_then(self, wire: Wire) -> None:
        wire.connection.stopProducing()
        wire.connection.eof_received()
        assert isinstance(wire.end(), ConnectionDone)

    def test_a_client_that_does_not_close(self, wire: Wire) -> None:
        wire.connection.loseWriteConnection()
        wire.take()
        wire.loop.clock.advance(LINGER_SECONDS)
        assert wire.socket.end == "aborted"
        assert isinstance(wire.end(), ConnectionDone)

    def test_a_client_that_reads_slowly_is_given_time(self, wire: Wire) -> None:
        wire.connection.write(bytes(1_000_000))
        wire.connection.loseConnection()
        for _ in range(5):
            wire.socket.take(100_000)
            wire.loop.clock.advance(LINGER_SECONDS)
            assert wire.socket.end == ""
        wire.loop.clock.advance(LINGER_SECONDS)
        assert wire.socket.end == "aborted"

    def test_closing_is_heard_by_a_protocol_that_pauses(self, wire: Wire) -> None:
        wire.connection.pauseProducing()
        wire.connection.loseConnection()
        assert wire.socket.reading

    def test_the_client_closes(self, wire: Wire) -> None:
        wire.say(b"question")
        wire.connection.write(b"answer")
        wire.close()
        assert wire.socket.end == "closed"
        wire.connection.write(b"too late")
        wire.take()
        wire.tls.unwrap()  # the server has said that too
        assert isinstance(wire.end(), ConnectionDone)

    def test_a_client_that_closes_but_does_not_read(self, wire: Wire) -> None:
        wire.connection.write(bytes(1_000_000))
        wire.connection.eof_received()
        assert wire.socket.end == "closed"
        wire.loop.clock.advance(LINGER_SECONDS)
        assert wire.socket.end == "aborted"

    @pytest.mark.parametrize("error", [None, ConnectionResetError()])
    def test_the_client_leaves(self, wire: Wire, error: Exception | None) -> None:
        if error is None:
            wire.connection.eof_received()
        assert isinstance(wire.end(error), ConnectionLost)
        wire.connection.write(b"too late")
        wire.connection.pauseProducing()
        wire.connection.resumeProducing()
        wire.connection.loseConnection()
        wire.connection.abortConnection()

    def test_the_protocol_breaks_it_off(self, wire: Wire) -> None:
        wire.protocol.on_data = lambda _: wire.connection.abortConnection()
        wire.say(b"one")
        assert wire.socket.end == "aborted"
        assert isinstance(wire.end(), ConnectionAborted)


def test_there_is_no_delay_to_switch_off(wire: Wire) -> None:
    wire.connection.setTcpNoDelay(False)
    assert wire.connection.getTcpNoDelay()
