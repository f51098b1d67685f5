"""Certificates inside root keys: whose they are and whether they may vouch."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509 import Certificate
from cryptography.x509.oid import NameOID

from notary.tuf.errors import InvalidKeyError

# A common name is a GUN, often longer than the 64 characters that X.520 allows.
warnings.filterwarnings("ignore", r"Attribute's length must be", UserWarning)

MIN_RSA_BITS = 2048
CLOCK_LEEWAY = timedelta(days=1)
"""How far in the future a certificate may begin."""

_UNREADABLE_EXTENSIONS = (
    TypeError,
    ValueError,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)


def load_chain(pem: bytes) -> tuple[Certificate, ...]:
    """Read a chain of PEM certificates.

    Raises:
        InvalidKeyError: there is none, or one of them cannot be read.
    """
    try:
        return tuple(x509.load_pem_x509_certificates(pem))
    except (ValueError, x509.InvalidVersion) as error:
        raise InvalidKeyError("a certificate cannot be read") from error


def public_key(certificate: Certificate) -> CertificatePublicKeyTypes:
    """Return the key that a certificate is about.

    Raises:
        InvalidKeyError: it cannot be read, or its kind is unknown.
    """
    try:
        return certificate.public_key()
    except (UnsupportedAlgorithm, ValueError) as error:
        raise InvalidKeyError("a certificate's public key cannot be read") from error


def leaf_problem(chain: Sequence[Certificate], gun: str, now: datetime | None) -> str | None:
    """Say why a chain's leaf may not vouch for a collection's root, or return None if it may.

    Args:
        chain: the leaf certificate, then its issuers.
        gun: the collection; the leaf's common name must be the GUN, or a prefix of it with ``*``.
        now: the time to judge the validity by; None to let it pass.
    """
    leaf = chain[0]
    if [is_ca(certificate) for certificate in chain].count(False) != 1 or is_ca(leaf):
        return "its chain does not begin with its only leaf certificate"
    name = _common_name(leaf)
    if not _name_covers(name, gun):
        return f"its common name {name!r} does not cover the GUN {gun!r}"
    return weakness(leaf) or (now and _validity_problem(leaf, now)) or None


def is_ca(certificate: Certificate) -> bool:
    """Tell whether a certificate is that of an issuer, or may be: it cannot be told."""
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False
    except _UNREADABLE_EXTENSIONS:
        return True


def _common_name(certificate: Certificate) -> str:
    try:
        names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    except (ValueError, TypeError):
        return ""
    return str(names[-1].value) if names else ""


def _name_covers(name: str, gun: str) -> bool:
    if name.endswith("*"):
        return gun.startswith(name.rstrip("*"))
    return name == gun


def weakness(certificate: Certificate) -> str | None:
    """Say why nobody should rely on a certificate, or return None if there is no reason."""
    try:
        algorithm = certificate.signature_hash_algorithm
        key = public_key(certificate)
    except (UnsupportedAlgorithm, InvalidKeyError):
        return "it uses an unknown algorithm"
    if isinstance(algorithm, (hashes.SHA1, hashes.MD5)):
        return f"it is signed with {algorithm.name.upper()}"
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < MIN_RSA_BITS:
        return f"its RSA key has less than {MIN_RSA_BITS} bits"
    return None


def _validity_problem(certificate: Certificate, now: datetime) -> str | None:
    try:
        begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    except ValueError:
        return "its dates cannot be read"
    if now + CLOCK_LEEWAY < begin:
        return f"it is not valid before {begin:%Y-%m-%d}"
    if now > end:
        return f"it expired on {end:%Y-%m-%d}"
    return None
