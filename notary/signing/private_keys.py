"""Private keys: making them, signing with them, and their bytes as the Go signer keeps them."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import attrs
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

from notary.signing.interfaces import RawSignature
from notary.tuf.errors import InvalidKeyError
from notary.tuf.keys import ECDSA, ED25519, PSS_SALT_SIZE, RSA, PublicKey

ALGORITHMS = (ECDSA, ED25519, RSA)

RSA_BITS = 2048
"""The least that verifiers take: larger keys take seconds to make while a client waits."""

_ECDSA = ec.ECDSA(hashes.SHA256())
_P256_WIDTH = 32
_ED25519_PUBLIC_SIZE = 32
_ED25519_SEED_SIZE = 32


@attrs.frozen
class PrivateKey:
    """A private key that signs timestamps or snapshots.

    Attributes:
        public: its public half.
    """

    public: PublicKey
    _signer: PrivateKeyTypes = attrs.field(repr=False)

    @classmethod
    def generate(cls, algorithm: str) -> PrivateKey:
        """Make a key: ECDSA on P-256, Ed25519, or RSA, which takes tenths of a second.

        Raises:
            InvalidKeyError: there is no such algorithm here.
        """
        check_algorithm(algorithm)
        return cls._of(algorithm, _GENERATORS[algorithm]())

    @classmethod
    def from_bytes(cls, algorithm: str, data: bytes) -> PrivateKey:
        """Read what `to_bytes` returns.

        Raises:
            InvalidKeyError: the data are no private key of that algorithm.
        """
        check_algorithm(algorithm)
        try:
            if algorithm == ED25519:
                return cls._of(algorithm, _ed25519_from_bytes(data))
            return cls._of(algorithm, load_der_private_key(data, None))
        except (TypeError, ValueError, UnsupportedAlgorithm) as error:
            # What the parser says may quote the data.
            raise InvalidKeyError(f"this is no private key for {algorithm}") from error

    @classmethod
    def _of(cls, algorithm: str, key: PrivateKeyTypes) -> PrivateKey:
        if isinstance(key, ed25519.Ed25519PrivateKey):
            kind, public = ED25519, key.public_key().public_bytes_raw()
        elif isinstance(key, (ec.EllipticCurvePrivateKey, rsa.RSAPrivateKey)):
            kind = RSA if isinstance(key, rsa.RSAPrivateKey) else ECDSA
            public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        else:
            raise ValueError("a key of another kind")
        if kind != algorithm or (
            isinstance(key, ec.EllipticCurvePrivateKey) and not isinstance(key.curve, ec.SECP256R1)
        ):
            raise ValueError("a key of another kind")
        return cls(PublicKey(kind, public), key)

    def to_bytes(self) -> bytes:
        """Return the key: SEC 1 or PKCS #1 in DER; for Ed25519 its public half, seed, public half.

        That last form is what the Go signer makes by appending Go's 64-byte private key.
        """
        if isinstance(self._signer, ed25519.Ed25519PrivateKey):
            return self.public.public + self._signer.private_bytes_raw() + self.public.public
        return self._signer.private_bytes(
            Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption()
        )

    def sign(self, payload: bytes) -> RawSignature:
        """Return a signature that `PublicKey.verifies` takes."""
        key = self._signer
        if isinstance(key, ed25519.Ed25519PrivateKey):
            return RawSignature("eddsa", key.sign(payload))
        if isinstance(key, rsa.RSAPrivateKey):
            scheme = padding.PSS(padding.MGF1(hashes.SHA256()), PSS_SALT_SIZE)
            return RawSignature("rsapss", key.sign(payload, scheme, hashes.SHA256()))
        ecdsa_key = cast(ec.EllipticCurvePrivateKey, key)
        r, s = decode_dss_signature(ecdsa_key.sign(payload, _ECDSA))
        raw = r.to_bytes(_P256_WIDTH, "big") + s.to_bytes(_P256_WIDTH, "big")
        return RawSignature("ecdsa", raw)


def check_algorithm(name: str) -> None:
    """Raise `InvalidKeyError` unless there is such an algorithm here."""
    if name not in ALGORITHMS:
        raise InvalidKeyError(
            f"there is no key algorithm {name[:40]!r} here, only {', '.join(ALGORITHMS)}"
        )


def _ed25519_from_bytes(data: bytes) -> ed25519.Ed25519PrivateKey:
    seed = data[_ED25519_PUBLIC_SIZE : _ED25519_PUBLIC_SIZE + _ED25519_SEED_SIZE]
    key = ed25519.Ed25519PrivateKey.from_private_bytes(seed)
    public = key.public_key().public_bytes_raw()
    if data != public + seed + public:
        raise ValueError("the halves of the key do not belong together")
    return key


_GENERATORS: dict[str, Callable[[], PrivateKeyTypes]] = {
    ECDSA: lambda: ec.generate_private_key(ec.SECP256R1()),
    ED25519: ed25519.Ed25519PrivateKey.generate,
    RSA: lambda: rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS),
}
