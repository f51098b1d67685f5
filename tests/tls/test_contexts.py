"""TLS over loopback, with certificates made for the purpose."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from OpenSSL import SSL
from pytest_twisted import ensureDeferred
from twisted.internet.threads import deferToThread

from notary.tls import ClientContext, FastServerContext, KeyPair, ServerContext, TLSError
from tests.support.authority import Identity, make_identity
from tests.support.daemons import FIXTURES, ROOT_CA
from tests.support.doors import SECONDS, Open, connect
from tests.support.reactor import by_both_tls

tls_reactor = by_both_tls


SOME_BYTES = 64 * 1024

Settings = Callable[[Path, Path, Path | None], Any]


@pytest.fixture(params=[ServerContext, FastServerContext])
def settings(request: pytest.FixtureRequest) -> Settings:
    """Makes the TLS settings of a server, for either kind of TLS."""

    def make(certificate_file: Path, key_file: Path, client_ca_file: Path | None) -> Any:
        return request.param(KeyPair(certificate_file, key_file), client_ca_file)

    return make


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


def trusting(authority: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=authority)


class TestHandshake:
    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
    @ensureDeferred
    async def test_the_chain_is_sent_to_clients(
        self,
        settings: Settings,
        open_door: Open,
        server: Identity,
        authorities: Authorities,
        version: ssl.TLSVersion,
    ) -> None:
        """A client that knows the root alone needs the certificate in between."""
        port = open_door(settings(server.certificate_file, server.key_file, None))
        root_only = authorities.root.certificate_file
        context = trusting(root_only)
        context.minimum_version = context.maximum_version = version
        greeting, cipher = await deferToThread(connect, port, context)
        assert greeting == "hello"
        assert "GCM" in cipher[0] or "CHACHA20" in cipher[0]

    @ensureDeferred
    async def test_the_sample_certificates_do(self, settings: Settings, open_door: Open) -> None:
        files = FIXTURES / "notary-server.crt", FIXTURES / "notary-server.key"
        port = open_door(settings(*files, None))
        assert (await deferToThread(connect, port, trusting(ROOT_CA)))[0] == "hello"

    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
    @ensureDeferred
    async def test_older_versions_are_refused(
        self,
        settings: Settings,
        open_door: Open,
        server: Identity,
        authorities: Authorities,
        version: ssl.TLSVersion,
    ) -> None:
        port = open_door(settings(server.certificate_file, server.key_file, None))
        context = trusting(authorities.root.certificate_file)
        context.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.warns(DeprecationWarning, match="TLSv1"):
            context.minimum_version = context.maximum_version = version
        with pytest.raises(ssl.SSLError, match=r"(?i)protocol.version"):
            await deferToThread(connect, port, context)

    @pytest.mark.parametrize("cipher", ["AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA"])
    @ensureDeferred
    async def test_weak_ciphers_are_refused(
        self,
        settings: Settings,
        open_door: Open,
        server: Identity,
        authorities: Authorities,
        cipher: str,
    ) -> None:
        """Those without forward secrecy, and those that do not authenticate what they encrypt."""
        port = open_door(settings(server.certificate_file, server.key_file, None))
        context = trusting(authorities.root.certificate_file)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(cipher)
        with pytest.raises(ssl.SSLError, match=r"(?i)handshake.failure"):
            await deferToThread(connect, port, context)

    @ensureDeferred
    async def test_plain_text_is_not_understood(
        self, settings: Settings, open_door: Open, server: Identity
    ) -> None:
        port = open_door(settings(server.certificate_file, server.key_file, None))

        def say_hello() -> bytes:
            with socket.create_connection(("127.0.0.1", port), SECONDS) as plain:
                plain.sendall(b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
                return plain.recv(100)

        assert b"hello" not in await deferToThread(say_hello)


def test_either_kind_of_tls_has_the_same_ciphers(server: Identity) -> None:
    pair = KeyPair(server.certificate_file, server.key_file)
    plain = ServerContext(pair, None).serverConnectionForTLS(None).get_cipher_list()
    fast = FastServerContext(pair, None).context().get_ciphers()
    assert [cipher["name"] for cipher in fast] == plain


class TestClientCertificates:
    @pytest.fixture
    def port(
        self, settings: Settings, open_door: Open, server: Identity, authorities: Authorities
    ) -> int:
        """A server that lets in whom the root or the intermediate authority vouches for."""
        return open_door(
            settings(
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
        self,
        settings: Settings,
        open_door: Open,
        directory: Path,
        server: Identity,
        authorities: Authorities,
    ) -> None:
        port = open_door(settings(server.certificate_file, server.key_file, None))
        stranger = make_identity(directory, "stranger")
        for client in (None, stranger):
            greeting = await self.greeting(port, authorities, client, ssl.TLSVersion.TLSv1_3)
            assert greeting == "hello"


class TestFiles:
    def test_a_missing_certificate(
        self, settings: Settings, tmp_path: Path, server: Identity
    ) -> None:
        path = tmp_path / "missing.crt"
        with pytest.raises(TLSError, match=rf"from {path}: .*No such file"):
            settings(path, server.key_file, None)

    def test_a_missing_key(self, settings: Settings, tmp_path: Path, server: Identity) -> None:
        path = tmp_path / "missing.key"
        with pytest.raises(TLSError, match=rf"from {path}: No such file"):
            settings(server.certificate_file, path, None)

    def test_a_directory_in_place_of_a_file(
        self, settings: Settings, tmp_path: Path, server: Identity
    ) -> None:
        with pytest.raises(TLSError, match=rf"from {tmp_path}: .*Is a directory"):
            settings(tmp_path, server.key_file, None)
        with pytest.raises(TLSError, match=rf"from {tmp_path}: Is a directory"):
            settings(server.certificate_file, tmp_path, None)

    @pytest.mark.parametrize(
        "content", [b"", b"nothing", b"-----BEGIN CERTIFICATE-----\n", b"\xff"]
    )
    def test_files_that_hold_something_else(
        self, settings: Settings, tmp_path: Path, server: Identity, content: bytes
    ) -> None:
        path = tmp_path / "odd.pem"
        path.write_bytes(content)
        for files in (
            (path, server.key_file, None),
            (server.certificate_file, path, None),
            (server.certificate_file, server.key_file, path),
        ):
            with pytest.raises(TLSError, match=str(path)):
                settings(*files)

    def test_a_certificate_in_place_of_the_key(self, settings: Settings, server: Identity) -> None:
        with pytest.raises(TLSError, match="no unencrypted PEM private key"):
            settings(server.certificate_file, server.certificate_file, None)

    def test_a_key_in_place_of_the_certificate(self, settings: Settings, server: Identity) -> None:
        with pytest.raises(TLSError, match="no PEM certificate can be read from"):
            settings(server.key_file, server.key_file, None)

    def test_a_key_that_is_encrypted(self, settings: Settings, directory: Path) -> None:
        """Nobody is asked for a passphrase: a daemon has no terminal."""
        locked = make_identity(directory, "locked", passphrase=b"secret")
        with pytest.raises(TLSError, match=f"no unencrypted PEM private key .* {locked.key_file}"):
            settings(locked.certificate_file, locked.key_file, None)

    def test_a_key_of_another_certificate(
        self, settings: Settings, directory: Path, server: Identity
    ) -> None:
        other = make_identity(directory, "another")
        with pytest.raises(TLSError) as caught:
            settings(server.certificate_file, other.key_file, None)
        assert str(caught.value) == (
            f"the key in {other.key_file} does not belong to the certificate in "
            f"{server.certificate_file}: set the two that were made together"
        )

    def test_a_key_of_another_kind(
        self, settings: Settings, directory: Path, server: Identity
    ) -> None:
        private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        other = make_identity(directory, "rsa", private=private)
        settings(other.certificate_file, other.key_file, None)
        with pytest.raises(TLSError, match="does not belong to the certificate"):
            settings(server.certificate_file, other.key_file, None)

    def test_a_key_that_is_too_weak(self, settings: Settings, directory: Path) -> None:
        private = rsa.generate_private_key(public_exponent=65537, key_size=1024)
        weak = make_identity(directory, "weak", private=private)
        with pytest.raises(TLSError, match=r"weak.crt will not do: .*key too small"):
            settings(weak.certificate_file, weak.key_file, None)


@pytest.mark.parametrize(
    ("host", "told"),
    [("signer.example.com", "signer.example.com"), ("192.0.2.1", None), ("2001:db8::1", None)],
)
def test_clients_tell_under_which_name_they_come(
    server: Identity, authorities: Authorities, host: str, told: str | None
) -> None:
    client = ClientContext(host, authorities.root.certificate_file, None, [])
    connection = client.clientConnectionForTLS(None)
    connection.set_connect_state()
    with pytest.raises(SSL.WantReadError):
        connection.do_handshake()
    names = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server.certificate_file, server.key_file)
    context.sni_callback = lambda _tls, name, _context: names.append(name)
    incoming = ssl.MemoryBIO()
    incoming.write(connection.bio_read(SOME_BYTES))
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(incoming, ssl.MemoryBIO(), server_side=True).do_handshake()
    assert names == [told]
