"""Sessions that are resumed, and settings that are taken in anew, over loopback."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import attrs
import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol, wrapClientTLS
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.threads import deferToThread

from notary.tls import ClientContext, FastServerContext, KeyPair, ServerContext, TLSError, peer_name
from notary.tls.contexts import SESSION_SECONDS
from tests.support.authority import Identity, make_identity
from tests.support.doors import SECONDS, Open
from tests.support.reactor import by_both_tls

tls_reactor = by_both_tls


VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


class TellsWho(Protocol):
    """Tells clients what the server takes them for."""

    transport: Any

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(peer_name(self.transport).encode())
        self.transport.loseConnection()


@attrs.define
class Clock:
    """A clock that stands still unless told otherwise."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@attrs.define
class House:
    """A server whose files can be replaced.

    Attributes:
        directory: holds them.
        root: the authority of the server and its clients.
        context: the server's settings, for clients with a certificate only.
        clock: its time.
    """

    directory: Path
    root: Identity
    context: ServerContext | FastServerContext
    clock: Clock

    @classmethod
    def build(cls, directory: Path, settings: Callable[..., Any]) -> House:
        root = make_identity(directory, "root", is_ca=True)
        make_identity(directory, "first", root)
        shutil.copy(root.certificate_file, directory / "clients.crt")
        clock = Clock()
        put(directory, "first", "live")
        pair = KeyPair(directory / "live.crt", directory / "live.key")
        context = settings(pair, directory / "clients.crt", seconds=clock)
        return cls(directory, root, context, clock)

    def replace(self, name: str, issuer: Identity | None = None, **how: Any) -> None:
        """Put a new certificate and key in the place of those of the server."""
        make_identity(self.directory, name, issuer or self.root, **how)
        put(self.directory, name, "live")


def put(directory: Path, name: str, place: str) -> None:
    for kind in ("crt", "key"):
        shutil.copy(directory / f"{name}.{kind}", directory / f"{place}.{kind}")


@pytest.fixture(params=[ServerContext, FastServerContext])
def house(tmp_path: Path, request: pytest.FixtureRequest) -> House:
    return House.build(tmp_path, request.param)


@attrs.define
class Client:
    """Connects again and again with a certificate of its own.

    Attributes:
        shown: the common name of the server the last time.
        taken_for: what the server took it for.
    """

    port: int
    context: ssl.SSLContext
    shown: str = ""
    taken_for: str = ""
    _session: ssl.SSLSession | None = None

    @classmethod
    def make(cls, house: House, port: int, version: ssl.TLSVersion) -> Client:
        context = ssl.create_default_context(cafile=house.root.certificate_file)
        context.minimum_version = context.maximum_version = version
        one = make_identity(house.directory, "client", house.root)
        context.load_cert_chain(one.certificate_file, one.key_file)
        return cls(port, context)

    async def connect(self) -> bool:
        """Return whether the session was resumed."""
        return await deferToThread(self._connect)

    def _connect(self) -> bool:
        plain = socket.create_connection(("127.0.0.1", self.port), SECONDS)
        with self.context.wrap_socket(
            plain, server_hostname="localhost", session=self._session
        ) as secure:
            secure.sendall(b"?")
            self.taken_for = secure.recv(100).decode()
            self._session = secure.session
            shown = cast(bytes, secure.getpeercert(binary_form=True))
            names = x509.load_der_x509_certificate(shown).subject
            (name,) = names.get_attributes_for_oid(NameOID.COMMON_NAME)
            self.shown = str(name.value)
            return bool(secure.session_reused)


@pytest.fixture(params=VERSIONS)
def client(house: House, open_door: Open, request: pytest.FixtureRequest) -> Client:
    factory = Factory.forProtocol(TellsWho)
    factory.noisy = False
    port = open_door(house.context, factory=factory)
    return Client.make(house, port, request.param)


class TestSessions:
    @ensureDeferred
    async def test_are_resumed_with_the_name_of_the_client(self, client: Client) -> None:
        assert not await client.connect()
        for _ in range(2):
            assert await client.connect()
            assert client.taken_for == "CN=client"

    @ensureDeferred
    async def test_end_with_the_settings_that_they_began_with(
        self, house: House, client: Client
    ) -> None:
        await client.connect()
        house.context.reload()
        assert not await client.connect()
        assert await client.connect()

    @ensureDeferred
    async def test_do_not_get_in_whom_another_authority_keeps_out(
        self, house: House, client: Client
    ) -> None:
        await client.connect()
        other = make_identity(house.directory, "other", is_ca=True)
        shutil.copy(other.certificate_file, house.directory / "clients.crt")
        house.context.reload()
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await client.connect()

    @ensureDeferred
    async def test_end_in_time(self, house: House, client: Client) -> None:
        await client.connect()
        house.clock.now = SESSION_SECONDS - 1
        assert await client.connect()
        house.clock.now = SESSION_SECONDS
        assert not await client.connect()
        assert await client.connect()


