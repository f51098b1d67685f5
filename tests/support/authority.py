"""Certificate authorities that are made while a test runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

import attrs
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID, ObjectIdentifier

_DAY = timedelta(days=1)

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@attrs.frozen
class Identity:
    """A certificate and its key, in files.

    Attributes:
        certificate_file: the certificate in PEM, its issuers behind it.
        key_file: the private key in PEM.
    """

    certificate_file: Path
    key_file: Path
    certificate: x509.Certificate
    private: PrivateKey = attrs.field(repr=False)


def make_identity(
    directory: Path,
    name: str,
    issuer: Identity | None = None,
    *,
    is_ca: bool = False,
    expired: bool = False,
    passphrase: bytes | None = None,
    private: PrivateKey | None = None,
    usage: ObjectIdentifier | None = None,
    days: int = 9,
    hosts: Sequence[str] = ("localhost",),
) -> Identity:
    """Make a certificate for a common name and for hosts, self-signed without an issuer.

    With a usage, an ``ExtendedKeyUsageOID``, it is good for nothing else. It is valid for so many
    days from now on.
    """
    key = private or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 9 * _DAY)
        .not_valid_after(now - _DAY if expired else now + days * _DAY)
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
    )
    if hosts:
        names = x509.SubjectAlternativeName([x509.DNSName(host) for host in hosts])
        builder = builder.add_extension(names, critical=False)
    if usage is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    certificate = builder.sign(issuer.private if issuer else key, hashes.SHA256())
    chain = certificate.public_bytes(Encoding.PEM)
    if issuer is not None:
        chain += issuer.certificate_file.read_bytes()
    how: KeySerializationEncryption = NoEncryption()
    if passphrase is not None:
        how = BestAvailableEncryption(passphrase)
    identity = Identity(directory / f"{name}.crt", directory / f"{name}.key", certificate, key)
    identity.certificate_file.write_bytes(chain)
    identity.key_file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how))
    return identity
