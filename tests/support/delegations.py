"""How people who use the ``notary`` command come to delegate to each other."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.support.notary_client import NotaryClient

RELEASES = "targets/releases"


def make_certificate(
    path: Path,
    common_name: str,
    encryption: serialization.KeySerializationEncryption,
) -> Path:
    """Write a self-signed certificate for code signing, and its key beside it.

    The key is in OpenSSL's own form, the only encrypted one that both sides know.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    path.with_suffix(".key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, encryption
        )
    )
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    now = datetime.now(timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=3650))
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return path


def enrol(publisher: NotaryClient, delegate: NotaryClient, gun: str, role: str, paths: str) -> None:
    """Make a key for a delegate, and have a publisher delegate paths to it."""
    certificate = make_certificate(
        delegate.directory.with_suffix(".crt"), "delegate", serialization.NoEncryption()
    )
    delegate.run("key", "import", certificate.with_suffix(".key"), "--role", "user")
    scope = ["--paths", paths] if paths else ["--all-paths"]
    publisher.run("delegation", "add", "-p", gun, role, certificate, *scope)
