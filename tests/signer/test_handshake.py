"""Who is let in: the whole handshake, over loopback."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.logger import LogEvent, capturedLogs

from notary.signer import protocol
from notary.signer.protocol import SignerFactory
from notary.signing.wire import ALPN
from notary.tls import KeyPair, ServerContext
from tests.signer.clients import HEALTH, ask, client_context
from tests.signer.harness import Signer, messages
from tests.support.authority import Identity, make_identity
from tests.support.doors import SECONDS, Open
from tests.support.reactor import by_both_tls

tls_reactor = by_both_tls


VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("handshake")


@pytest.fixture(scope="module")
def authority(directory: Path) -> Identity:
    return make_identity(directory, "authority", is_ca=True)


@pytest.fixture(scope="module")
def ours(directory: Path, authority: Identity) -> Identity:
    """What the signer shows."""
    return make_identity(directory, "signer", authority)


@pytest.fixture
def log() -> Iterator[Sequence[LogEvent]]:
    with capturedLogs() as events:
        yield events


class House:
    """A signer with a door.

    Attributes:
        signer: the signer; it remembers what its store is asked.
        port: where it listens.
    """

    def __init__(self, open_door: Open, ours: Identity, client_ca_file: Path | None) -> None:
        self.signer = Signer.make()
        self.factory = SignerFactory(self.signer.calls, cast(IReactorTime, reactor))
        pair = KeyPair(ours.certificate_file, ours.key_file)
        context = ServerContext(pair, client_ca_file, [ALPN])
        self.port = open_door(context, factory=self.factory)
        self._trusted = ours.certificate_file

    async def ask(self, identity: Identity | None, **settings: Any) -> str:
        """What the signer answers about its health, or raise what ends the connection."""
        context = client_context(self._trusted, identity, **settings)
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        (answer,) = await deferToThread(ask, self.port, context, HEALTH)
        return str(answer.WhichOneof("result"))

    async def refuses(self, identity: Identity | None, **settings: Any) -> None:
        """Check that somebody is turned away, and that nothing was done for them."""
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await self.ask(identity, **settings)
        await self.is_empty()
        assert self.signer.store.asked == []

    async def is_empty(self) -> None:
        """Wait until everybody has gone."""
        for _ in range(100):
            if not self.factory.connections:
                return
            await deferLater(cast(IReactorTime, reactor), SECONDS / 100)
        raise AssertionError("somebody stays")


@pytest.fixture
def house(log: Sequence[LogEvent], open_door: Open, ours: Identity, authority: Identity) -> House:
    return House(open_door, ours, authority.certificate_file)


def refused(log: Sequence[LogEvent]) -> str:
    """Why somebody was refused, by the only warning; nothing else may have gone wrong."""
    assert not [event for event in log if "log_failure" in event]
    assert messages(log, "error") == []
    (warning,) = messages(log, "warning")
    start, reason = warning.split(": ", 1)
    assert start.startswith("refused 127.0.0.1:")
    return reason


class TestLetIn:
    @pytest.mark.parametrize("version", VERSIONS)
    @pytest.mark.parametrize("usage", [None, ExtendedKeyUsageOID.CLIENT_AUTH])
    @ensureDeferred
    async def test_whom_the_authority_vouches_for(
        self,
        house: House,
        directory: Path,
        authority: Identity,
        log: Sequence[LogEvent],
        version: ssl.TLSVersion,
        usage: Any,
    ) -> None:
        client = make_identity(directory, "client", authority, usage=usage)
        assert await house.ask(client, version=version) == "check_health"
        await house.is_empty()
        connected, disconnected = messages(log, "info")[-2:]
        assert connected.startswith("connected: CN=client at 127.0.0.1:")
        assert disconnected == connected.replace("connected", "disconnected")
        assert messages(log, "warning") == []

    @pytest.mark.parametrize("version", VERSIONS)
    @pytest.mark.parametrize("issued", [False, True])
    @ensureDeferred
    async def test_who_is_named_in_person(
        self,
        open_door: Open,
        ours: Identity,
        directory: Path,
        authority: Identity,
        version: ssl.TLSVersion,
        issued: bool,
    ) -> None:
        """The Go daemons' samples name a certificate that is no authority."""
        client = make_identity(directory, "pinned", authority if issued else None)
        pinned = directory / "pinned-only.crt"
        pinned.write_text(client.certificate_file.read_text().split("-----END")[0] + END)
        house = House(open_door, ours, pinned)
        assert await house.ask(client, version=version) == "check_health"
        other = make_identity(directory, "not-pinned", authority if issued else None)
        house.signer.store.asked.clear()
        await house.refuses(other, version=version)

    @ensureDeferred
    async def test_anybody_if_no_authority_is_set(self, open_door: Open, ours: Identity) -> None:
        house = House(open_door, ours, None)
        assert await house.ask(None) == "check_health"

    @ensureDeferred
    async def test_who_offers_other_protocols_as_well(
        self, house: House, directory: Path, authority: Identity
    ) -> None:
        client = make_identity(directory, "client", authority)
        protocols = [b"h2", ALPN]
        assert await house.ask(client, protocols=protocols) == "check_health"


