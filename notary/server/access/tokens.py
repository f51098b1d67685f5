"""Access tokens: JSON Web Tokens (RFC 7519) with the claims of the Docker registry.

Pure: the bundle and the time are handed in.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs
from joserfc import jws
from joserfc.errors import JoseError, SecurityWarning
from joserfc.util import urlsafe_b64decode

from notary.server.access.bundle import Bundle
from notary.server.access.errors import TokenError
from notary.server.access.interfaces import Scope
from notary.server.access.signers import find_key, shown

# RFC 9864 prefers the name Ed25519 for what token servers call EdDSA.
warnings.filterwarnings("ignore", "EdDSA is deprecated", SecurityWarning)

MAX_TOKEN = 16 * 1024
"""Bytes of a token; the HTTP door takes no more for all headers together."""

LEEWAY = 60
"""Seconds that the clock of a token server may be wrong."""

ALGORITHMS = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"),
    *("EdDSA", "Ed25519"),
)
"""Signatures with a private key, all of them; ``none`` and shared secrets are not."""


class _Registry(jws.JWSRegistry):
    """The sizes of a header with a chain of certificates."""

    max_header_length = MAX_TOKEN
    max_payload_length = MAX_TOKEN


_REGISTRY = _Registry(algorithms=ALGORITHMS, strict_check_header=False)


@attrs.frozen
class Token:
    """What a token that is believed says.

    Attributes:
        subject: whom it was given to.
        granted: the actions by type and name of what they may be done to.
        until: when it ceases to be believed, in seconds since 1970.
    """

    subject: str
    granted: Mapping[tuple[str, str], frozenset[str]]
    until: float

    def allows(self, scope: Scope) -> bool:
        """Tell whether its bearer may do all of that."""
        granted = self.granted.get((scope.kind, scope.name), frozenset())
        return "*" in granted or granted.issuperset(scope.actions)


@attrs.frozen
class Expectations:
    """What a token has to say.

    Attributes:
        issuer: who made it.
        service: whom it is for.
    """

    issuer: str
    service: str


def verify(raw: bytes, bundle: Bundle, expected: Expectations, now: datetime) -> Token:
    """Return what a token says, if it is to be believed.

    Raises:
        TokenError: it is not.
    """
    if len(raw) > MAX_TOKEN:
        raise TokenError(f"it has more than {MAX_TOKEN} bytes")
    if raw.count(b".") != 2:
        raise TokenError("it is no JSON Web Token")
    header = _object(raw.partition(b".")[0], "header")
    if header.get("alg") not in ALGORITHMS:
        raise TokenError(f"its algorithm {shown(header.get('alg'))} is not allowed")
    if "crit" in header or "b64" in header:
        raise TokenError("its header asks for extensions (crit, b64)")
    key, chain_until = find_key(header, bundle, now)
    try:
        jws.deserialize_compact(raw, key, registry=_REGISTRY)
    except (JoseError, ValueError, TypeError) as error:
        raise TokenError(f"its signature does not verify: {error}") from error
    token = _token(_object(raw.split(b".")[1], "payload"), expected, now.timestamp())
    if chain_until is None:
        return token
    return attrs.evolve(token, until=min(token.until, chain_until.timestamp()))


def _object(encoded: bytes, part: str) -> dict[str, Any]:
    try:
        value = json.loads(urlsafe_b64decode(encoded))
    except (ValueError, RecursionError) as error:
        raise TokenError(f"its {part} is no JSON in base64") from error
    if not isinstance(value, dict):
        raise TokenError(f"its {part} is no object")
    return value


def _token(claims: Mapping[str, Any], expected: Expectations, now: float) -> Token:
    if claims.get("iss") != expected.issuer:
        raise TokenError(f"its issuer is {shown(claims.get('iss'))}")
    audience = claims.get("aud")
    if expected.service not in (audience if isinstance(audience, list) else [audience]):
        raise TokenError(f"it is for {shown(audience)}")
    expires, begins = (_seconds(claims, name) for name in ("exp", "nbf"))
    if expires is None:
        raise TokenError("it does not say when it expires")
    if now > expires + LEEWAY:
        raise TokenError(f"it expired at {shown(expires)}")
    if begins is not None and now < begins - LEEWAY:
        raise TokenError(f"it is not valid before {shown(begins)}")
    subject = claims.get("sub") or ""
    if not isinstance(subject, str):
        raise TokenError("its subject is no text")
    printable = subject.encode(errors="replace").decode()
    return Token(printable, _granted(claims.get("access")), expires + LEEWAY)


def _seconds(claims: Mapping[str, Any], name: str) -> int | None:
    value = claims.get(name)
    if value is not None and (type(value) is not int or abs(value) >= 2**63):
        raise TokenError(f"its claim {name} is no number of seconds")
    return value


def _granted(access: Any) -> Mapping[tuple[str, str], frozenset[str]]:
    """Return what is granted; Go writes an empty list as null."""
    granted: dict[tuple[str, str], frozenset[str]] = {}
    try:
        for item in access or ():
            actions = item.get("actions") or ()
            if isinstance(actions, str) or not all(isinstance(each, str) for each in actions):
                raise TypeError("actions are a list of texts")
            thing = item["type"], item["name"]
            granted[thing] = granted.get(thing, frozenset()) | frozenset(actions)
    except (AttributeError, KeyError, TypeError) as error:
        raise TokenError("its claim access is no list of types, names and actions") from error
    return granted
