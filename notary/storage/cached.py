"""A bounded memory of files that never change, in front of a store that knows what is newest."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from cachetools import LRUCache
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from notary.storage.batches import Batches
from notary.storage.interfaces import (
    Change,
    FileName,
    FileNotStoredError,
    IMetadataStore,
    Newest,
    NewFile,
    StoredFile,
)
from notary.tuf.names import TIMESTAMP

_ENTRY_OVERHEAD = 1024
_LARGEST_SHARE = 8
_FILES_AT_ONCE = 16


@implementer(IMetadataStore)
class CachedMetadataStore:
    """Remembers files by checksum; asks another store for everything else.

    A file never changes under its checksum. A collection that is deleted here is forgotten; one
    that another server deletes may be served by checksum for as long as it is remembered. Which
    timestamp is the newest is asked each time, for all who want to know at once, and so are files
    that are not remembered.

    Args:
        store: where the files are.
        max_bytes: how much memory they may take, about; no single file takes more than an eighth.
        clock: tells when the store takes too long to wait for it.

    Attributes:
        hits: how many files that were asked for by checksum were in memory.
        misses: how many were not.
    """

    def __init__(self, store: IMetadataStore, max_bytes: int, clock: IReactorTime) -> None:
        self._store = store
        self._timestamps = Batches(store.newest_timestamps, clock)
        self._unknown = Batches(store.many_by_checksum, clock, _FILES_AT_ONCE)
        self._largest = max_bytes // _LARGEST_SHARE
        self._files = _Files(max_bytes, _size)
        self.hits = 0
        self.misses = 0

    @property
    def evictions(self) -> int:
        """How many files had to make room for others."""
        return self._files.evictions

    @property
    def bytes_held(self) -> float:
        """How much memory the files take, about."""
        return self._files.currsize

    @property
    def files_held(self) -> int:
        """How many files there are in memory."""
        return len(self._files)

    def remembered(self, gun: str, role: str, checksum: str) -> StoredFile | None:
        """See `IMetadataStore.remembered`."""
        try:  # at half of what `get` of cachetools takes
            file = self._files[gun, role, checksum]
        except KeyError:
            return None
        self.hits += 1
        return file

    def by_checksum(self, gun: str, role: str, checksum: str) -> Deferred[StoredFile]:
        """See `IMetadataStore.by_checksum`."""
        file = self.remembered(gun, role, checksum)
        if file is not None:
            return succeed(file)
        self.misses += 1
        name = gun, role, checksum
        return self._unknown.get(name).addCallback(self._looked_up, name)

    def _looked_up(self, file: StoredFile | None, name: FileName) -> StoredFile:
        gun, role, checksum = name
        if file is None:
            raise FileNotStoredError(f"{gun} has no file of role {role} with checksum {checksum}")
        self._remember(gun, file)
        return file

    def many_by_checksum(
        self, wanted: Collection[FileName]
    ) -> Deferred[Mapping[FileName, StoredFile]]:
        """See `IMetadataStore.many_by_checksum`."""
        return self._store.many_by_checksum(wanted)

    def by_checksums(
        self, gun: str, checksums: Mapping[str, str], ahead: Collection[str] = ()
    ) -> Deferred[Mapping[str, StoredFile]]:
        """See `IMetadataStore.by_checksums`."""
        return Deferred.fromCoroutine(self._by_checksums(gun, checksums, ahead))

    async def _by_checksums(
        self, gun: str, checksums: Mapping[str, str], ahead: Collection[str]
    ) -> Mapping[str, StoredFile]:
        files = {
            role: self._files[gun, role, checksum]
            for role, checksum in checksums.items()
            if (gun, role, checksum) in self._files
        }
        unknown = {role: checksums[role] for role in checksums.keys() - files.keys()}
        self.hits += len(files)
        self.misses += len(unknown)
        if unknown:
            ahead = set(ahead) - files.keys()
            found = await self._store.by_checksums(gun, unknown, ahead)
            for file in found.values():
                self._remember(gun, file)
            files.update(found)
        return files

    def _remember(self, gun: str, file: StoredFile) -> None:
        if _size(file) <= self._largest:
            self._files[gun, file.role, file.sha256] = file

    def delete(self, gun: str) -> Deferred[None]:
        """See `IMetadataStore.delete`."""
        return self._store.delete(gun).addCallback(self._forget, gun)

    def _forget(self, _: None, gun: str) -> None:
        for key in [key for key in self._files if key[0] == gun]:
            del self._files[key]

    def newest(self, gun: str, role: str) -> Deferred[StoredFile]:
        """See `IMetadataStore.newest`."""
        if role != TIMESTAMP:
            return self._store.newest(gun, role)
        return self._timestamps.get(gun).addCallback(self._timestamp, gun)

    def _timestamp(self, checksum: str | None, gun: str) -> StoredFile | Deferred[StoredFile]:
        if checksum is None:
            raise FileNotStoredError(f"{gun} has no file of role {TIMESTAMP}")
        return self.remembered(gun, TIMESTAMP, checksum) or self.by_checksum(
            gun, TIMESTAMP, checksum
        )

    def newest_timestamps(self, guns: Collection[str]) -> Deferred[Mapping[str, str]]:
        """See `IMetadataStore.newest_timestamps`."""
        return self._store.newest_timestamps(guns)

    def newest_with_versions(
        self, gun: str, role: str, others: Collection[str], ahead: Collection[str] = ()
    ) -> Deferred[Newest]:
        """See `IMetadataStore.newest_with_versions`.

        What comes along may be held here, but nobody knows before whether that is still the newest.
        """
        found = self._store.newest_with_versions(gun, role, others, ahead)
        return found.addCallback(self._remember_ahead, gun)

    def _remember_ahead(self, newest: Newest, gun: str) -> Newest:
        self._remember_all(list(newest.ahead.values()), gun)
        return newest

    def by_version(self, gun: str, role: str, version: int) -> Deferred[StoredFile]:
        """See `IMetadataStore.by_version`."""
        return self._store.by_version(gun, role, version)

    def publish(
        self, gun: str, files: Sequence[NewFile], base: int
    ) -> Deferred[Sequence[StoredFile]]:
        """See `IMetadataStore.publish`."""
        return self._store.publish(gun, files, base).addCallback(self._remember_all, gun)

    def _remember_all(self, files: Sequence[StoredFile], gun: str) -> Sequence[StoredFile]:
        for file in files:
            self._remember(gun, file)
        return files

    def changes(self, gun: str | None, start: int | None, limit: int) -> Deferred[Sequence[Change]]:
        """See `IMetadataStore.changes`."""
        return self._store.changes(gun, start, limit)

    def check(self) -> Deferred[None]:
        """See `IMetadataStore.check`."""
        return self._store.check()


class _Files(LRUCache[FileName, StoredFile]):
    """Counts what it drops for want of room."""

    evictions = 0

    def popitem(self) -> tuple[FileName, StoredFile]:
        """See `LRUCache.popitem`."""
        self.evictions += 1
        return super().popitem()


def _size(file: StoredFile) -> int:
    return len(file.data) + _ENTRY_OVERHEAD
