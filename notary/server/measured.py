"""A signer and a store whose calls are counted and timed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeVar

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure
from zope.interface import implementer

from notary.observe.tallies import Calls
from notary.signing.interfaces import (
    ISigner,
    KeyNotHeldError,
    RawSignature,
    SignerUnavailableError,
    UnsignableError,
)
from notary.storage.interfaces import (
    Change,
    ConflictError,
    FileName,
    FileNotStoredError,
    IMetadataStore,
    Newest,
    NewFile,
    StoredFile,
    StoreUnavailableError,
)
from notary.tuf.keys import PublicKey

T = TypeVar("T")

SIGNER_CALLS = ("create_key", "public_key", "sign", "check")
STORE_CALLS = (
    "newest",
    "newest_timestamps",
    "newest_with_versions",
    "by_version",
    "by_checksum",
    "many_by_checksum",
    "by_checksums",
    "publish",
    "delete",
    "changes",
    "check",
)

_RESULTS: Mapping[type[BaseException], str] = {
    KeyNotHeldError: "not_held",
    UnsignableError: "unsignable",
    SignerUnavailableError: "unavailable",
    FileNotStoredError: "not_stored",
    ConflictError: "conflict",
    StoreUnavailableError: "unavailable",
    CancelledError: "cancelled",
}


class _Measured:
    def __init__(self, calls: Calls, clock: IReactorTime) -> None:
        self._calls = calls
        self._clock = clock

    def _measure(self, call: str, work: Callable[[], Deferred[T]]) -> Deferred[T]:
        began = self._clock.seconds()

        def over(result: T | Failure) -> T | Failure:
            came = _result(result.value) if isinstance(result, Failure) else "ok"
            self._calls.observe(call, came, self._clock.seconds() - began)
            return result

        return work().addBoth(over)


def _result(error: BaseException | None) -> str:
    return next((name for kind, name in _RESULTS.items() if isinstance(error, kind)), "error")


@implementer(ISigner)
class MeasuredSigner(_Measured):
    """Counts the calls to a signer.

    Args:
        signer: does what is asked.
        calls: where it is counted.
        clock: tells how long it took.
    """

    def __init__(self, signer: ISigner, calls: Calls, clock: IReactorTime) -> None:
        super().__init__(calls, clock)
        self._signer = signer

    def create_key(self, gun: str, role: str) -> Deferred[PublicKey]:
        """See `ISigner.create_key`."""
        return self._measure("create_key", lambda: self._signer.create_key(gun, role))

    def public_key(self, key_id: str) -> Deferred[PublicKey]:
        """See `ISigner.public_key`."""
        return self._measure("public_key", lambda: self._signer.public_key(key_id))

    def sign(self, gun: str, role: str, key_id: str, payload: bytes) -> Deferred[RawSignature]:
        """See `ISigner.sign`."""
        return self._measure("sign", lambda: self._signer.sign(gun, role, key_id, payload))

    def check(self) -> Deferred[None]:
        """See `ISigner.check`."""
        return self._measure("check", self._signer.check)


@implementer(IMetadataStore)
class MeasuredStore(_Measured):
    """Counts the calls to a store.

    Args:
        store: does what is asked.
        calls: where it is counted.
        clock: tells how long it took.
    """

    def __init__(self, store: IMetadataStore, calls: Calls, clock: IReactorTime) -> None:
        super().__init__(calls, clock)
        self._store = store

    def remembered(self, gun: str, role: str, checksum: str) -> StoredFile | None:
        """See `IMetadataStore.remembered`; a file that is there counts as a ``by_checksum``."""
        file = self._store.remembered(gun, role, checksum)
        if file is not None:
            self._calls.observe("by_checksum", "ok", 0.0)
        return file

    def newest(self, gun: str, role: str) -> Deferred[StoredFile]:
        """See `IMetadataStore.newest`."""
        return self._measure("newest", lambda: self._store.newest(gun, role))

    def newest_timestamps(self, guns: Collection[str]) -> Deferred[Mapping[str, str]]:
        """See `IMetadataStore.newest_timestamps`."""
        return self._measure("newest_timestamps", lambda: self._store.newest_timestamps(guns))

    def newest_with_versions(
        self, gun: str, role: str, others: Collection[str], ahead: Collection[str] = ()
    ) -> Deferred[Newest]:
        """See `IMetadataStore.newest_with_versions`."""
        return self._measure(
            "newest_with_versions",
            lambda: self._store.newest_with_versions(gun, role, others, ahead),
        )

    def by_version(self, gun: str, role: str, version: int) -> Deferred[StoredFile]:
        """See `IMetadataStore.by_version`."""
        return self._measure("by_version", lambda: self._store.by_version(gun, role, version))

    def by_checksum(self, gun: str, role: str, checksum: str) -> Deferred[StoredFile]:
        """See `IMetadataStore.by_checksum`."""
        return self._measure("by_checksum", lambda: self._store.by_checksum(gun, role, checksum))

    def many_by_checksum(
        self, wanted: Collection[FileName]
    ) -> Deferred[Mapping[FileName, StoredFile]]:
        """See `IMetadataStore.many_by_checksum`."""
        return self._measure("many_by_checksum", lambda: self._store.many_by_checksum(wanted))

    def by_checksums(
        self, gun: str, checksums: Mapping[str, str], ahead: Collection[str] = ()
    ) -> Deferred[Mapping[str, StoredFile]]:
        """See `IMetadataStore.by_checksums`."""
        return self._measure(
            "by_checksums", lambda: self._store.by_checksums(gun, checksums, ahead)
        )

    def publish(
        self, gun: str, files: Sequence[NewFile], base: StoredFile | None
    ) -> Deferred[Sequence[StoredFile]]:
        """See `IMetadataStore.publish`."""
        return self._measure("publish", lambda: self._store.publish(gun, files, base))

    def delete(self, gun: str) -> Deferred[None]:
        """See `IMetadataStore.delete`."""
        return self._measure("delete", lambda: self._store.delete(gun))

    def changes(self, gun: str | None, start: int | None, limit: int) -> Deferred[Sequence[Change]]:
        """See `IMetadataStore.changes`."""
        return self._measure("changes", lambda: self._store.changes(gun, start, limit))

    def check(self) -> Deferred[None]:
        """See `IMetadataStore.check`."""
        return self._measure("check", self._store.check)
