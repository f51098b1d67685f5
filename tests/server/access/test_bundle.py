"""The certificates that vouch for tokens, and the IDs of their keys."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from notary.server.access.bundle import BundleError, fingerprint, load_bundle
from tests.support.tokens import DAY, Signer, write_bundle

KNOWN = """-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEMKBCTNIcKUSDii11ySs3526iDZ8A
iTo7Tu6KPAqv7D7gS2XpJFbZiItSs3m9+9Ue6GnvHw/GW2ZZaVtszggXIw==
-----END PUBLIC KEY-----
"""
"""The key of RFC 7517's appendix A.1 with the curve P-256."""


@pytest.mark.parametrize("kind", ["RSA", "P-256", "P-384", "P-521", "Ed25519"])
def test_each_key_is_known_by_two_ids(tmp_path: Path, kind: str) -> None:
    signer = Signer.make(kind)
    bundle = load_bundle(write_bundle(tmp_path / "bundle", signer.certificate))
    assert set(bundle.keys) == {fingerprint(signer.key), signer.key.thumbprint()}
    for key in bundle.keys.values():
        assert not key.is_private


def test_ids_have_the_form_that_token_servers_give_them() -> None:
    from joserfc.jwk import ECKey

    key = ECKey.import_key(load_pem_public_key(KNOWN.encode()))  # type: ignore[arg-type]
    groups = fingerprint(key).split(":")
    assert [len(group) for group in groups] == [4] * 12
    assert fingerprint(key) == fingerprint(ECKey.import_key(key.as_dict()))


def test_all_certificates_of_a_file_count_and_nothing_else_in_it(tmp_path: Path) -> None:
    signers = [Signer.make(), Signer.make("RSA"), Signer.make(is_ca=True)]
    file = write_bundle(tmp_path / "bundle", *(each.certificate for each in signers))
    file.write_text(f"a word on it\n{KNOWN}{file.read_text()}{KNOWN}")
    bundle = load_bundle(file)
    assert list(bundle.certificates) == [each.certificate for each in signers]
    assert len(bundle.keys) == 6


def test_expired_ones_are_told(tmp_path: Path) -> None:
    old = Signer.make(ends=-DAY)
    bundle = load_bundle(write_bundle(tmp_path / "b", Signer.make().certificate, old.certificate))
    now = datetime.now(timezone.utc)
    assert list(bundle.expired(now)) == [old.certificate]
    assert list(bundle.expired(now - timedelta(days=2))) == []


@pytest.mark.parametrize(
    "content", [b"", b"\xff\x00", KNOWN.encode(), b"-----BEGIN CERTIFICATE-----\nAAAA\n"]
)
def test_a_file_without_certificates_will_not_do(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "bundle.crt"
    file.write_bytes(content)
    with pytest.raises(BundleError, match=r"no PEM certificate can be read from .*bundle\.crt: "):
        load_bundle(file)


def test_a_file_that_is_not_there_will_not_do(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"from .*nothing: .*No such file"):
        load_bundle(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("private", "problem"),
    [
        (rsa.generate_private_key(65537, 1024), "its RSA key has less than 2048 bits"),
        (ec.generate_private_key(ec.SECP256K1()), "its key is not RSA, ECDSA on P-256"),
        (dsa.generate_private_key(1024), "its key is not RSA, ECDSA on P-256"),
    ],
    ids=["small", "curve", "dsa"],
)
def test_keys_that_sign_no_tokens_will_not_do(
    tmp_path: Path, private: object, problem: str
) -> None:
    odd = Signer.make(private=private)  # type: ignore[arg-type]
    file = write_bundle(tmp_path / "b.crt", Signer.make().certificate, odd.certificate)
    with pytest.raises(BundleError, match=f"certificate number 2 of .*b.crt: {problem}"):
        load_bundle(file)
