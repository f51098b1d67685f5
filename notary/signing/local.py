"""A signer whose Ed25519 keys live and die with this process."""

from __future__ import annotations

import attrs
from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from notary.signing.interfaces import ISigner, KeyNotHeldError, RawSignature
from notary.signing.private_keys import PrivateKey
from notary.tuf.keys import ED25519, PublicKey


@attrs.frozen
class _HeldKey:
    gun: str
    role: str
    private: PrivateKey


@implementer(ISigner)
class LocalSigner:
    """Signs with Ed25519 keys that are kept in memory only."""

    def __init__(self) -> None:
        self._keys: dict[str, _HeldKey] = {}
        self._unused: dict[tuple[str, str], PublicKey] = {}

    def create_key(self, gun: str, role: str) -> Deferred[PublicKey]:
        """See `ISigner.create_key`."""
        if (gun, role) not in self._unused:
            key = _HeldKey(gun, role, PrivateKey.generate(ED25519))
            self._keys[key.private.public.key_id] = key
            self._unused[gun, role] = key.private.public
        return succeed(self._unused[gun, role])

    def public_key(self, key_id: str) -> Deferred[PublicKey]:
        """See `ISigner.public_key`."""
        key = self._keys.get(key_id)
        if key is None:
            return fail(KeyNotHeldError(f"no key with the ID {key_id[:64]} is held here"))
        return succeed(key.private.public)

    def sign(self, gun: str, role: str, key_id: str, payload: bytes) -> Deferred[RawSignature]:
        """See `ISigner.sign`."""
        key = self._keys.get(key_id)
        if key is None or (key.gun, key.role) != (gun, role):
            return fail(
                KeyNotHeldError(
                    f"no key with the ID {key_id[:64]} is held here for {role} of {gun!r}"
                )
            )
        if self._unused.get((gun, role)) == key.private.public:
            del self._unused[gun, role]
        return succeed(key.private.sign(payload))

    def check(self) -> Deferred[None]:
        """See `ISigner.check`."""
        return succeed(None)
