"""What is said of certificates, whoever reads them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from notary.check.certificates import CLIENT, SERVER, Purpose, check_authorities, check_chain
from notary.check.findings import Finding, Severity
from tests.support.authority import Identity, make_identity

NOW = datetime.now(timezone.utc)
FILE = "server.crt"


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="module")
def root(directory: Path) -> Identity:
    return make_identity(directory, "root", is_ca=True, days=300)


@pytest.fixture(scope="module")
def leaf(directory: Path, root: Identity) -> Identity:
    return make_identity(directory, "leaf", root, days=300, hosts=["a.example", "b.example"])


def concerns(
    chain: list[x509.Certificate], purpose: Purpose = SERVER, now: datetime = NOW
) -> list[str]:
    """What is wrong with a chain; its first finding tells what was looked at."""
    first, *others = check_chain("key", FILE, chain, purpose, now)
    assert first.severity is Severity.OK
    return told(others)


def told(findings: list[Finding]) -> list[str]:
    return [f"{finding.severity.name.lower()}: {finding.message}" for finding in findings]


def test_one_in_order(leaf: Identity, root: Identity) -> None:
    (finding,) = check_chain("key", FILE, [leaf.certificate, root.certificate], SERVER, NOW)
    until = (NOW + timedelta(days=300)).strftime("%Y-%m-%d")
    assert str(finding) == (
        f"ok      key: CN=leaf for a.example, b.example in {FILE}, valid until {until}; the other "
        "end has to trust CN=root"
    )


def test_a_missing_issuer_is_named(leaf: Identity) -> None:
    """Whether it is one that clients know cannot be told."""
    (finding,) = check_chain("key", FILE, [leaf.certificate], SERVER, NOW)
    assert finding.message.endswith("the other end has to trust CN=root")


@pytest.mark.parametrize(
    ("days", "message"),
    [
        (-10, "error: the certificate of CN=leaf in server.crt is not valid before "),
        (269, None),
        (271, "warning: the certificate of CN=leaf in server.crt expires on "),
        (301, "error: the certificate of CN=leaf in server.crt has expired on "),
    ],
)
def test_its_time(leaf: Identity, days: int, message: str | None) -> None:
    found = concerns([leaf.certificate], now=NOW + timedelta(days=days))
    assert len(found) == (message is not None)
    assert all(line.startswith(message or "") for line in found)


def test_an_issuer_that_has_expired(directory: Path) -> None:
    former = make_identity(directory, "former", is_ca=True, expired=True)
    leaf = make_identity(directory, "heir", former, days=300)
    (line,) = concerns([leaf.certificate, former.certificate])
    assert line.startswith("error: the certificate of CN=former in server.crt has expired")


def test_one_that_is_no_authority(directory: Path, leaf: Identity) -> None:
    below = make_identity(directory, "below", leaf, days=300)
    (line,) = concerns([below.certificate, leaf.certificate])
    assert "CN=leaf, which follows CN=below in server.crt, signed it, but is no" in line


def test_another_authority_of_the_same_name(directory: Path, leaf: Identity) -> None:
    impostor = make_identity(directory / "..", "root", is_ca=True, days=300)
    (line,) = concerns([leaf.certificate, impostor.certificate])
    assert "CN=root, which follows CN=leaf in server.crt, did not sign it" in line


@pytest.mark.parametrize("purpose", [SERVER, CLIENT])
def test_usage(directory: Path, root: Identity, purpose: Purpose) -> None:
    other = {SERVER: ExtendedKeyUsageOID.CLIENT_AUTH, CLIENT: ExtendedKeyUsageOID.SERVER_AUTH}
    for usage, right in (
        (purpose.usage, True),
        (ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE, True),
        (other[purpose], False),
    ):
        identity = make_identity(directory, "used", root, usage=usage, days=300)
        found = concerns([identity.certificate], purpose)
        assert [purpose.name in line for line in found] == ([] if right else [True])


def test_names_matter_to_clients_only(directory: Path, root: Identity) -> None:
    nameless = make_identity(directory, "nameless", root, hosts=(), days=300).certificate
    (line,) = concerns([nameless])
    assert "names no host" in line
    assert concerns([nameless], CLIENT) == []


@pytest.mark.parametrize(
    ("private", "weak"),
    [
        (rsa.generate_private_key(65537, 1024), "has an RSA key of 1024 bits"),
        (ec.generate_private_key(ec.SECP192R1()), "has a key on the curve secp192r1"),
        (rsa.generate_private_key(65537, 2048), ""),
    ],
)
def test_strength(
    directory: Path,
    root: Identity,
    private: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey,
    weak: str,
) -> None:
    identity = make_identity(directory, "strong", root, private=private, days=300)
    found = concerns([identity.certificate])
    assert [weak in line for line in found] == ([True] if weak else [])


class TestAuthorities:
    def test_several(self, root: Identity, leaf: Identity) -> None:
        certificates = [root.certificate, leaf.certificate] * 2
        (finding,) = check_authorities("key", FILE, certificates, NOW)
        assert finding.severity is Severity.OK
        assert "CN=root valid until" in finding.message
        assert "1 more" in finding.message

    def test_an_expired_one_is_an_error_if_it_is_the_only_one(
        self, directory: Path, root: Identity
    ) -> None:
        former = make_identity(directory, "gone", is_ca=True, expired=True).certificate
        alone = check_authorities("key", FILE, [former], NOW)
        beside = check_authorities("key", FILE, [former, root.certificate], NOW)
        assert [finding.severity for finding in alone] == [Severity.OK, Severity.ERROR]
        assert [finding.severity for finding in beside] == [Severity.OK, Severity.WARNING]