END = "-----END CERTIFICATE-----\n"


@pytest.mark.parametrize("version", VERSIONS)
class TestKeptOut:
    @ensureDeferred
    async def test_who_shows_nothing(
        self, house: House, log: Sequence[LogEvent], version: ssl.TLSVersion
    ) -> None:
        await house.refuses(None, version=version)
        assert refused(log) == ("the TLS handshake failed: peer did not return a certificate")

    @pytest.mark.parametrize(
        ("name", "options", "reason"),
        [
            ("expired", {"expired": True}, "has expired"),
            (
                "server",
                {"usage": ExtendedKeyUsageOID.SERVER_AUTH},
                "is not meant for this end of a connection (key usage)",
            ),
        ],
    )
    @ensureDeferred
    async def test_whose_certificate_will_not_do(
        self,
        house: House,
        directory: Path,
        authority: Identity,
        log: Sequence[LogEvent],
        version: ssl.TLSVersion,
        name: str,
        options: dict[str, Any],
        reason: str,
    ) -> None:
        client = make_identity(directory, name, authority, **options)
        await house.refuses(client, version=version)
        assert refused(log) == f"the certificate of CN={name} {reason}"

    @pytest.mark.parametrize("same_name", [False, True])
    @ensureDeferred
    async def test_whom_somebody_else_vouches_for(
        self,
        house: House,
        tmp_path: Path,
        log: Sequence[LogEvent],
        version: ssl.TLSVersion,
        same_name: bool,
    ) -> None:
        other = make_identity(tmp_path, "authority" if same_name else "other", is_ca=True)
        client = make_identity(tmp_path, "stranger", other)
        await house.refuses(client, version=version)
        assert refused(log).startswith(
            "the certificate of CN=stranger is signed by an authority that is not trusted"
            if same_name
            else "the certificate of CN=other is the root of what was shown, and not among"
        )

    @ensureDeferred
    async def test_who_vouches_for_himself(
        self, house: House, tmp_path: Path, log: Sequence[LogEvent], version: ssl.TLSVersion
    ) -> None:
        client = make_identity(tmp_path, "alone")
        await house.refuses(client, version=version)
        assert refused(log) == (
            "the certificate of CN=alone is self-signed and not among the authorities that are "
            "trusted here"
        )

    @pytest.mark.parametrize("protocols", [(), (b"h2",), (b"h2", b"http/1.1")])
    @ensureDeferred
    async def test_who_speaks_something_else(
        self,
        house: House,
        directory: Path,
        authority: Identity,
        log: Sequence[LogEvent],
        version: ssl.TLSVersion,
        protocols: tuple[bytes, ...],
    ) -> None:
        """What comes along with the end of the handshake is not taken for a call either."""
        client = make_identity(directory, "client", authority)
        await house.refuses(client, version=version, protocols=protocols)
        assert refused(log).startswith(
            "it does not ask for the protocol notary-signer/1 (ALPN); a Go notary-server needs"
        )


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\n\r\n", "http request"),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "the TLS handshake failed: "),
        (b"\x00" * 100, "the TLS handshake failed: "),
        (HEALTH.SerializeToString() * 100, "the TLS handshake failed: "),
    ],
)
@ensureDeferred
async def test_plain_text_is_refused(
    house: House, log: Sequence[LogEvent], data: bytes, reason: str
) -> None:
    def say() -> bytes:
        with socket.create_connection(("127.0.0.1", house.port), SECONDS) as plain:
            plain.sendall(data)
            received = b""
            while more := plain.recv(100):
                received += more
            return received

    assert len(await deferToThread(say)) < 10
    await house.is_empty()
    assert reason in refused(log)


@ensureDeferred
async def test_there_are_not_too_many(
    house: House,
    directory: Path,
    authority: Identity,
    log: Sequence[LogEvent],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(protocol, "MAX_CONNECTIONS", 1)
    client = make_identity(directory, "client", authority)
    with socket.create_connection(("127.0.0.1", house.port), SECONDS):
        while not house.factory.connections:
            await deferLater(cast(IReactorTime, reactor), 0.01)
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await house.ask(client)
    await house.is_empty()
    assert await house.ask(client) == "check_health"
    assert not [event for event in log if "log_failure" in event]
    (error,) = messages(log, "error")
    assert error.startswith("refused 127.0.0.1:")
