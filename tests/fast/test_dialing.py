"""Connections to others: what becomes of them until the handshake."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import attrs
import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionAborted, ConnectionRefusedError, TimeoutError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Protocol
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

from notary.fast.dialing import TLSClientEndpoint
from notary.fast.reactor import FastReactor
from notary.tls import ClientContext
from tests.support.authority import Identity, make_identity
from tests.support.daemons import free_port
from tests.support.doors import SECONDS
from tests.support.reactor import reactor

fast = cast(FastReactor, reactor)


class Listener(Protocol):
    """Notes why it ends."""

    transport: Any
    reason: BaseException | None = None

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        self.reason = reason.value


@attrs.frozen
class Dialling:
    """Connects with the settings of a client, and is the factory of what speaks.

    Attributes:
        root: whom it trusts.
        context: the settings.
        made: what speaks.
    """

    root: Identity
    context: ClientContext
    made: list[Listener] = attrs.Factory(list)

    def __call__(
        self, port: int, host: str = "127.0.0.1", seconds: float = SECONDS, loop: Any = fast.loop
    ) -> Deferred[Any]:
        by = cast(FastReactor, SimpleNamespace(loop=loop))
        endpoint = TLSClientEndpoint(by, host, port, seconds, self.context)
        verifyObject(IStreamClientEndpoint, endpoint)
        return endpoint.connect(cast(Any, self))

    def buildProtocol(self, _address: object) -> Listener:
        self.made.append(Listener())
        return self.made[-1]


@pytest.fixture
def dial(tmp_path: Path) -> Dialling:
    root = make_identity(tmp_path, "root", is_ca=True)
    return Dialling(root, ClientContext("localhost", root.certificate_file, None, []))


@pytest.fixture
def busy() -> Iterator[int]:
    """A port at which nobody is answered any more."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listening:
        number = listening.getsockname()[1]
        with socket.create_connection(("127.0.0.1", number)):
            yield number


@pytest.mark.parametrize(
    ("host", "family", "kind"),
    [("127.0.0.1", socket.AF_INET, IPv4Address), ("::1", socket.AF_INET6, IPv6Address)],
)
@ensureDeferred
async def test_protocols_know_both_addresses(
    dial: Dialling, host: str, family: int, kind: type
) -> None:
    with socket.create_server((host, 0), family=family) as listening:
        number = listening.getsockname()[1]
        protocol = await dial(number, host)
        transport = protocol.transport
        assert transport.getPeer() == kind("TCP", *listening.getsockname())
        with listening.accept()[0] as accepted:
            assert transport.getHost() == kind("TCP", *accepted.getpeername())
        assert not transport.getTcpKeepAlive()
        transport.setTcpKeepAlive(True)
        assert transport.getTcpKeepAlive()
        transport.abortConnection()
        await ended(protocol)


async def ended(protocol: Listener) -> None:
    """Wait until a protocol hears of the end."""
    for _ in range(SECONDS * 100):
        if protocol.reason is not None:
            return
        await deferLater(fast, 0.01)
    raise AssertionError("it does not hear of the end")


@ensureDeferred
async def test_nobody_listens(dial: Dialling) -> None:
    with pytest.raises(ConnectionRefusedError, match="Connection refused"):
        await dial(free_port())
    assert dial.made == []


@ensureDeferred
async def test_nobody_answers(dial: Dialling, busy: int) -> None:
    with pytest.raises(TimeoutError):
        await dial(busy, seconds=0.1)
    assert dial.made == []


@ensureDeferred
async def test_it_is_given_up(dial: Dialling, busy: int) -> None:
    connecting = dial(busy)
    await deferLater(fast, 0.05)
    connecting.cancel()
    with pytest.raises(CancelledError):
        await connecting
    assert dial.made == []


@ensureDeferred
async def test_it_is_given_up_when_it_has_begun(dial: Dialling) -> None:
    """Nobody is left with a protocol that never hears of the end."""

    class SlowLoop:
        def __getattr__(self, name: str) -> Any:
            return getattr(fast.loop, name)

        async def create_connection(self, *args: Any, **kwargs: Any) -> Any:
            made = await fast.loop.create_connection(*args, **kwargs)
            await asyncio.sleep(0.1)
            return made

    with socket.create_server(("127.0.0.1", 0)) as listening:
        connecting = dial(listening.getsockname()[1], loop=SlowLoop())
        await deferLater(fast, 0.05)
        (protocol,) = dial.made
        assert protocol.transport is not None
        connecting.cancel()
        with pytest.raises(CancelledError):
            await connecting
        await ended(protocol)
        assert isinstance(protocol.reason, ConnectionAborted)


@ensureDeferred
async def test_who_says_nothing_shakes_hands(dial: Dialling, tmp_path: Path) -> None:
    """Else servers would wait for the end of the handshake."""
    one = make_identity(tmp_path, "server", dial.root)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(one.certificate_file, one.key_file)

    def shake_hands(listening: socket.socket) -> str | None:
        accepted, _ = listening.accept()
        accepted.settimeout(SECONDS)
        with context.wrap_socket(accepted, server_side=True) as secure:
            return secure.version()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        shaking = deferToThread(shake_hands, listening)
        protocol = await dial(listening.getsockname()[1])
        assert await shaking == "TLSv1.3"
        await ended(protocol)
