"""What the metadata server asks of whoever holds the timestamp and snapshot keys."""

from __future__ import annotations

import attrs
from twisted.internet.defer import Deferred
from zope.interface import Interface

from notary.tuf.keys import PublicKey


@attrs.frozen
class RawSignature:
    """What a signer returns.

    Attributes:
        method: the signing method, such as ``eddsa``.
        signature: the raw bytes.
    """

    method: str
    signature: bytes = attrs.field(repr=False)


class SignerError(Exception):
    """Something that has to do with the signer went wrong."""


class KeyNotHeldError(SignerError):
    """The signer does not hold that key."""


class SignerUnavailableError(SignerError):
    """The signer cannot answer now; the message says why."""


class UnsignableError(SignerError):
    """The payload is larger than the signer takes."""


class ISigner(Interface):
    """Holds private keys and signs with them.

    Every method returns a Deferred. Each may fail with `SignerUnavailableError`.
    """

    def create_key(gun: str, role: str) -> Deferred[PublicKey]:
        """Fire with a key for a role of a collection.

        That is a key which never signed anything, if the signer holds one that was made for the
        same GUN and role, and a new key otherwise.
        """

    def public_key(key_id: str) -> Deferred[PublicKey]:
        """Fire with the public part of a key, or fail with `KeyNotHeldError`."""

    def sign(gun: str, role: str, key_id: str, payload: bytes) -> Deferred[RawSignature]:
        """Fire with a signature over the payload.

        Fails with `KeyNotHeldError`, or with `UnsignableError` if the payload is larger than a few
        megabytes.

        A key is held for the collection and role that it was made for, and signs for no other:
        or else whoever publishes to one could have files signed that are good for another.

        Args:
            gun: the collection.
            role: the role of the file to be signed.
            key_id: the canonical ID of the key, that of its bare public key.
            payload: the bytes to sign.
        """

    def check() -> Deferred[None]:
        """Fire with None if the signer can serve; fail with `SignerUnavailableError` if not."""
