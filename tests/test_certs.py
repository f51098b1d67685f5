"""``make certs``: certificates for a deployment, and their authority."""

from __future__ import annotations

import datetime
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from tests.support.daemons import find_program

PROJECT = Path(__file__).parent.parent
SCRIPT = PROJECT / "fixtures" / "certs.py"
DEFAULT_NAMES = {
    "server": ["notary-server", "notaryserver", "localhost", "127.0.0.1", "::1"],
    "signer": ["notary-signer", "notarysigner", "localhost", "127.0.0.1", "::1"],
}
CA_PASSPHRASE = "NOTARY_CA_PASSPHRASE"


def certs(
    directory: Path, *arguments: str, passphrase: str = "", script: Path = SCRIPT
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, script, directory, *arguments],
        env={**os.environ, CA_PASSPHRASE: passphrase},
        capture_output=True,
        text=True,
        timeout=60,
        umask=0o022,
    )


def refusal(directory: Path, *arguments: str, passphrase: str = "") -> str:
    done = certs(directory, *arguments, passphrase=passphrase)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    return done.stderr


def load(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def names(certificate: x509.Certificate) -> list[str]:
    extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return [str(name.value) for name in extension.value]


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


@pytest.fixture
def made(tmp_path: Path) -> Path:
    directory = tmp_path / "made"
    done = certs(directory)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 2
    return directory


def test_private_keys_are_private(made: Path) -> None:
    assert {str(path.relative_to(made)): mode(path) for path in made.rglob("*")} == {
        "ca": 0o700,
        "ca/root-ca.crt": 0o644,
        "ca/root-ca.key": 0o600,
        "root-ca.crt": 0o644,
        "notary-server.crt": 0o644,
        "notary-server.key": 0o600,
        "notary-signer.crt": 0o644,
        "notary-signer.key": 0o600,
    }


@pytest.mark.parametrize("daemon", ["server", "signer"])
def test_certificates_are_trusted_for_a_year(made: Path, daemon: str) -> None:
    certificate = load(made / f"notary-{daemon}.crt")
    assert names(certificate) == DEFAULT_NAMES[daemon]
    for days in (0, 364):
        moment = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)
        policy = PolicyBuilder().store(Store([load(made / "root-ca.crt")])).time(moment)
        verifier = policy.build_server_verifier(x509.DNSName(f"notary-{daemon}"))
        assert len(verifier.verify(certificate, [])) == 2
    assert certificate.not_valid_after_utc < moment + datetime.timedelta(days=2)


def test_only_a_server_may_connect_to_signers(made: Path) -> None:
    verifier = PolicyBuilder().store(Store([load(made / "root-ca.crt")])).build_client_verifier()
    verifier.verify(load(made / "notary-server.crt"), [])
    with pytest.raises(VerificationError):
        verifier.verify(load(made / "notary-signer.crt"), [])
    usage = load(made / "notary-signer.crt").extensions.get_extension_for_class(
        x509.ExtendedKeyUsage
    )
    assert list(usage.value) == [ExtendedKeyUsageOID.SERVER_AUTH]


def test_names_are_given_once_and_kept(tmp_path: Path) -> None:
    given = ["notary.example.com", "*.internal", "192.0.2.7", "2001:db8::7"]
    assert certs(tmp_path, "--server", *given).returncode == 0
    first = load(tmp_path / "notary-server.crt")
    assert names(first) == given
    assert names(load(tmp_path / "notary-signer.crt")) == DEFAULT_NAMES["signer"]
    assert certs(tmp_path, "--signer", "signer.internal").returncode == 0
    assert names(load(tmp_path / "notary-server.crt")) == given
    assert names(load(tmp_path / "notary-signer.crt")) == ["signer.internal"]


def test_renewal_keeps_the_authority_and_who_may_read(made: Path) -> None:
    authority = (made / "root-ca.crt").read_bytes()
    former = load(made / "notary-server.crt")
    (made / "notary-server.key").chmod(0o640)
    if os.geteuid() == 0:
        os.chown(made / "notary-server.key", 12, 34)
    # Clients are given a new authority before the old one goes.
    trusted = authority + (PROJECT / "fixtures" / "root-ca.crt").read_bytes()
    (made / "root-ca.crt").write_bytes(trusted)

    assert certs(made).returncode == 0

    assert (made / "root-ca.crt").read_bytes() == trusted
    renewed = load(made / "notary-server.crt")
    assert renewed.public_key() != former.public_key()
    renewed.verify_directly_issued_by(x509.load_pem_x509_certificate(authority))
    assert mode(made / "notary-server.key") == 0o640
    if os.geteuid() == 0:
        status = (made / "notary-server.key").stat()
        assert (status.st_uid, status.st_gid) == (12, 34)
    assert mode(made / "notary-signer.key") == 0o600


def test_authority_with_a_passphrase(tmp_path: Path) -> None:
    assert certs(tmp_path, passphrase="sesame").returncode == 0
    assert b"BEGIN ENCRYPTED PRIVATE KEY" in (tmp_path / "ca" / "root-ca.key").read_bytes()
    assert b"BEGIN PRIVATE KEY" in (tmp_path / "notary-server.key").read_bytes()
    assert certs(tmp_path, passphrase="sesame").returncode == 0
    for wrong in ("", "barley"):
        assert f"is {CA_PASSPHRASE} its passphrase?" in refusal(tmp_path, passphrase=wrong)


def test_authority_that_was_taken_away(made: Path) -> None:
    (made / "ca").rename(made.parent / "safe")
    former = (made / "notary-server.crt").read_bytes()
    assert "bring them back" in refusal(made)
    assert (made / "notary-server.crt").read_bytes() == former
    (made.parent / "safe").rename(made / "ca")
    assert certs(made).returncode == 0


def test_key_of_another_authority(made: Path, tmp_path: Path) -> None:
    assert certs(tmp_path / "other").returncode == 0
    shutil.copy(tmp_path / "other" / "ca" / "root-ca.key", made / "ca")
    assert "is not the key of" in refusal(made)
    (made / "ca" / "root-ca.key").unlink()
    assert "cannot be read: No such file" in refusal(made)


def test_authority_that_would_expire_first(tmp_path: Path) -> None:
    for name in ("certs.py", "issuing.py"):
        shutil.copy(SCRIPT.with_name(name), tmp_path)
    script = tmp_path / "certs.py"
    script.write_text(script.read_text().replace("days=3650", "days=300"))
    done = certs(tmp_path / "made", script=script)
    assert done.returncode == 1
    assert "before what it would sign" in done.stderr
    assert not (tmp_path / "made" / "notary-server.crt").exists()


@pytest.mark.parametrize("name", ["a b", "https://notary", "-x.example", "é.example", "a:b"])
def test_names_that_are_none(tmp_path: Path, name: str) -> None:
    assert "error: " in refusal(tmp_path / "made", f"--server={name}")
    assert not (tmp_path / "made").exists()


def test_make(tmp_path: Path) -> None:
    make = find_program("make", "make")
    installed = ["-o", f"{sys.prefix}/.installed", f"VENV={sys.prefix}"]
    command = [make, "certs", *installed, f"DIR={tmp_path / 'certs'}", "SERVER=a.example 192.0.2.1"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert names(load(tmp_path / "certs" / "notary-server.crt")) == ["a.example", "192.0.2.1"]

    done = subprocess.run(
        [make, "certs", *installed], cwd=PROJECT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode != 0
    assert "make certs DIR=" in done.stderr
