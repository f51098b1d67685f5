"""Signers and stores that do on demand what real ones do when something is wrong."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeVar

import attrs
from twisted.internet.defer import Deferred, fail
from zope.interface import implementer

from notary.signing.interfaces import ISigner, RawSignature, SignerUnavailableError
from notary.storage.interfaces import (
    Change,
    FileName,
    IMetadataStore,
    Newest,
    NewFile,
    StoredFile,
    StoreUnavailableError,
)
from notary.tuf.keys import PublicKey

T = TypeVar("T")


@implementer(ISigner)
class SwitchedSigner:
    """A signer that can be away, and that counts what it is asked.

    Attributes:
        away: whether it cannot answer now.
        asked: the methods called so far, with the role or key they are about.
    """

    def __init__(self, signer: ISigner) -> None:
        self._signer = signer
        self.away = False
        self.asked: list[tuple[str, str]] = []

    def create_key(self, gun: str, role: str) -> Deferred[PublicKey]:
        """See `ISigner.create_key`."""
        return self._ask("create_key", role, lambda: self._signer.create_key(gun, role))

    def public_key(self, key_id: str) -> Deferred[PublicKey]:
        """See `ISigner.public_key`."""
        return self._ask("public_key", key_id, lambda: self._signer.public_key(key_id))

    def sign(self, gun: str, role: str, key_id: str, payload: bytes) -> Deferred[RawSignature]:
        """See `ISigner.sign`."""
        return self._ask("sign", role, lambda: self._signer.sign(gun, role, key_id, payload))

    def check(self) -> Deferred[None]:
        """See `ISigner.check`."""
        return self._ask("check", "", self._signer.check)

    def _ask(self, method: str, subject: str, ask: Callable[[], Deferred[T]]) -> Deferred[T]:
        self.asked.append((method, subject))
        return fail(SignerUnavailableError("the signer is away")) if self.away else ask()


@implementer(ISigner)
class HeldSigner:
    """A signer whose signatures can be made to wait until they are let go.

    Attributes:
        holding: whether signatures wait.
        waiting: for each signature that was asked for, a function that lets it go.
    """

    def __init__(self, signer: ISigner) -> None:
        self._signer = signer
        self.holding = False
        self.waiting: list[Callable[[], object]] = []

    def create_key(self, gun: str, role: str) -> Deferred[PublicKey]:
        """See `ISigner.create_key`."""
        return self._signer.create_key(gun, role)

    def public_key(self, key_id: str) -> Deferred[PublicKey]:
        """See `ISigner.public_key`."""
        return self._signer.public_key(key_id)

    def sign(self, gun: str, role: str, key_id: str, payload: bytes) -> Deferred[RawSignature]:
        """See `ISigner.sign`."""
        if not self.holding:
            return self._signer.sign(gun, role, key_id, payload)
        held: Deferred[RawSignature] = Deferred()
        self.waiting.append(
            lambda: self._signer.sign(gun, role, key_id, payload).chainDeferred(held)
        )
        return held

    def check(self) -> Deferred[None]:
        """See `ISigner.check`."""
        return self._signer.check()

    def let_go(self) -> None:
        """Answer all that is asked, and what is asked because of that."""
        while self.waiting:
            self.waiting.pop(0)()


@implementer(ISigner)
class WrongSigner:
    """A signer that signs something else than it is asked to."""

    def __init__(self, signer: ISigner) -> None:
        self._signer = signer

    def create_key(self, gun: str, role: str) -> Deferred[PublicKey]:
        """See `ISigner.create_key`."""
        return self._signer.create_key(gun, role)

    def public_key(self, key_id: str) -> Deferred[PublicKey]:
        """See `ISigner.public_key`."""
        return self._signer.public_key(key_id)

    def sign(self, gun: str, role: str, key_id: str, payload: bytes) -> Deferred[RawSignature]:
        """See `ISigner.sign`."""
        return self._signer.sign(gun, role, key_id, payload + b" ")

    def check(self) -> Deferred[None]:
        """See `ISigner.check`."""
        return self._signer.check()


@implementer(IMetadataStore)
class SwitchedStore:
    """A store that can fail, lose files, hang, and be overtaken by another publisher.

    Attributes:
        inner: the store that does the work.
        failure: what every method fails with, None to do its work.
        replaced: bytes to give in place of a role's own; None for a file that is missing.
        before_publish: each runs once, when a publish is about to be stored.
        asked: the methods called so far.
        hangs: whether it never answers.
    """

    def __init__(self, store: IMetadataStore) -> None:
        self.inner = store
        self.failure: Exception | None = None
        self.replaced: dict[str, bytes | None] = {}
        self.before_publish: list[Callable[[], object]] = []
        self.asked: list[str] = []
        self.hangs = False

    def go_away(self) -> None:
        """Fail like a database that cannot be reached."""
        self.failure = StoreUnavailableError("the database is away")

    def remembered(self, gun: str, role: str, checksum: str) -> StoredFile | None:
        """See `IMetadataStore.remembered`."""
        self.asked.append("remembered")
        if self.hangs or self.failure or self.replaced.get(role, b"") is None:
            return None
        file = self.inner.remembered(gun, role, checksum)
        return None if file is None else self._replace(file)

    def newest(self, gun: str, role: str) -> Deferred[StoredFile]:
        """See `IMetadataStore.newest`."""
        found = self._ask("newest", lambda: self.inner.newest(gun, role))
        return found.addCallback(self._replace)

    def newest_timestamps(self, guns: Collection[str]) -> Deferred[Mapping[str, str]]:
        """See `IMetadataStore.newest_timestamps`."""
        return self._ask("newest_timestamps", lambda: self.inner.newest_timestamps(guns))

    def newest_with_versions(
        self, gun: str, role: str, others: Collection[str], ahead: Collection[str] = ()
    ) -> Deferred[Newest]:
        """See `IMetadataStore.newest_with_versions`."""
        found = self._ask(
            "newest_with_versions",
            lambda: self.inner.newest_with_versions(gun, role, others, ahead),
        )
        return found.addCallback(
            lambda newest: attrs.evolve(newest, file=self._replace(newest.file))
        )

    def by_version(self, gun: str, role: str, version: int) -> Deferred[StoredFile]:
        """See `IMetadataStore.by_version`."""
        return self._ask("by_version", lambda: self.inner.by_version(gun, role, version))

    def by_checksum(self, gun: str, role: str, checksum: str) -> Deferred[StoredFile]:
        """See `IMetadataStore.by_checksum`."""
        if self.replaced.get(role, b"") is None:
            checksum = "lost"
        found = self._ask("by_checksum", lambda: self.inner.by_checksum(gun, role, checksum))
        return found.addCallback(self._replace)

    def many_by_checksum(
        self, wanted: Collection[FileName]
    ) -> Deferred[Mapping[FileName, StoredFile]]:
        """See `IMetadataStore.many_by_checksum`."""
        kept = [name for name in wanted if self.replaced.get(name[1], b"") is not None]
        found = self._ask("many_by_checksum", lambda: self.inner.many_by_checksum(kept))
        return found.addCallback(
            lambda files: {name: self._replace(file) for name, file in files.items()}
        )

    def by_checksums(
        self, gun: str, checksums: Mapping[str, str], ahead: Collection[str] = ()
    ) -> Deferred[Mapping[str, StoredFile]]:
        """See `IMetadataStore.by_checksums`."""
        lost = {role for role, data in self.replaced.items() if data is None}
        kept = {role: checksum for role, checksum in checksums.items() if role not in lost}
        kept_ahead = set(ahead) - lost
        found = self._ask("by_checksums", lambda: self.inner.by_checksums(gun, kept, kept_ahead))
        return found.addCallback(
            lambda files: {role: self._replace(file) for role, file in files.items()}
        )

    def publish(
        self, gun: str, files: Sequence[NewFile], base: StoredFile | None
    ) -> Deferred[Sequence[StoredFile]]:
        """See `IMetadataStore.publish`."""
        if self.before_publish:
            self.before_publish.pop(0)()
        return self._ask("publish", lambda: self.inner.publish(gun, files, base))

    def delete(self, gun: str) -> Deferred[None]:
        """See `IMetadataStore.delete`."""
        return self._ask("delete", lambda: self.inner.delete(gun))

    def changes(self, gun: str | None, start: int | None, limit: int) -> Deferred[Sequence[Change]]:
        """See `IMetadataStore.changes`."""
        return self._ask("changes", lambda: self.inner.changes(gun, start, limit))

    def check(self) -> Deferred[None]:
        """See `IMetadataStore.check`."""
        return self._ask("check", self.inner.check)

    def _ask(self, method: str, ask: Callable[[], Deferred[T]]) -> Deferred[T]:
        self.asked.append(method)
        if self.hangs:
            return Deferred()
        return ask() if self.failure is None else fail(self.failure)

    def _replace(self, file: StoredFile) -> StoredFile:
        data = self.replaced.get(file.role) or file.data
        return NewFile(file.role, file.version, data).stored_at(file.created_at)
