"""TLS and doors: over loopback, with certificates made for the purpose."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import attrs
import pytest
import pytest_twisted
from cryptography.hazmat.primitives.asymmetric import rsa
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import Factory, Protocol, ServerFactory
from twisted.internet.threads import deferToThread
from twisted.logger import capturedLogs, formatEvent

from notary.tls import Door, TLSError, server_context
from tests.support.authority import Identity, make_identity
from tests.support.daemons import FIXTURES, ROOT_CA, free_port

SECONDS = 5
"""How long a client waits for a server at the most."""


class Greeting(Protocol):
    """Says hello to whoever is let in."""

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(b"hello")
        self.transport.loseConnection()


def greet() -> ServerFactory[Any]:
    factory = Factory.forProtocol(Greeting)
    factory.noisy = False
    return cast("ServerFactory[Any]", factory)


@attrs.frozen
class Authorities:
    """Those that sign certificates in a test.

    Attributes:
        root: signs the intermediate one.
        intermediate: signs the server's certificate.
        other: one that nobody trusts.
    """

    root: Identity
    intermediate: Identity
    other: Identity


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tls")


@pytest.fixture(scope="module")
def authorities(directory: Path) -> Authorities:
    root = make_identity(directory, "root-ca", is_ca=True)
    intermediate = make_identity(directory, "intermediate-ca", root, is_ca=True)
    return Authorities(root, intermediate, make_identity(directory, "other-ca", is_ca=True))


@pytest.fixture(scope="module")
def server(directory: Path, authorities: Authorities) -> Identity:
    return make_identity(directory, "server", authorities.intermediate)


Open = Callable[..., int]


@pytest.fixture
def open_door() -> Iterator[Open]:
    """Opens doors on ports that are free, until the test is over."""
    doors = []

    def open_one(
        context: Any = None, host: str = "127.0.0.1", port: int = 0, factory: Any = None
    ) -> int:
        door = Door(reactor, host, port, factory or greet(), context)
        door.startService()
        doors.append(door)
        listening: Any = door._listening
        return int(listening.getHost().port)

    yield open_one
    for door in doors:
        pytest_twisted.blockon(door.stopService())


def trusting(authority: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=authority)


def connect(port: int, context: ssl.SSLContext | None, host: str = "127.0.0.1") -> tuple[str, Any]:
    """What a server says, and the version and cipher it is said in. Blocks."""
    with socket.create_connection((host, port), SECONDS) as plain:
        if context is None:
            return plain.recv(100).decode(), None
        with context.wrap_socket(plain, server_hostname="localhost") as secure:
            return secure.recv(100).decode(), secure.cipher()


class TestHandshake:
    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
    @ensureDeferred
    async def test_the_chain_is_sent_to_clients(
        self,
        open_door: Open,
        server: Identity,
        authorities: Authorities,
        version: ssl.TLSVersion,
    ) -> None:
        """A client that knows the root alone needs the certificate in between."""
        port = open_door(server_context(server.certificate_file, server.key_file, None))
        root_only = authorities.root.certificate_file
        context = trusting(root_only)
        context.minimum_version = context.maximum_version = version
        greeting, cipher = await deferToThread(connect, port, context)
        assert greeting == "hello"
        assert "GCM" in cipher[0] or "CHACHA20" in cipher[0]

    @ensureDeferred
    async def test_the_sample_certificates_do(self, open_door: Open) -> None:
        files = FIXTURES / "notary-server.crt", FIXTURES / "notary-server.key"
        port = open_door(server_context(*files, None))
        assert (await deferToThread(connect, port, trusting(ROOT_CA)))[0] == "hello"

    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
    @ensureDeferred
    async def test_older_versions_are_refused(
        self, open_door: Open, server: Identity, authorities: Authorities, version: ssl.TLSVersion
    ) -> None:
        port = open_door(server_context(server.certificate_file, server.key_file, None))
        context = trusting(authorities.root.certificate_file)
        context.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.warns(DeprecationWarning, match="TLSv1"):
            context.minimum_version = context.maximum_version = version
        with pytest.raises(ssl.SSLError, match=r"(?i)protocol.version"):
            await deferToThread(connect, port, context)

    @pytest.mark.parametrize("cipher", ["AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA"])
    @ensureDeferred
    async def test_weak_ciphers_are_refused(
        self, open_door: Open, server: Identity, authorities: Authorities, cipher: str
    ) -> None:
        """Those without forward secrecy, and those that do not authenticate what they encrypt."""
        port = open_door(server_context(server.certificate_file, server.key_file, None))
        context = trusting(authorities.root.certificate_file)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(cipher)
        with pytest.raises(ssl.SSLError, match=r"(?i)handshake.failure"):
            await deferToThread(connect, port, context)

    @ensureDeferred
    async def test_plain_text_is_not_understood(self, open_door: Open, server: Identity) -> None:
        port = open_door(server_context(server.certificate_file, server.key_file, None))

        def say_hello() -> bytes:
            with socket.create_connection(("127.0.0.1", port), SECONDS) as plain:
                plain.sendall(b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
                return plain.recv(100)

        assert b"hello" not in await deferToThread(say_hello)


class TestClientCertificates:
    @pytest.fixture
    def port(self, open_door: Open, server: Identity, authorities: Authorities) -> int:
        """A server that lets in whom the root or the intermediate authority vouches for."""
        return open_door(
            server_context(
                server.certificate_file, server.key_file, authorities.intermediate.certificate_file
            )
        )

    async def greeting(
        self, port: int, authorities: Authorities, client: Identity | None, version: Any
    ) -> str:
        context = trusting(authorities.root.certificate_file)
        context.minimum_version = context.maximum_version = version
        if client is not None:
            context.load_cert_chain(client.certificate_file, client.key_file)
        greeting, _ = await deferToThread(connect, port, context)
        return str(greeting)

    VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)

    @pytest.mark.parametrize("version", VERSIONS)
    @pytest.mark.parametrize("issuer", ["root", "intermediate"])
    @ensureDeferred
    async def test_one_of_the_authorities_is_let_in(
        self, port: int, directory: Path, authorities: Authorities, issuer: str, version: Any
    ) -> None:
        client = make_identity(directory, "client", getattr(authorities, issuer))
        assert await self.greeting(port, authorities, client, version) == "hello"

    @pytest.mark.parametrize("version", VERSIONS)
    @pytest.mark.parametrize("kind", ["none", "other", "expired", "self-signed", "same name"])
    @ensureDeferred
    async def test_all_others_are_kept_out(
        self, port: int, directory: Path, authorities: Authorities, kind: str, version: Any
    ) -> None:
        impostor = make_identity(directory / "..", "root-ca", is_ca=True)
        clients = {
            "none": None,
            "other": make_identity(directory, "other", authorities.other),
            "expired": make_identity(directory, "expired", authorities.root, expired=True),
            "self-signed": make_identity(directory, "alone"),
            "same name": make_identity(directory, "twin", impostor),
        }
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await self.greeting(port, authorities, clients[kind], version)

    @ensureDeferred
    async def test_without_an_authority_anybody_is_let_in(
        self, open_door: Open, directory: Path, server: Identity, authorities: Authorities
    ) -> None:
        port = open_door(server_context(server.certificate_file, server.key_file, None))
        stranger = make_identity(directory, "stranger")
        for client in (None, stranger):
            greeting = await self.greeting(port, authorities, client, ssl.TLSVersion.TLSv1_3)
            assert greeting == "hello"


class TestFiles:
    def test_a_missing_certificate(self, tmp_path: Path, server: Identity) -> None:
        path = tmp_path / "missing.crt"
        with pytest.raises(TLSError, match=rf"from {path}: .*No such file"):
            server_context(path, server.key_file, None)

    def test_a_missing_key(self, tmp_path: Path, server: Identity) -> None:
        path = tmp_path / "missing.key"
        with pytest.raises(TLSError, match=rf"from {path}: FileNotFoundError"):
            server_context(server.certificate_file, path, None)

    def test_a_directory_in_place_of_a_file(self, tmp_path: Path, server: Identity) -> None:
        with pytest.raises(TLSError, match=rf"from {tmp_path}: .*Is a directory"):
            server_context(tmp_path, server.key_file, None)
        with pytest.raises(TLSError, match=rf"from {tmp_path}: IsADirectoryError"):
            server_context(server.certificate_file, tmp_path, None)

    @pytest.mark.parametrize(
        "content", [b"", b"nothing", b"-----BEGIN CERTIFICATE-----\n", b"\xff"]
    )
    def test_files_that_hold_something_else(
        self, tmp_path: Path, server: Identity, content: bytes
    ) -> None:
        path = tmp_path / "odd.pem"
        path.write_bytes(content)
        for files in (
            (path, server.key_file, None),
            (server.certificate_file, path, None),
            (server.certificate_file, server.key_file, path),
        ):
            with pytest.raises(TLSError, match=str(path)):
                server_context(*files)

    def test_a_certificate_in_place_of_the_key(self, server: Identity) -> None:
        with pytest.raises(TLSError, match="no unencrypted PEM private key"):
            server_context(server.certificate_file, server.certificate_file, None)

    def test_a_key_in_place_of_the_certificate(self, server: Identity) -> None:
        with pytest.raises(TLSError, match="no PEM certificate can be read from"):
            server_context(server.key_file, server.key_file, None)

    def test_a_key_that_is_encrypted(self, directory: Path) -> None:
        """Nobody is asked for a passphrase: a daemon has no terminal."""
        locked = make_identity(directory, "locked", passphrase=b"secret")
        with pytest.raises(TLSError, match=f"no unencrypted PEM private key .* {locked.key_file}"):
            server_context(locked.certificate_file, locked.key_file, None)

    def test_a_key_of_another_certificate(self, directory: Path, server: Identity) -> None:
        other = make_identity(directory, "another")
        with pytest.raises(TLSError) as caught:
            server_context(server.certificate_file, other.key_file, None)
        assert str(caught.value) == (
            f"the key in {other.key_file} does not belong to the certificate in "
            f"{server.certificate_file}"
        )

    def test_a_key_of_another_kind(self, directory: Path, server: Identity) -> None:
        private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        other = make_identity(directory, "rsa", private=private)
        server_context(other.certificate_file, other.key_file, None)
        with pytest.raises(TLSError, match="does not belong to the certificate"):
            server_context(server.certificate_file, other.key_file, None)

    def test_a_key_that_is_too_weak(self, directory: Path) -> None:
        private = rsa.generate_private_key(public_exponent=65537, key_size=1024)
        weak = make_identity(directory, "weak", private=private)
        with pytest.raises(TLSError, match=r"weak.crt will not do: .*key too small"):
            server_context(weak.certificate_file, weak.key_file, None)


class TestDoor:
    @ensureDeferred
    async def test_no_host_means_every_interface(self, open_door: Open) -> None:
        port = open_door(host="")
        assert await deferToThread(connect, port, None, "127.0.0.1") == ("hello", None)
        assert await deferToThread(connect, port, None, "::1") == ("hello", None)

    @pytest.mark.parametrize(
        ("host", "reached", "other"),
        [("127.0.0.1", "127.0.0.1", "::1"), ("::1", "::1", "127.0.0.1")],
    )
    @ensureDeferred
    async def test_an_address_means_that_one(
        self, open_door: Open, host: str, reached: str, other: str
    ) -> None:
        port = open_door(host=host)
        assert (await deferToThread(connect, port, None, reached))[0] == "hello"
        with pytest.raises(ConnectionRefusedError):
            await deferToThread(connect, port, None, other)

    @ensureDeferred
    async def test_a_host_name_means_its_address(self, open_door: Open) -> None:
        port = open_door(host="localhost")
        assert (await deferToThread(connect, port, None, "127.0.0.1"))[0] == "hello"

    def test_says_where_it_is(self, open_door: Open, server: Identity) -> None:
        context = server_context(server.certificate_file, server.key_file, None)
        with capturedLogs() as events:
            open_door(context)
        messages = [formatEvent(event) for event in events]
        assert messages[:2] == ["Enabling TLS", "Starting on 127.0.0.1:0"]

    @pytest.mark.parametrize("host", ["127.0.0.1", ""])
    def test_a_port_that_is_taken_ends_the_process(self, open_door: Open, host: str) -> None:
        port = open_door(host=host)
        with pytest.raises(SystemExit) as caught:
            open_door(host=host, port=port)
        message = str(caught.value)
        assert message.startswith(f"cannot listen on {host}:{port}: ")
        assert "Address already in use" in message

    @pytest.mark.parametrize("host", ["nowhere.invalid", "192.0.2.1"])
    def test_a_host_that_is_not_here_ends_the_process(self, open_door: Open, host: str) -> None:
        with pytest.raises(SystemExit, match=rf"^cannot listen on {host}:4443: .+"):
            open_door(host=host, port=4443)

    @ensureDeferred
    async def test_closes_when_it_stops(self) -> None:
        port = free_port()
        door = Door(reactor, "127.0.0.1", port, greet(), None)
        door.startService()
        assert (await deferToThread(connect, port, None))[0] == "hello"
        await door.stopService()
        with pytest.raises(ConnectionRefusedError):
            await deferToThread(connect, port, None)
        door.startService()
        await door.stopService()

    @ensureDeferred
    async def test_may_stop_without_having_started(self) -> None:
        await Door(reactor, "", 0, greet(), None).stopService()

    @pytest.mark.parametrize("number", [errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL])
    def test_without_ipv6_ipv4_has_to_do(self, number: int) -> None:
        asked = ReactorWithoutIPv6(number)
        Door(asked, "", 4443, greet(), None).startService()
        assert asked.interfaces == ["::", "0.0.0.0"]

    def test_other_troubles_of_ipv6_are_no_reason_for_ipv4(self) -> None:
        asked = ReactorWithoutIPv6(errno.EACCES)
        with pytest.raises(SystemExit, match=r"cannot listen on :4443: .*trouble"):
            Door(asked, "", 4443, greet(), None).startService()
        assert asked.interfaces == ["::"]


class ReactorWithoutIPv6:
    """A reactor on a machine whose kernel refuses IPv6.

    Attributes:
        interfaces: what it was asked to listen on.
    """

    def __init__(self, number: int) -> None:
        self._number = number
        self.interfaces: list[str] = []

    def listenTCP(self, port: int, factory: object, interface: str) -> IListeningPort | None:
        self.interfaces.append(interface)
        if interface == "::":
            raise CannotListenError(interface, port, OSError(self._number, "trouble"))
        return None
