"""Public keys: their IDs and the signatures they verify."""

from __future__ import annotations

import base64
from collections.abc import Callable
from functools import cached_property
from hashlib import sha256
from typing import Any, cast

import attrs
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.x509 import Certificate

from notary.tuf import certificates
from notary.tuf.canonical import check_spelling, encode
from notary.tuf.errors import InvalidKeyError

ECDSA = "ecdsa"
ECDSA_X509 = "ecdsa-x509"
ED25519 = "ed25519"
RSA = "rsa"
RSA_X509 = "rsa-x509"

_KEY_FIELDS = {"keytype", "keyval"}
_KEY_VALUE_FIELDS = {"public", "private"}
_BARE_TYPE = {ECDSA_X509: ECDSA, RSA_X509: RSA}
PSS_SALT_SIZE = 32
_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)


@attrs.frozen
class PublicKey:
    """A public key as metadata carries it.

    Attributes:
        type: one of the five key types; others are carried, yet verify nothing.
        public: for ``ecdsa`` and ``rsa`` a DER SubjectPublicKeyInfo, for ``ed25519`` the 32 raw
            bytes, for the x509 types a PEM certificate, its issuers behind it.
    """

    type: str
    public: bytes = attrs.field(repr=False)

    @classmethod
    def from_json(cls, value: Any) -> PublicKey:
        """Read ``{"keytype": ..., "keyval": {"public": base64, ...}}``.

        Raises:
            InvalidKeyError: the value is of another shape.
            MalformedJSONError: a member's name differs from a field's by case.
        """
        try:
            key_type, public = value["keytype"], value["keyval"]["public"]
            check_spelling(value, _KEY_FIELDS)
            check_spelling(value["keyval"], _KEY_VALUE_FIELDS)
            if not isinstance(key_type, str) or not isinstance(public, str):
                raise InvalidKeyError("a key's keytype and public must be strings")
            return cls(key_type, base64.b64decode(public, validate=True))
        except (KeyError, TypeError) as error:
            raise InvalidKeyError("a key must have a keytype and a keyval with public") from error
        except ValueError as error:
            raise InvalidKeyError("a key's public part is not base64") from error

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` reads."""
        public = base64.b64encode(self.public).decode()
        return {"keytype": self.type, "keyval": {"private": None, "public": public}}

    @cached_property
    def key_id(self) -> str:
        """The ID under which metadata names this key: 64 hex digits."""
        return sha256(encode(self.to_json())).hexdigest()

    @cached_property
    def canonical_id(self) -> str:
        """The ID of the bare key, the same for all certificates and encodings of one key pair.

        Raises:
            InvalidKeyError: the key cannot be read.
        """
        bare_type = _BARE_TYPE.get(self.type, self.type)
        if bare_type not in (ECDSA, RSA):
            return self.key_id
        bare = self._loaded.public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return PublicKey(bare_type, bare).key_id

    @property
    def has_certificate(self) -> bool:
        """Whether the public part is a certificate."""
        return self.type in _BARE_TYPE

    @cached_property
    def certificate_chain(self) -> tuple[Certificate, ...]:
        """The certificates of an x509 key in the order they stand in, at least one.

        Raises:
            InvalidKeyError: the key has no certificate, or one that cannot be read.
        """
        if not self.has_certificate:
            raise InvalidKeyError(f"a key of type {self.type} has no certificate")
        return certificates.load_chain(self.public)

    @cached_property
    def _loaded(self) -> PublicKeyTypes:
        try:
            if self.has_certificate:
                return certificates.public_key(self.certificate_chain[0])
            if self.type == ED25519:
                return ed25519.Ed25519PublicKey.from_public_bytes(self.public)
            return serialization.load_der_public_key(self.public)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise InvalidKeyError(f"the {self.type} key {self.key_id} cannot be read") from error

    def verifies(self, method: str, signature: bytes, payload: bytes) -> bool:
        """Tell whether a signature over a payload is this key's.

        Args:
            method: the signing method in lower case. It must fit the type of the key, so that
                nobody can have a key's bytes read as those of another kind.
            signature: its raw bytes; for ECDSA r and s, each as wide as the curve.
            payload: the bytes that were signed.
        """
        verify = _VERIFIERS.get((_BARE_TYPE.get(self.type, self.type), method))
        if verify is None:
            return False
        try:
            verify(self._loaded, signature, payload)
        except (InvalidSignature, InvalidKeyError):
            return False
        return True


def _verify_ed25519(key: PublicKeyTypes, signature: bytes, payload: bytes) -> None:
    cast(ed25519.Ed25519PublicKey, key).verify(signature, payload)


def _verify_ecdsa(key: PublicKeyTypes, signature: bytes, payload: bytes) -> None:
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, _CURVES):
        raise InvalidSignature
    width = (key.curve.key_size + 7) // 8
    if len(signature) != 2 * width:
        raise InvalidSignature
    r, s = int.from_bytes(signature[:width], "big"), int.from_bytes(signature[width:], "big")
    key.verify(encode_dss_signature(r, s), payload, ec.ECDSA(hashes.SHA256()))


def _rsa_verifier(
    scheme: Callable[[], padding.PSS | padding.PKCS1v15],
) -> Callable[[PublicKeyTypes, bytes, bytes], None]:
    def verify(key: PublicKeyTypes, signature: bytes, payload: bytes) -> None:
        if not isinstance(key, rsa.RSAPublicKey) or key.key_size < certificates.MIN_RSA_BITS:
            raise InvalidSignature
        key.verify(signature, payload, scheme(), hashes.SHA256())

    return verify


_VERIFIERS: dict[tuple[str, str], Callable[[PublicKeyTypes, bytes, bytes], None]] = {
    (ED25519, "eddsa"): _verify_ed25519,
    (ECDSA, "ecdsa"): _verify_ecdsa,
    (RSA, "rsapss"): _rsa_verifier(
        lambda: padding.PSS(padding.MGF1(hashes.SHA256()), PSS_SALT_SIZE)
    ),
    (RSA, "rsapkcs1v15"): _rsa_verifier(padding.PKCS1v15),
}
