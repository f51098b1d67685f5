"""The private keys: made, kept encrypted, opened for a while, signed with."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import attrs
from cachetools import TTLCache
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from notary.sharing import Shared, shield
from notary.signer.envelope import ENCRYPTION_ALG, KEYWRAP_ALG, EnvelopeError, seal, unseal
from notary.signer.passphrases import PassphraseError, Passphrases
from notary.signing.interfaces import KeyNotHeldError, RawSignature
from notary.signing.private_keys import PrivateKey
from notary.storage.interfaces import StorageError
from notary.storage.keys.interfaces import IKeyStore, KeyNotStoredError, SealedKey
from notary.tuf.errors import InvalidKeyError
from notary.tuf.keys import RSA, PublicKey

T = TypeVar("T")

OPEN_KEYS = 2000
"""Keys that are kept open at a time; each takes about 3 kB, one for RSA more."""

OPEN_SECONDS = 900
"""How long a key is kept open: so long may one sign on that another signer deleted."""

MARK_TIMEOUT = 2
"""Seconds that a first signature waits for being noted in the store."""

_LONG_PAYLOAD = 64 * 1024
"""Bytes from which on hashing takes a good part of a millisecond."""


class LockedKeyError(Exception):
    """A stored key cannot be opened; the message says which and why, and shows no secret."""


@attrs.define
class OpenKey:
    """A key that is ready to sign.

    Attributes:
        gun: the collection it was made for; empty if that was never noted.
        role: the role it was made for; empty likewise.
        private: the key.
        used: whether it has signed, as far as is known here.
    """

    gun: str
    role: str
    private: PrivateKey
    used: bool

    def is_for(self, gun: str, role: str) -> bool:
        """Tell whether the key may sign for a role of a collection."""
        return (self.gun, self.role) in ((gun, role), ("", ""))


class KeyVault:
    """Holds the keys of timestamps and snapshots.

    Args:
        store: where the encrypted keys are.
        passphrases: open them.
        alias: which of the passphrases encrypts new keys.
        run_in_thread: calls a function with arguments where it may take its time.
        clock: tells when an open key has to be forgotten.

    Attributes:
        made: how many keys were made.
        hits: how often a key that was needed was open already.
        misses: how often it was not.
    """

    _log = Logger()

    def __init__(
        self,
        store: IKeyStore,
        passphrases: Passphrases,
        alias: str,
        run_in_thread: Callable[..., Deferred[Any]],
        clock: IReactorTime,
    ) -> None:
        self._store = store
        self._passphrases = passphrases
        self._alias = alias
        self._run_in_thread = run_in_thread
        self._clock = clock
        self._open: TTLCache[str, OpenKey] = TTLCache(OPEN_KEYS, OPEN_SECONDS, clock.seconds)
        self._opening: Shared[OpenKey] = Shared()
        self._creating: Shared[PublicKey] = Shared()
        self._deletions = 0
        self.made = 0
        self.hits = 0
        self.misses = 0

    @property
    def open_keys(self) -> int:
        """How many keys are open."""
        return len(self._open)

    async def create_key(self, gun: str, role: str, algorithm: str) -> PublicKey:
        """Return a key that never signed: one that was made for the same, or else a new one.

        Raises:
            InvalidKeyError: there is no such algorithm.
            PassphraseError: there is no passphrase to encrypt a new key with.
            StorageError: the store cannot answer now, or not hold such a name.
        """
        wanted = (gun, role, algorithm)
        return await self._creating.run(wanted, lambda: self._create(*wanted))

    async def _create(self, gun: str, role: str, algorithm: str) -> PublicKey:
        for sealed in await self._store.unused(gun, role, algorithm):
            try:
                held = await self._held(sealed.key_id, sealed)
            except LockedKeyError as error:
                self._log.warn("an unused key is passed over: {error}", error=error)
                continue
            if not held.used:
                return held.private.public
        private, sealed = cast(
            "tuple[PrivateKey, SealedKey]",
            await self._run_in_thread(self._make, gun, role, algorithm),
        )
        await self._store.add(sealed)
        self.made += 1
        self._open[sealed.key_id] = OpenKey(gun, role, private, used=False)
        return private.public

    def _make(self, gun: str, role: str, algorithm: str) -> tuple[PrivateKey, SealedKey]:
        private = PrivateKey.generate(algorithm)
        envelope = seal(private.to_bytes(), self._passphrases.passphrase(self._alias))
        return private, SealedKey(
            key_id=private.public.key_id,
            algorithm=algorithm,
            gun=gun,
            role=role,
            public=private.public.public,
            private=envelope,
            passphrase_alias=self._alias,
            keywrap_alg=KEYWRAP_ALG,
            encryption_alg=ENCRYPTION_ALG,
        )

    async def public_key(self, key_id: str) -> tuple[PublicKey, str]:
        """Return the public half of a key, and the role it was made for.

        Raises:
            KeyNotHeldError: there is no such key.
            LockedKeyError: its record is damaged.
            StorageError: the store cannot answer now.
        """
        held = self._open.get(key_id)
        if held is not None:
            return held.private.public, held.role
        sealed = await self._sealed(key_id)
        return _public_half(sealed), sealed.role

    async def sign(self, gun: str, role: str, key_id: str, payload: bytes) -> RawSignature:
        """Return a signature over a payload, by a key that was made for this collection and role.

        Raises:
            KeyNotHeldError: there is no such key for them.
            LockedKeyError: the key cannot be opened.
            StorageError: the store cannot answer now.
        """
        held = await self._held(key_id)
        if not held.is_for(gun, role):
            raise KeyNotHeldError(f"no key with the ID {key_id} is held for {role} of {gun!r}")
        private = held.private
        if private.public.type == RSA or len(payload) > _LONG_PAYLOAD:
            signature = cast(RawSignature, await self._run_in_thread(private.sign, payload))
        else:
            signature = private.sign(payload)
        if not held.used:
            await self._mark_used(key_id, held)
        return signature

    async def delete_key(self, key_id: str) -> None:
        """Never sign with a key again; if there is none, that is no error.

        Raises:
            StorageError: the store cannot answer now.
        """
        await self._store.delete(key_id)
        self._deletions += 1
        self._open.pop(key_id, None)

    async def check(self) -> None:
        """Make sure that keys can be looked up and made.

        Raises:
            PassphraseError: there is no passphrase to encrypt a new key with.
            StorageError: the store cannot answer now.
        """
        await self._store.check()
        await self._run_in_thread(self._passphrases.passphrase, self._alias)

    async def _held(self, key_id: str, sealed: SealedKey | None = None) -> OpenKey:
        held = self._open.get(key_id)
        if held is None:
            self.misses += 1
            held = await self._opening.run(key_id, lambda: self._unlock(key_id, sealed))
        else:
            self.hits += 1
        return held

    async def _unlock(self, key_id: str, sealed: SealedKey | None) -> OpenKey:
        deletions = self._deletions
        if sealed is None:
            sealed = await self._sealed(key_id)
        private = cast(
            PrivateKey, await self._run_in_thread(open_sealed, sealed, self._passphrases)
        )
        held = OpenKey(sealed.gun, sealed.role, private, sealed.used)
        if self._deletions == deletions:  # else this may be the key that was deleted meanwhile
            self._open[key_id] = held
        return held

    async def _sealed(self, key_id: str) -> SealedKey:
        try:
            return await self._store.by_id(key_id)
        except KeyNotStoredError as error:
            raise KeyNotHeldError(f"no key with the ID {key_id} is held here") from error

    async def _mark_used(self, key_id: str, held: OpenKey) -> None:
        """Note a first signature before anybody gets it, so that the key is not taken for unused.

        If that fails the signature is worth more than the note, which is then tried again when the
        key has been opened anew.
        """
        try:
            await shield(self._store.mark_used(key_id)).addTimeout(MARK_TIMEOUT, self._clock)
        except (StorageError, TimeoutError) as error:
            late = isinstance(error, TimeoutError)
            reason = f"no answer within {MARK_TIMEOUT} seconds" if late else str(error)
            self._log.warn(
                "the key {key_id} has signed for {role} of {gun}, which could not be noted, so "
                "that it may be given out again as a new key: {reason}",
                key_id=key_id,
                role=held.role,
                gun=held.gun,
                reason=reason,
            )
        held.used = True


def open_sealed(sealed: SealedKey, passphrases: Passphrases) -> PrivateKey:
    """Decrypt a stored key. Takes milliseconds of processor time, and may read a file.

    Raises:
        LockedKeyError: it cannot be opened.
    """
    try:
        passphrase = passphrases.passphrase(sealed.passphrase_alias)
        private = PrivateKey.from_bytes(sealed.algorithm, unseal(sealed.private, passphrase))
    except (EnvelopeError, InvalidKeyError, PassphraseError) as error:
        raise _locked(sealed, str(error)) from error
    if private.public != _public_half(sealed):
        raise _locked(sealed, "its halves do not belong together")
    return private


def _public_half(sealed: SealedKey) -> PublicKey:
    public = PublicKey(sealed.algorithm, sealed.public)
    if public.key_id != sealed.key_id:
        raise _locked(sealed, "its public half is damaged")
    return public


def _locked(sealed: SealedKey, reason: str) -> LockedKeyError:
    return LockedKeyError(
        f"the key {sealed.key_id}, encrypted under the alias {sealed.passphrase_alias!r}, cannot "
        f"be used: {reason}"
    )
