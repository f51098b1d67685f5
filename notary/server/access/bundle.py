"""The certificates that vouch for access tokens, and the keys in them by their IDs.

A key has two IDs: its RFC 7638 thumbprint, and the older one of the Docker registry's libtrust.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

import attrs
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import Certificate
from joserfc.jwk import ECKey, OKPKey, RSAKey

from notary.pem import PEMError, read_certificates
from notary.tuf.certificates import MIN_RSA_BITS, public_key
from notary.tuf.errors import InvalidKeyError

SigningKey = RSAKey | ECKey | OKPKey

_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
_FINGERPRINT_BYTES = 30
_FINGERPRINT_GROUP = 4


class BundleError(Exception):
    """The bundle of certificates will not do; the message names the file."""


@attrs.frozen
class Bundle:
    """The certificates that vouch for access tokens.

    Attributes:
        certificates: in the order of the file; at least one.
        keys: their keys by each of their IDs.
    """

    certificates: Sequence[Certificate]
    keys: dict[str, SigningKey]

    def expired(self, now: datetime) -> Iterator[Certificate]:
        """Return the certificates that vouch for no other any more; their own keys still count."""
        return (each for each in self.certificates if each.not_valid_after_utc < now)


def load_bundle(file: Path) -> Bundle:
    """Read the certificates of a file, which are in PEM; what else is in it is skipped.

    Raises:
        BundleError: the file cannot be read, holds no certificate, or one that cannot be used.
    """
    try:
        certificates = read_certificates(file)
    except PEMError as error:
        raise BundleError(str(error)) from error
    keys: dict[str, SigningKey] = {}
    for number, certificate in enumerate(certificates, 1):
        try:
            key = signing_key(certificate)
            keys |= {fingerprint(key): key, key.thumbprint(): key}
        except InvalidKeyError as error:
            raise BundleError(f"certificate number {number} of {file}: {error}") from error
    return Bundle(certificates, keys)


def signing_key(certificate: Certificate) -> SigningKey:
    """Return a certificate's key as one that can verify tokens.

    Raises:
        InvalidKeyError: it is of a kind that signs no tokens, or weak.
    """
    key = public_key(certificate)
    found: SigningKey
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size < MIN_RSA_BITS:
            raise InvalidKeyError(f"its RSA key has less than {MIN_RSA_BITS} bits")
        found = RSAKey.import_key(key)
    elif isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, _CURVES):
        found = ECKey.import_key(key)
    elif isinstance(key, ed25519.Ed25519PublicKey):
        found = OKPKey.import_key(key)
    else:
        raise InvalidKeyError("its key is not RSA, ECDSA on P-256, P-384 or P-521, or Ed25519")
    return found


def fingerprint(key: SigningKey) -> str:
    """Return the ID that libtrust gives a key: groups such as ``ABCD:EFGH``, twelve of them."""
    der = key.public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    text = base64.b32encode(hashlib.sha256(der).digest()[:_FINGERPRINT_BYTES]).decode()
    size = _FINGERPRINT_GROUP
    return ":".join(text[start : start + size] for start in range(0, len(text), size))
