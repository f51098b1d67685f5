"""Doors that say hello, and clients that knock at them: the fixture ``open_door``."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, cast

import attrs
import pytest
import pytest_twisted
from twisted.application.service import Service
from twisted.internet import reactor
from twisted.internet.protocol import Factory, Protocol, ServerFactory

from notary.config.values import ListenAddress
from notary.door import Door

SECONDS = 5
"""How long a client waits for a server at the most."""

Open = Callable[..., int]


class Greeting(Protocol):
    """Says hello to whoever is let in."""

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(b"hello")
        self.transport.loseConnection()


@attrs.frozen
class Drawing:
    """A door that is never opened, as it would be made."""

    host: str
    port: int
    factory: Any
    context: Any


def watch_doors(monkeypatch: pytest.MonkeyPatch, tap: ModuleType) -> list[Drawing]:
    """Collect the doors that a tap makes from now on."""
    drawings = []

    def draw(reactor: Any, address: ListenAddress, factory: Any, context: Any, **_: Any) -> Service:
        drawings.append(Drawing(address.host, address.port, factory, context))
        return Service()

    monkeypatch.setattr(tap, "Door", draw)
    return drawings


def greet() -> ServerFactory[Any]:
    factory = Factory.forProtocol(Greeting)
    factory.noisy = False
    return cast("ServerFactory[Any]", factory)


@pytest.fixture
def tls_reactor() -> Any:
    """What doors and connections are given as the reactor."""
    return reactor


@pytest.fixture
def open_door(tls_reactor: Any) -> Iterator[Open]:
    """Opens doors on ports that are free, until the test is over."""
    doors = []

    def open_one(
        context: Any = None,
        host: str = "127.0.0.1",
        port: int = 0,
        factory: Any = None,
        *,
        reuse_port: bool = False,
    ) -> int:
        address = ListenAddress(host, port)
        door = Door(tls_reactor, address, factory or greet(), context, reuse_port=reuse_port)
        door.startService()
        doors.append(door)
        listening: Any = door._listening
        return int(listening.getHost().port)

    yield open_one
    for door in doors:
        pytest_twisted.blockon(door.stopService())


def connect(port: int, context: ssl.SSLContext | None, host: str = "127.0.0.1") -> tuple[str, Any]:
    """What a server says, and the version and cipher it is said in. Blocks."""
    with socket.create_connection((host, port), SECONDS) as plain:
        if context is None:
            return plain.recv(100).decode(), None
        with context.wrap_socket(plain, server_hostname="localhost") as secure:
            return secure.recv(100).decode(), secure.cipher()
