"""A metadata store that forgets everything when the process ends."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timezone
from functools import wraps
from typing import ParamSpec, TypeVar

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from notary.storage.interfaces import (
    DELETION,
    UPDATE,
    Change,
    ConflictError,
    FileName,
    FileNotStoredError,
    IMetadataStore,
    Newest,
    NewFile,
    StoredFile,
)
from notary.storage.limits import refuse_unstorable
from notary.tuf.names import TIMESTAMP

_P = ParamSpec("_P")
_T = TypeVar("_T")


def _as_deferred(method: Callable[_P, _T]) -> Callable[_P, Deferred[_T]]:
    """Make a method return a Deferred that has fired already."""

    @wraps(method)
    def deferring(*args: _P.args, **kwargs: _P.kwargs) -> Deferred[_T]:
        return maybeDeferred(method, *args, **kwargs)

    return deferring


@implementer(IMetadataStore)
class MemoryMetadataStore:
    """Keeps all metadata in this process.

    Args:
        clock: tells when something is stored, in seconds since the epoch.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._files: dict[str, dict[str, dict[int, StoredFile]]] = {}
        self._changes: list[Change] = []

    def remembered(self, gun: str, role: str, checksum: str) -> StoredFile | None:
        """See `IMetadataStore.remembered`."""
        versions = self._versions(gun, role).values()
        return next((file for file in versions if file.sha256 == checksum), None)

    @_as_deferred
    def newest(self, gun: str, role: str) -> StoredFile:
        """See `IMetadataStore.newest`."""
        return self._newest(gun, role)

    @_as_deferred
    def newest_timestamps(self, guns: Collection[str]) -> Mapping[str, str]:
        """See `IMetadataStore.newest_timestamps`."""
        return {
            gun: self._newest(gun, TIMESTAMP).sha256
            for gun in guns
            if self._versions(gun, TIMESTAMP)
        }

    @_as_deferred
    def newest_with_versions(
        self, gun: str, role: str, others: Collection[str], ahead: Collection[str] = ()
    ) -> Newest:
        """See `IMetadataStore.newest_with_versions`."""
        newest = self._newest(gun, role)
        versions = {other: self._versions(gun, other) for other in others}
        return Newest(newest, {other: max(v) for other, v in versions.items() if v}, ahead={})

    @_as_deferred
    def by_version(self, gun: str, role: str, version: int) -> StoredFile:
        """See `IMetadataStore.by_version`."""
        try:
            return self._versions(gun, role)[version]
        except KeyError:
            raise FileNotStoredError(f"{gun} has no version {version} of role {role}") from None

    @_as_deferred
    def by_checksum(self, gun: str, role: str, checksum: str) -> StoredFile:
        """See `IMetadataStore.by_checksum`."""
        for file in self._versions(gun, role).values():
            if file.sha256 == checksum:
                return file
        raise FileNotStoredError(f"{gun} has no file of role {role} with checksum {checksum}")

    @_as_deferred
    def many_by_checksum(self, wanted: Collection[FileName]) -> Mapping[FileName, StoredFile]:
        """See `IMetadataStore.many_by_checksum`."""
        found = {name: self.remembered(*name) for name in wanted}
        return {name: file for name, file in found.items() if file is not None}

    @_as_deferred
    def by_checksums(
        self, gun: str, checksums: Mapping[str, str], ahead: Collection[str] = ()
    ) -> Mapping[str, StoredFile]:
        """See `IMetadataStore.by_checksums`."""
        newest = {role: self._newest(gun, role) for role in ahead if self._versions(gun, role)}
        return {role: file for role, file in newest.items() if role not in checksums} | {
            role: file
            for role, checksum in checksums.items()
            for file in self._versions(gun, role).values()
            if file.sha256 == checksum
        }

    @_as_deferred
    def publish(
        self, gun: str, files: Sequence[NewFile], base: StoredFile | None
    ) -> Sequence[StoredFile]:
        """See `IMetadataStore.publish`."""
        refuse_unstorable(gun, files)
        newest = self._newest(gun, TIMESTAMP) if self._versions(gun, TIMESTAMP) else None
        if _identity(newest) != _identity(base):
            raise ConflictError(f"{gun} changed since its timestamp was read")
        for new in files:
            if max(self._versions(gun, new.role), default=-1) >= new.version:
                raise ConflictError(f"{gun} has version {new.version} of role {new.role} or newer")
        now = self._now()
        stored = [file.stored_at(now) for file in files]
        roles = self._files.setdefault(gun, {})
        for file in stored:
            roles.setdefault(file.role, {})[file.version] = file
            if file.role == TIMESTAMP:
                self._add_change(gun, file.version, file.sha256, UPDATE)
        return stored

    @_as_deferred
    def delete(self, gun: str) -> None:
        """See `IMetadataStore.delete`."""
        if self._files.pop(gun, None):
            self._add_change(gun, 0, "", DELETION)

    @_as_deferred
    def changes(self, gun: str | None, start: int | None, limit: int) -> Sequence[Change]:
        """See `IMetadataStore.changes`."""
        wanted = [change for change in self._changes if gun is None or change.gun == gun]
        if limit >= 0:
            return [change for change in wanted if change.id > (start or 0)][:limit]
        return [change for change in wanted if start is None or change.id < start][limit:]

    @_as_deferred
    def check(self) -> None:
        """See `IMetadataStore.check`: there is nothing that could fail."""

    def _newest(self, gun: str, role: str) -> StoredFile:
        versions = self._versions(gun, role)
        if not versions:
            raise FileNotStoredError(f"{gun} has no file of role {role}")
        return versions[max(versions)]

    def _versions(self, gun: str, role: str) -> Mapping[int, StoredFile]:
        return self._files.get(gun, {}).get(role, {})

    def _add_change(self, gun: str, version: int, checksum: str, category: str) -> None:
        self._changes.append(
            Change(
                id=len(self._changes) + 1,
                created_at=self._now(),
                gun=gun,
                version=version,
                sha256=checksum,
                category=category,
            )
        )

    def _now(self) -> datetime:
        return datetime.fromtimestamp(int(self._clock.seconds()), timezone.utc)


def _identity(timestamp: StoredFile | None) -> tuple[int, str] | None:
    return None if timestamp is None else (timestamp.version, timestamp.sha256)
