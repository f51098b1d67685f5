"""Finding the key that signed a token, in the way of the Docker registry."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from notary.server.access.bundle import Bundle, SigningKey, fingerprint
from notary.server.access.chains import key_of_chain
from notary.server.access.errors import TokenError

_KINDS: dict[str, Any] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}


def find_key(
    header: Mapping[str, Any], bundle: Bundle, now: datetime
) -> tuple[SigningKey, datetime | None]:
    """Return the key of a token's header, if the bundle vouches for it.

    The first of these that is there counts: ``x5c``, a chain of certificates; ``jwk``, the key
    itself, which is in the bundle or has a chain of its own; ``kid``, the ID of a key in the
    bundle. A key in the bundle counts even when its certificate has expired.

    Returns:
        The key, and until when its chain is valid, None without a chain.

    Raises:
        TokenError: there is none, or it is not to be trusted.
    """
    chain, jwk, key_id = (header.get(name) for name in ("x5c", "jwk", "kid"))
    if chain:
        return _by_chain(chain, bundle, now)
    if jwk is not None:
        return _by_jwk(jwk, bundle, now)
    if not key_id:
        raise TokenError("its header names no key")
    if not isinstance(key_id, str) or key_id not in bundle.keys:
        raise TokenError(f"the bundle has no key with the ID {shown(key_id)}")
    return bundle.keys[key_id], None


def _by_chain(chain: Any, bundle: Bundle, now: datetime) -> tuple[SigningKey, datetime]:
    if not isinstance(chain, list) or not chain:
        raise TokenError("its x5c is no list of certificates")
    return key_of_chain(chain, bundle, now)


def _by_jwk(jwk: Any, bundle: Bundle, now: datetime) -> tuple[SigningKey, datetime | None]:
    key_id = fingerprint(_import(jwk))
    if "x5c" in jwk:
        key, until = _by_chain(jwk["x5c"], bundle, now)
        if fingerprint(key) != key_id:
            raise TokenError("its jwk is not the key of the certificate in it")
        return key, until
    if key_id not in bundle.keys:
        raise TokenError("its jwk is not in the bundle and has no certificate")
    return bundle.keys[key_id], None


def _import(jwk: Any) -> SigningKey:
    if not isinstance(jwk, dict) or not isinstance(jwk.get("kty"), str):
        raise TokenError("its jwk is no key")
    kind = _KINDS.get(jwk["kty"])
    if kind is None or "d" in jwk:
        raise TokenError("its jwk is no public key that could sign tokens")
    try:
        key: SigningKey = kind.import_key(jwk)
        ids = {fingerprint(key), key.thumbprint()}
    except (JoseError, UnsupportedAlgorithm, KeyError, OverflowError, TypeError, ValueError) as e:
        raise TokenError("its jwk cannot be read") from e
    if jwk.get("kid", key.thumbprint()) not in ids:
        raise TokenError("its jwk has the ID of another key")
    return key


def shown(value: Any) -> str:
    """Return a short form of anything for the log."""
    return ascii(value)[:100]
