"""A store of keys that forgets everything when the process ends."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from twisted.internet.defer import Deferred, fail, succeed
from zope.interface import implementer

from notary.storage.interfaces import UnstorableError
from notary.storage.keys.interfaces import MOST_UNUSED, IKeyStore, KeyNotStoredError, SealedKey
from notary.storage.limits import refuse_unstorable_name


@implementer(IKeyStore)
class MemoryKeyStore:
    """Keeps all keys in this process."""

    def __init__(self) -> None:
        self._keys: dict[str, SealedKey] = {}

    def add(self, key: SealedKey) -> Deferred[None]:
        """See `IKeyStore.add`."""
        try:
            refuse_unstorable_name("GUN", key.gun)
            refuse_unstorable_name("role", key.role)
        except UnstorableError as error:
            return fail(error)
        self._keys[key.key_id] = key
        return succeed(None)

    def by_id(self, key_id: str) -> Deferred[SealedKey]:
        """See `IKeyStore.by_id`."""
        if key_id not in self._keys:
            return fail(KeyNotStoredError(f"no key with the ID {key_id} is stored"))
        return succeed(self._keys[key_id])

    def unused(self, gun: str, role: str, algorithm: str) -> Deferred[Sequence[SealedKey]]:
        """See `IKeyStore.unused`."""
        wanted = (gun, role, algorithm, False)
        found = [
            key
            for _, key in sorted(self._keys.items())
            if (key.gun, key.role, key.algorithm, key.used) == wanted
        ]
        return succeed(found[:MOST_UNUSED])

    def mark_used(self, key_id: str) -> Deferred[None]:
        """See `IKeyStore.mark_used`."""
        if key_id in self._keys:
            self._keys[key_id] = attrs.evolve(self._keys[key_id], used=True)
        return succeed(None)

    def delete(self, key_id: str) -> Deferred[None]:
        """See `IKeyStore.delete`."""
        self._keys.pop(key_id, None)
        return succeed(None)

    def check(self) -> Deferred[None]:
        """See `IKeyStore.check`: there is nothing that could fail."""
        return succeed(None)
