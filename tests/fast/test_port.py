"""Where connections with TLS are accepted, over loopback."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, cast

import attrs
import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IListeningPort, IReadDescriptor
from twisted.internet.protocol import Factory, Protocol, ServerFactory
from twisted.internet.task import Clock
from twisted.internet.threads import deferToThread
from twisted.logger import capturedLogs, formatEvent
from zope.interface.verify import verifyObject

from notary.config.values import ListenAddress
from notary.fast.port import PAUSE, Port
from notary.fast.reactor import FastReactor
from notary.fast.records import Records
from notary.sockets import listening_socket
from notary.tls import FastServerContext, KeyPair
from tests.support.daemons import FIXTURES, ROOT_CA
from tests.support.doors import SECONDS, connect
from tests.support.reactor import reactor

CLIENT = ssl.create_default_context(cafile=ROOT_CA)


class TellsWhere(Protocol):
    """Says where the client and the server are, to the client and to the test."""

    transport: Any
    factory: Where

    def connectionMade(self) -> None:
        peer, host = self.transport.getPeer(), self.transport.getHost()
        self.factory.seen.append((peer, host))
        self.transport.write(f"{peer.host} {host.port}".encode())
        self.transport.loseConnection()


class Where(Factory[Any]):
    """Makes these protocols."""

    noisy = False
    protocol = TellsWhere

    def __init__(self) -> None:
        self.seen: list[Any] = []


def make_records() -> Records:
    pair = KeyPair(FIXTURES / "notary-server.crt", FIXTURES / "notary-server.key")
    return Records(FastServerContext(pair, None).context())


Listen = Callable[..., Port]


@pytest.fixture
def listen() -> Iterator[Listen]:
    """Opens ports until the test is over."""
    ports = []

    def listen(factory: object, host: str = "127.0.0.1", reactor: object = reactor) -> Port:
        with listening_socket(ListenAddress(host, 0)) as listening:
            port = Port(
                cast(FastReactor, reactor),
                listening,
                cast(ServerFactory[Any], factory),
                make_records,
            )
        port.startListening()
        ports.append(port)
        return port

    yield listen
    for port in ports:
        if port.fileno() >= 0:
            pytest_twisted.blockon(port.stopListening())


@pytest.mark.parametrize(
    ("host", "kind"), [("127.0.0.1", IPv4Address), ("::1", IPv6Address)], ids=["4", "6"]
)
@ensureDeferred
async def test_protocols_know_both_addresses(listen: Listen, host: str, kind: type) -> None:
    factory = Where()
    port = listen(factory, host)
    verifyObject(IListeningPort, port)
    verifyObject(IReadDescriptor, port)
    number = port.getHost().port
    said, _ = await deferToThread(connect, number, CLIENT, host)
    assert said == f"{host} {number}"
    ((peer, own),) = factory.seen
    assert isinstance(peer, kind)
    assert (own.host, own.port) == (host, number)
    assert own == port.getHost()


class AfterTurns(Where):
    """Tells the test of a connection some turns of the reactor's loop later."""

    def __init__(self, turns: int) -> None:
        super().__init__()
        self.come: Deferred[None] = Deferred()
        self._turns = turns

    def buildProtocol(self, addr: object) -> Any:
        self._wait(self._turns)
        return super().buildProtocol(cast(Any, addr))

    def _wait(self, turns: int) -> None:
        if turns == 0:
            self.come.callback(None)
        else:
            cast(FastReactor, reactor).loop.call_soon(self._wait, turns - 1)


@pytest.mark.parametrize("turns", range(1, 8))
@ensureDeferred
async def test_it_stops_at_whatever_moment(listen: Listen, turns: int) -> None:
    factory = AfterTurns(turns)
    port = listen(factory)
    with socket.create_connection(("127.0.0.1", port.getHost().port)):
        await factory.come
        await port.stopListening()
    assert len(factory.seen) == 1


@ensureDeferred
async def test_whoever_waits_is_served_before_it_closes(listen: Listen) -> None:
    factory = Where()
    port = listen(factory)
    number = port.getHost().port
    # The reactor does not run meanwhile.
    waiting = [socket.create_connection(("127.0.0.1", number), SECONDS) for _ in range(100)]
    assert factory.seen == []
    await port.stopListening()
    assert len(factory.seen) == len(waiting)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", number), SECONDS)
    for plain in waiting:
        assert await deferToThread(hear, plain) == f"127.0.0.1 {number}".encode()


