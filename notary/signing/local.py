"""A signer whose Ed25519 keys live and die with this process."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from notary.signing.interfaces import ISigner, KeyNotHeldError, RawSignature
from notary.tuf.keys import ED25519, PublicKey


@implementer(ISigner)
class LocalSigner:
    """Signs with Ed25519 keys that are kept in memory only."""

    def __init__(self) -> None:
        self._keys: dict[str, Ed25519PrivateKey] = {}
        self._unused: dict[tuple[str, str], PublicKey] = {}

    def create_key(self, gun: str, role: str) -> Deferred[PublicKey]:
        """See `ISigner.create_key`."""
        unused = self._unused.get((gun, role))
        if unused is None:
            private = Ed25519PrivateKey.generate()
            unused = PublicKey(ED25519, private.public_key().public_bytes_raw())
            self._keys[unused.key_id] = private
            self._unused[gun, role] = unused
        return succeed(unused)

    def public_key(self, key_id: str) -> Deferred[PublicKey]:
        """See `ISigner.public_key`."""
        private = self._keys.get(key_id)
        if private is None:
            return fail(_not_held(key_id))
        return succeed(PublicKey(ED25519, private.public_key().public_bytes_raw()))

    def sign(self, key_id: str, payload: bytes) -> Deferred[RawSignature]:
        """See `ISigner.sign`."""
        private = self._keys.get(key_id)
        if private is None:
            return fail(_not_held(key_id))
        self._unused = {owner: key for owner, key in self._unused.items() if key.key_id != key_id}
        return succeed(RawSignature("eddsa", private.sign(payload)))

    def check(self) -> Deferred[None]:
        """See `ISigner.check`."""
        return succeed(None)


def _not_held(key_id: str) -> KeyNotHeldError:
    return KeyNotHeldError(f"no key with the ID {key_id[:64]} is held here")
