"""Chains of certificates in the headers of tokens."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.x509 import Certificate
from OpenSSL import crypto

from notary.server.access.bundle import Bundle, SigningKey, signing_key
from notary.server.access.errors import TokenError
from notary.tuf.certificates import weakness
from notary.tuf.errors import InvalidKeyError

MAX_CERTIFICATES = 10


def key_of_chain(encoded: list[Any], bundle: Bundle, now: datetime) -> tuple[SigningKey, datetime]:
    """Return the key of the leaf of a chain that ends at a certificate of the bundle.

    Every certificate of the bundle may vouch, for itself too. The name and the purpose of a leaf
    do not matter, as they do not to the Docker registry.

    Args:
        encoded: the leaf and then other certificates that may be needed, DER in base64.
        bundle: who vouches.
        now: the time at which all that is used of the chain must be valid.

    Returns:
        The key, and until when the chain is valid.

    Raises:
        TokenError: there is no such chain, or it is weak.
    """
    if len(encoded) > MAX_CERTIFICATES:
        raise TokenError(f"its chain has more than {MAX_CERTIFICATES} certificates")
    leaf, *others = [_certificate(each) for each in encoded]
    store = crypto.X509Store()
    store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)
    store.set_time(now)
    for certificate in bundle.certificates:
        store.add_cert(crypto.X509.from_cryptography(certificate))
    context = crypto.X509StoreContext(
        store,
        crypto.X509.from_cryptography(leaf),
        [crypto.X509.from_cryptography(each) for each in others],
    )
    try:
        chain = [each.to_cryptography() for each in context.get_verified_chain()]
        for number, certificate in enumerate(chain[:-1], 1):
            if problem := weakness(certificate):
                raise TokenError(f"certificate number {number} of its chain will not do: {problem}")
        return signing_key(leaf), min(each.not_valid_after_utc for each in chain)
    except crypto.X509StoreContextError as error:
        raise TokenError(f"its certificate does not verify: {error}") from error
    except InvalidKeyError as error:
        raise TokenError(f"its certificate will not do: {error}") from error


def _certificate(encoded: Any) -> Certificate:
    try:
        der = base64.b64decode(encoded, validate=True)
        return x509.load_der_x509_certificate(der)
    except (TypeError, ValueError, x509.InvalidVersion) as error:
        raise TokenError("a certificate in its header cannot be read") from error