def hear(plain: socket.socket) -> bytes:
    with CLIENT.wrap_socket(plain, server_hostname="localhost") as secure:
        return secure.recv(100)


@attrs.define
class Refusing:
    """A factory that has no protocol for the first client, in one way or the other."""

    trouble: Exception | None
    refused: bool = False

    def doStart(self) -> None:
        pass

    def doStop(self) -> None:
        pass

    def buildProtocol(self, peer: object) -> Protocol | None:
        if self.refused:
            return Where().buildProtocol(cast(Any, peer))
        self.refused = True
        if self.trouble is not None:
            raise self.trouble
        return None


@pytest.mark.parametrize("trouble", [None, LookupError("trouble")])
@ensureDeferred
async def test_a_client_without_protocol(listen: Listen, trouble: Exception | None) -> None:
    number = listen(Refusing(trouble)).getHost().port
    with capturedLogs() as events:
        with pytest.raises((ConnectionError, ssl.SSLError)):
            await deferToThread(connect, number, CLIENT)
        assert (await deferToThread(connect, number, CLIENT))[0].startswith("127.0.0.1")
    assert len(events) == (trouble is not None)


class Exhausted:
    """A socket that cannot accept for a while."""

    def __init__(self, *numbers: int) -> None:
        self._numbers = list(numbers)

    def accept(self) -> None:
        if not self._numbers:
            raise BlockingIOError
        raise OSError(self._numbers.pop(0), "trouble")

    def fileno(self) -> int:
        return 0

    def close(self) -> None:
        self.fileno = lambda: -1  # type: ignore[method-assign]


class Readers(Clock):
    """A reactor that only keeps what it is to read."""

    loop = None

    def __init__(self) -> None:
        super().__init__()
        self.readers: set[object] = set()

    def addReader(self, reader: object) -> None:
        self.readers.add(reader)

    def removeReader(self, reader: object) -> None:
        self.readers.discard(reader)


class TestTrouble:
    @pytest.fixture
    def readers(self) -> Readers:
        return Readers()

    @pytest.fixture
    def port(self, listen: Listen, readers: Readers) -> Port:
        return listen(Where(), reactor=readers)

    def test_without_descriptors_it_pauses(self, port: Port, readers: Readers) -> None:
        port._socket.close()
        port._socket = cast(Any, Exhausted(errno.EMFILE))
        with capturedLogs() as events:
            port.doRead()
        assert [formatEvent(event) for event in events] == [
            "no connection can be accepted for 1 s: [Errno 24] trouble"
        ]
        assert readers.readers == set()
        readers.advance(PAUSE)
        assert readers.readers == {port}
        port.doRead()
        assert readers.getDelayedCalls() == []

    @ensureDeferred
    async def test_it_may_stop_meanwhile(self, port: Port, readers: Readers) -> None:
        port._socket.close()
        port._socket = cast(Any, Exhausted(errno.ENFILE))
        port.doRead()
        await port.stopListening()
        readers.advance(PAUSE)
        assert readers.readers == set()

    def test_a_client_that_has_gone_again_is_no_trouble(self, port: Port, readers: Readers) -> None:
        port._socket.close()
        port._socket = cast(Any, Exhausted(errno.ECONNABORTED, errno.EPROTO))
        port.doRead()
        assert readers.readers == {port}

    @ensureDeferred
    async def test_a_socket_that_uvloop_does_not_take(self, listen: Listen) -> None:
        @attrs.frozen
        class Loop:
            real: Any

            def create_task(self, coroutine: Awaitable[None]) -> Any:
                return self.real.create_task(coroutine)

            async def connect_accepted_socket(self, _factory: object, _socket: object) -> None:
                raise OSError(errno.EBADF, os.strerror(errno.EBADF))

        readers = Readers()
        readers.loop = Loop(cast(FastReactor, reactor).loop)  # type: ignore[assignment]
        factory = Where()
        port = listen(factory, reactor=readers)
        with socket.create_connection(("127.0.0.1", port.getHost().port), SECONDS) as client:
            port.doRead()
            with capturedLogs() as events:
                await port.stopListening()
            assert await deferToThread(client.recv, 1) == b""
        assert "a connection was lost at once" in formatEvent(events[0])
        assert factory.seen == []