class TestReload:
    @ensureDeferred
    async def test_new_connections_get_the_new_certificate(
        self, house: House, client: Client
    ) -> None:
        await client.connect()
        assert client.shown == "first"
        house.replace("second")
        await client.connect()
        assert client.shown == "first"
        house.context.reload()
        await client.connect()
        assert client.shown == "second"

    @pytest.mark.parametrize(
        ("spoil", "trouble"),
        [
            (lambda live: os.remove(live / "live.crt"), "No such file"),
            (lambda live: os.remove(live / "live.key"), "No such file"),
            (lambda live: os.remove(live / "clients.crt"), "clients.crt: .*No such file"),
            (lambda live: os.truncate(live / "live.crt", 200), "no PEM certificate can be read"),
            (lambda live: os.truncate(live / "live.key", 100), "no unencrypted PEM private key"),
            (lambda live: os.truncate(live / "clients.crt", 0), "clients.crt"),
            (lambda live: shutil.copy(live / "client.key", live / "live.key"), "does not belong"),
        ],
    )
    @ensureDeferred
    async def test_bad_files_change_nothing(
        self, house: House, client: Client, spoil: Callable[[Path], object], trouble: str
    ) -> None:
        spoil(house.directory)
        with pytest.raises(TLSError, match=trouble):
            house.context.reload()
        await client.connect()
        assert client.shown == "first"
        assert client.taken_for == "CN=client"

    @ensureDeferred
    async def test_settings_that_grow_old_after_bad_files_are_still_the_former(
        self, house: House, client: Client
    ) -> None:
        os.remove(house.directory / "live.key")
        with pytest.raises(TLSError):
            house.context.reload()
        house.clock.now = SESSION_SECONDS
        await client.connect()
        assert client.shown == "first"

    @ensureDeferred
    async def test_an_expired_certificate_does_not_take_the_place_of_another(
        self, house: House, client: Client
    ) -> None:
        house.replace("old", expired=True)
        with pytest.raises(TLSError, match="has expired: it was valid until"):
            house.context.reload()
        await client.connect()
        assert client.shown == "first"

    def test_one_starts_with_an_expired_certificate(self, house: House) -> None:
        house.replace("old", expired=True)
        pair = KeyPair(house.directory / "live.crt", house.directory / "live.key")
        ServerContext(pair, None)
        client = ClientContext("localhost", None, pair, [])
        with pytest.raises(TLSError, match="has expired"):
            client.reload()

    def test_all_files_are_watched(self, house: House) -> None:
        names = ["live.crt", "live.key", "clients.crt"]
        assert [file.name for file in house.context.files] == names
        without = ClientContext("localhost", house.directory / "clients.crt", None, [])
        assert [file.name for file in without.files] == ["clients.crt"]
        pair = KeyPair(house.directory / "first.crt", house.directory / "first.key")
        assert ClientContext("localhost", None, pair, []).files == [
            pair.certificate_file,
            pair.key_file,
        ]


class TestClients:
    """The settings of a server that connects to its signer."""

    @pytest.fixture
    def context(self, house: House) -> ClientContext:
        make_identity(house.directory, "one", house.root)
        put(house.directory, "one", "shown")
        pair = KeyPair(house.directory / "shown.crt", house.directory / "shown.key")
        return ClientContext("localhost", house.directory / "clients.crt", pair, [])

    @ensureDeferred
    async def test_show_the_new_certificate(
        self, house: House, client: Client, context: ClientContext
    ) -> None:
        assert await ask(client.port, context) == "CN=one"
        make_identity(house.directory, "two", house.root)
        put(house.directory, "two", "shown")
        assert await ask(client.port, context) == "CN=one"
        context.reload()
        assert await ask(client.port, context) == "CN=two"

    @ensureDeferred
    async def test_keep_the_old_one_when_the_new_one_will_not_do(
        self, house: House, client: Client, context: ClientContext
    ) -> None:
        shutil.copy(house.directory / "first.key", house.directory / "shown.key")
        with pytest.raises(TLSError, match="does not belong"):
            context.reload()
        assert await ask(client.port, context) == "CN=one"


class Asking(Protocol):
    """Asks for its name, and keeps what it hears."""

    transport: Any

    def __init__(self, heard: Deferred[str]) -> None:
        self._heard = heard

    def connectionMade(self) -> None:
        self.transport.write(b"?")

    def dataReceived(self, data: bytes) -> None:
        self._heard.callback(data.decode())
        self.transport.loseConnection()


async def ask(port: int, context: ClientContext) -> str:
    """What a server takes a client with these settings for."""
    heard: Deferred[str] = Deferred()
    endpoint = wrapClientTLS(context, TCP4ClientEndpoint(reactor, "127.0.0.1", port))
    await connectProtocol(endpoint, Asking(heard))
    return await heard
