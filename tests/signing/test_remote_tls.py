"""Whom a server takes for its signer, and who is let in by a signer, over real connections."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.ssl import DefaultOpenSSLContextFactory

from notary.signing.remote import RemoteSigner
from notary.tls import ClientContext, KeyPair, TLSError
from tests.signing.loopback import HOST, Dial, Listen, trouble
from tests.signing.signers import NAME, Certificates
from tests.support.authority import Identity, make_identity
from tests.support.reactor import by_both_tls

tls_reactor = by_both_tls


async def reason(remote: RemoteSigner) -> str:
    """Why a signer cannot be reached."""
    told = await trouble(remote)
    assert told is not None
    beginning, found, end = told.partition(" cannot be reached: ")
    assert beginning.startswith(f"the signer at {HOST}:")
    assert found
    return end


class TestSigners:
    @pytest.mark.parametrize("pinned", ["root", "intermediate", "signer"])
    @ensureDeferred
    async def test_any_certificate_of_the_chain_may_be_the_trusted_one(
        self, dial: Dial, certificates: Certificates, pinned: str
    ) -> None:
        context = certificates.of_server(getattr(certificates, pinned))
        assert await trouble(dial(context=context)) is None

    @ensureDeferred
    async def test_one_behind_a_name(self, dial: Dial) -> None:
        """It listens on one address of ``localhost`` only."""
        assert await trouble(dial(host=NAME)) is None

    @pytest.mark.parametrize("name", ["signer.example.com", HOST])
    @ensureDeferred
    async def test_one_of_another_name(
        self, dial: Dial, certificates: Certificates, name: str
    ) -> None:
        assert await reason(dial(context=certificates.of_server(name=name))) == (
            f"the certificate of CN=signer is for localhost, not for {name}, under which it was "
            "reached"
        )

    @ensureDeferred
    async def test_one_of_an_unknown_authority(
        self, dial: Dial, certificates: Certificates
    ) -> None:
        """The authorities that the operating system trusts do not know it either."""
        server = certificates.server
        pair = KeyPair(server.certificate_file, server.key_file)
        for context in (
            certificates.of_server(certificates.other),
            ClientContext(NAME, None, pair, [b"notary-signer/1"]),
        ):
            assert await reason(dial(context=context)) == (
                "the certificate of CN=root is the root of what was shown, and not among the "
                "authorities that are trusted here"
            )

    @pytest.mark.parametrize("trusted", ["root", "intermediate", "expired"])
    @ensureDeferred
    async def test_one_whose_certificate_has_expired(
        self, listen: Listen, dial: Dial, certificates: Certificates, trusted: str
    ) -> None:
        expired = make_identity(
            certificates.directory, "expired", certificates.intermediate, expired=True
        )
        context = certificates.of_server(getattr(certificates, trusted, expired))
        remote = dial(to=listen(certificates.of_signer(expired)), context=context)
        assert await reason(remote) == "the certificate of CN=expired has expired"

    @ensureDeferred
    async def test_one_that_does_not_say_what_it_speaks(
        self, listen: Listen, dial: Dial, certificates: Certificates
    ) -> None:
        signer = certificates.signer
        context = DefaultOpenSSLContextFactory(str(signer.key_file), str(signer.certificate_file))
        assert await reason(dial(to=listen(context), context=certificates.of_server(signer))) == (
            "it does not speak notary-signer/1; is it a Go notary-signer?"
        )


class TestServers:
    @pytest.mark.parametrize(
        ("kind", "told"),
        [
            ("none", "certificate required (it demands a certificate of us"),
            ("other", "unknown ca (it refused our certificate, as one of an authority"),
            ("expired", "certificate expired (it says that our certificate has expired"),
        ],
    )
    @ensureDeferred
    async def test_one_that_is_not_let_in_learns_why(
        self, dial: Dial, certificates: Certificates, kind: str, told: str
    ) -> None:
        """With TLS 1.3 it does after the handshake."""
        directory = certificates.directory
        shown: dict[str, Identity | None] = {
            "none": None,
            "other": make_identity(directory, "stranger", certificates.other),
            "expired": make_identity(directory, "former", certificates.root, expired=True),
        }
        remote = dial(context=certificates.of_other_server(shown[kind]))
        heard = await reason(remote)
        assert heard.startswith("the TLS handshake failed: ")
        assert f" alert {told}" in heard


class TestFiles:
    def settings(self, ca_file: Path | None, pair: KeyPair | None) -> Any:
        return ClientContext(NAME, ca_file, pair, [])

    def test_authorities_that_cannot_be_read(self, tmp_path: Path) -> None:
        path = tmp_path / "missing.crt"
        with pytest.raises(TLSError, match=rf"from {path}: .*No such file"):
            self.settings(path, None)

    def test_a_key_of_another_certificate(self, certificates: Certificates) -> None:
        pair = KeyPair(certificates.server.certificate_file, certificates.signer.key_file)
        with pytest.raises(TLSError, match="does not belong to the certificate in"):
            self.settings(certificates.root.certificate_file, pair)
