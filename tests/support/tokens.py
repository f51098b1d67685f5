"""Access tokens as a token server makes them, good ones and all others."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import attrs
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate
from cryptography.x509.oid import NameOID
from joserfc import jws
from joserfc.jwk import ECKey, OKPKey, RSAKey
from joserfc.util import urlsafe_b64encode

from notary.server.access.bundle import fingerprint

ISSUER = "auth.example.com"
SERVICE = "notary.example.com"
REALM = "https://auth.example.com/token"
ALGORITHMS = {
    "RS256": "RSA",
    "RS384": "RSA",
    "RS512": "RSA",
    "PS256": "RSA",
    "PS384": "RSA",
    "PS512": "RSA",
    "ES256": "P-256",
    "ES384": "P-384",
    "ES512": "P-521",
    "EdDSA": "Ed25519",
    "Ed25519": "Ed25519",
}
"""The algorithms that sign tokens, and the kinds of keys they need."""

Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

DAY = timedelta(days=1)


def make_private(kind: str = "P-256") -> Private:
    if kind == "RSA":
        return rsa.generate_private_key(65537, 2048)
    if kind == "Ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    curves = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1(), "P-521": ec.SECP521R1()}
    return ec.generate_private_key(curves[kind])


@attrs.frozen
class Signer:
    """A key that signs tokens, and its certificate.

    Attributes:
        issuer: who signed the certificate; None for itself.
    """

    private: Private = attrs.field(repr=False)
    certificate: Certificate
    issuer: Signer | None = None

    @classmethod
    def make(
        cls,
        kind: str = "P-256",
        issuer: Signer | None = None,
        *,
        name: str = "token signer",
        is_ca: bool = False,
        begins: timedelta = -9 * DAY,
        ends: timedelta = 9 * DAY,
        private: Private | None = None,
        algorithm: hashes.HashAlgorithm | None = None,
    ) -> Signer:
        """Make one; its certificate has no more extensions than what ``openssl req`` gives one."""
        private = private or make_private(kind)
        signing = private if issuer is None else issuer.private
        if algorithm is None and not isinstance(signing, ed25519.Ed25519PrivateKey):
            algorithm = hashes.SHA256()
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.now(timezone.utc)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject if issuer is None else issuer.certificate.subject)
            .public_key(private.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + begins)
            .not_valid_after(now + ends)
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
            .sign(signing, algorithm)  # type: ignore[arg-type]
        )
        return cls(private, certificate, issuer)

    @property
    def key(self) -> RSAKey | ECKey | OKPKey:
        """The key, as the JWT library knows it."""
        found: RSAKey | ECKey | OKPKey
        if isinstance(self.private, rsa.RSAPrivateKey):
            found = RSAKey.import_key(self.private)
        elif isinstance(self.private, ec.EllipticCurvePrivateKey):
            found = ECKey.import_key(self.private)
        else:
            found = OKPKey.import_key(self.private)
        return found

    @property
    def algorithm(self) -> str:
        """The usual algorithm of such a key."""
        kind = "RSA" if isinstance(self.private, rsa.RSAPrivateKey) else self.key["crv"]
        return next(name for name, needs in ALGORITHMS.items() if needs == kind)

    @property
    def jwk(self) -> dict[str, Any]:
        return dict(self.key.as_dict(private=False))

    @property
    def chain(self) -> list[Certificate]:
        """The certificate, and those of its issuers but for the last."""
        if self.issuer is None or self.issuer.issuer is None:
            return [self.certificate]
        return [self.certificate, *self.issuer.chain]

    def kid(self) -> dict[str, Any]:
        """The header that names the key by its libtrust fingerprint."""
        return {"kid": fingerprint(self.key)}

    def thumbprint(self) -> dict[str, Any]:
        """The header that names the key as RFC 7638 does."""
        return {"kid": self.key.thumbprint()}

    def x5c(self) -> dict[str, Any]:
        """The header that holds the chain."""
        return {"x5c": x5c(self.chain)}

    def sign(self, claims: Any, header: Mapping[str, Any], algorithm: str | None = None) -> str:
        """Sign anything under any header; where it does not name the algorithm, it gets one."""
        payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
        whole = {"typ": "JWT", "alg": algorithm or self.algorithm, **header}
        parts = [urlsafe_b64encode(json.dumps(whole).encode()), urlsafe_b64encode(payload)]
        signing = jws.JWSRegistry.algorithms[algorithm or self.algorithm]
        parts.append(urlsafe_b64encode(signing.sign(b".".join(parts), self.key)))
        return b".".join(parts).decode()


def x5c(chain: Sequence[Certificate]) -> list[str]:
    """A chain, as the header has it."""
    return [base64.b64encode(each.public_bytes(Encoding.DER)).decode() for each in chain]


def write_bundle(file: Path, *certificates: Certificate) -> Path:
    file.write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in certificates))
    return file


def access(name: str, *actions: str, kind: str = "repository") -> dict[str, Any]:
    """One item of the claim ``access``."""
    return {"type": kind, "name": name, "actions": list(actions)}


CATALOG = access("catalog", "*", kind="registry")


def claims(*granted: Any, now: float | None = None, **changed: Any) -> dict[str, Any]:
    """What a good token says for the next five minutes; a claim that is changed to None is gone."""
    seconds = int(time.time() if now is None else now)
    all_claims = {
        "iss": ISSUER,
        "sub": "alice",
        "aud": SERVICE,
        "exp": seconds + 300,
        "nbf": seconds,
        "iat": seconds,
        "jti": "a name that is used once",
        "access": list(granted),
        **changed,
    }
    return {name: value for name, value in all_claims.items() if value is not None}


def auth_section(bundle: Path, **options: Any) -> dict[str, Any]:
    """The section ``auth`` of a server's configuration."""
    return {
        "type": "token",
        "options": {
            "realm": REALM,
            "service": SERVICE,
            "issuer": ISSUER,
            "rootcertbundle": str(bundle),
            **options,
        },
    }
