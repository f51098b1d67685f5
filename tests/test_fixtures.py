"""The sample certificates: what every daemon sample, tutorial and TLS test stands on."""

from __future__ import annotations

import datetime
import ipaddress
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store

FIXTURES = Path(__file__).parent.parent / "fixtures"
SCRIPTS = ("certs.py", "generate.py", "issuing.py")
DAEMONS = ("notary-server", "notary-signer")
LEAVES = (*DAEMONS, "delegation-user")
FILES = {"root-ca.crt", "intermediate-ca.crt"} | {
    f"{leaf}.{suffix}" for leaf in LEAVES for suffix in ("crt", "key")
}
FIVE_YEARS = datetime.timedelta(days=5 * 366)
FIRST_DAY = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
LAST_DAY = FIRST_DAY.replace(year=FIRST_DAY.year + 50)


@pytest.fixture(scope="module")
def remade(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("fixtures")
    for name in SCRIPTS:
        shutil.copy(FIXTURES / name, directory)
    subprocess.run([sys.executable, directory / "generate.py"], check=True, timeout=60)
    return directory


@pytest.fixture(params=["committed", "remade"])
def directory(request: pytest.FixtureRequest) -> Path:
    if request.param == "committed":
        return FIXTURES
    remade: Path = request.getfixturevalue("remade")
    return remade


def load_chain(path: Path) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(path.read_bytes())


def test_only_the_known_files_are_kept(directory: Path) -> None:
    """Above all no private key of an authority."""
    kept = {path.name for path in directory.iterdir() if path.suffix in (".crt", ".key")}
    assert kept == FILES


@pytest.mark.parametrize("name", sorted(name for name in FILES if name.endswith(".crt")))
def test_no_certificate_ends_soon(directory: Path, name: str) -> None:
    chain = load_chain(directory / name)
    assert chain
    for certificate in chain:
        left = certificate.not_valid_after_utc - datetime.datetime.now(datetime.timezone.utc)
        assert left > FIVE_YEARS, f"{name} has {left.days} days left: run fixtures/generate.py"


@pytest.mark.parametrize("daemon", DAEMONS)
@pytest.mark.parametrize("moment", [FIRST_DAY, LAST_DAY])
def test_chain_is_trusted_at_both_ends_of_a_connection(
    directory: Path, daemon: str, moment: datetime.datetime
) -> None:
    leaf, *intermediates = load_chain(directory / f"{daemon}.crt")
    assert intermediates == load_chain(directory / "intermediate-ca.crt")
    policy = PolicyBuilder().store(Store(load_chain(directory / "root-ca.crt"))).time(moment)

    policy.build_client_verifier().verify(leaf, intermediates)
    for name in (daemon, daemon.replace("-", ""), "localhost"):
        policy.build_server_verifier(x509.DNSName(name)).verify(leaf, intermediates)
    for address in ("127.0.0.1", "::1"):
        subject = x509.IPAddress(ipaddress.ip_address(address))
        policy.build_server_verifier(subject).verify(leaf, intermediates)


@pytest.mark.parametrize("daemon", DAEMONS)
def test_leaf_is_for_authentication_alone(directory: Path, daemon: str) -> None:
    extensions = load_chain(directory / f"{daemon}.crt")[0].extensions
    assert set(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == {
        ExtendedKeyUsageOID.SERVER_AUTH,
        ExtendedKeyUsageOID.CLIENT_AUTH,
    }
    assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert not extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign


@pytest.mark.parametrize("leaf", LEAVES)
def test_private_key_belongs_to_the_leaf(directory: Path, leaf: str) -> None:
    key = serialization.load_pem_private_key((directory / f"{leaf}.key").read_bytes(), None)
    assert key.public_key() == load_chain(directory / f"{leaf}.crt")[0].public_key()


def test_no_daemon_trusts_the_delegation_user(directory: Path) -> None:
    """Else the signer would take whoever delegates to it for a server."""
    (certificate,) = load_chain(directory / "delegation-user.crt")
    certificate.verify_directly_issued_by(certificate)
    usage = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert set(usage) == {ExtendedKeyUsageOID.CODE_SIGNING}


def test_readme_names_every_file_and_its_danger() -> None:
    text = (FIXTURES / "README.rst").read_text()
    for name in {*FILES, *SCRIPTS}:
        assert f"``{name}``" in text
    assert "private keys here are public" in text
