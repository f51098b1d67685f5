"""What the signer asks of a store of keys, and the record that passes between them."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from twisted.internet.defer import Deferred
from zope.interface import Interface

from notary.storage.interfaces import StorageError

MOST_UNUSED = 10
"""How many unused keys a store looks up at the most."""


@attrs.frozen
class SealedKey:
    """A key pair, its private half encrypted.

    Attributes:
        key_id: its canonical ID, 64 lower-case hex digits.
        algorithm: ``ecdsa``, ``ed25519`` or ``rsa``.
        gun: the collection it was made for; empty if the Go signer made it before it noted that.
        role: the role it was made for; empty likewise.
        public: the public half as metadata carries it.
        private: the private half, encrypted; a compact JWE.
        passphrase_alias: the name of the passphrase that opens it.
        keywrap_alg: how the passphrase encrypts the content's key.
        encryption_alg: how that encrypts the content.
        used: whether it has signed.
    """

    key_id: str
    algorithm: str
    gun: str
    role: str
    public: bytes = attrs.field(repr=False)
    private: bytes = attrs.field(repr=False)
    passphrase_alias: str
    keywrap_alg: str
    encryption_alg: str
    used: bool = False


class KeyNotStoredError(StorageError):
    """The store holds no such key."""


class IKeyStore(Interface):
    """Holds sealed keys by their IDs.

    Every method returns a Deferred. Each may fail with `StoreUnavailableError`.
    """

    def add(key: SealedKey) -> Deferred[None]:
        """Store a new key, and fire with None once it is there for good.

        Fails with `UnstorableError` if the store could not give it back exactly.
        """

    def by_id(key_id: str) -> Deferred[SealedKey]:
        """Fire with a key, or fail with `KeyNotStoredError`."""

    def unused(gun: str, role: str, algorithm: str) -> Deferred[Sequence[SealedKey]]:
        """Fire with the keys of a role that never signed, by ID, at most `MOST_UNUSED` of them."""

    def mark_used(key_id: str) -> Deferred[None]:
        """Note when a key signed for the first time; a key that is not there is no error."""

    def delete(key_id: str) -> Deferred[None]:
        """Hide a key for good; a key that is not there is no error."""

    def check() -> Deferred[None]:
        """Fire with None if the store can serve; fail with `StoreUnavailableError` if not."""
