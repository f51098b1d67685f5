"""How private keys are encrypted at rest: compact JWE (RFC 7516), under a passphrase.

The passphrase is stretched with PBKDF2 and wraps a key of its own for each envelope (PBES2,
RFC 7518 4.8). Algorithms and iteration count are the Go signer's, so that either opens the other's.
"""

from __future__ import annotations

import json
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap
from joserfc import jwe
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from joserfc.util import urlsafe_b64decode, urlsafe_b64encode

KEYWRAP_ALG = "PBES2-HS256+A128KW"
ENCRYPTION_ALG = "A256GCM"

_ALGORITHMS = [KEYWRAP_ALG, ENCRYPTION_ALG]
_ITERATIONS = 8192
_MAX_ITERATIONS = 300_000
_SALT_SIZE = 12


class EnvelopeError(Exception):
    """An envelope does not open: the passphrase is another one, or the envelope is damaged."""


def seal(content: bytes, passphrase: str) -> bytes:
    """Encrypt a private key. Takes milliseconds of processor time."""
    header = {
        "alg": KEYWRAP_ALG,
        "enc": ENCRYPTION_ALG,
        "p2c": _ITERATIONS,
        "p2s": urlsafe_b64encode(secrets.token_bytes(_SALT_SIZE)).decode(),
    }
    return jwe.encrypt_compact(header, content, _key(passphrase), algorithms=_ALGORITHMS).encode()


def unseal(envelope: bytes, passphrase: str) -> bytes:
    """Decrypt what `seal` made. Takes milliseconds of processor time.

    Raises:
        EnvelopeError: it does not open.
    """
    try:
        _check_iterations(envelope)
        opened = jwe.decrypt_compact(envelope, _key(passphrase), algorithms=_ALGORITHMS)
    except (JoseError, InvalidTag, InvalidUnwrap) as error:
        raise EnvelopeError("the passphrase is wrong, or the encrypted key is damaged") from error
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise EnvelopeError("the encrypted key is damaged") from error
    if opened.plaintext is None:
        raise EnvelopeError("the encrypted key is damaged")
    return opened.plaintext


def _check_iterations(envelope: bytes) -> None:
    """Refuse counts that would keep a thread busy for long, or that libraries panic at."""
    header = json.loads(urlsafe_b64decode(envelope.partition(b".")[0]))
    if not 1 <= header["p2c"] <= _MAX_ITERATIONS:
        raise ValueError(f"PBKDF2 with {header['p2c']} iterations")


def _key(passphrase: str) -> OctKey:
    raw = passphrase.encode(errors="surrogateescape")  # what is not UTF-8 counts by its bytes
    return OctKey(raw, raw)  # import_key would refuse or warn of what does not look random to it
