"""What the metadata server asks of a store, and the records that pass between them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from hashlib import sha256

import attrs
from twisted.internet.defer import Deferred
from zope.interface import Interface

UPDATE = "update"
DELETION = "deletion"


@attrs.frozen
class NewFile:
    """A metadata file to be stored.

    Attributes:
        role: the role the file belongs to, such as ``targets/releases``.
        version: the version written inside the file.
        data: the file's bytes, exactly as they will be served.
    """

    role: str
    version: int
    data: bytes = attrs.field(repr=False)

    @cached_property
    def sha256(self) -> str:
        """The checksum of the bytes, 64 lower-case hex digits."""
        return sha256(self.data).hexdigest()

    def stored_at(self, moment: datetime) -> StoredFile:
        """Return the file as a store holds it from a moment on, UTC with a time zone."""
        return StoredFile(self.role, self.version, self.data, self.sha256, moment)


@attrs.frozen
class StoredFile:
    """A metadata file as the store holds it.

    Attributes:
        role: the role the file belongs to.
        version: the version written inside the file.
        data: the file's bytes, exactly as they were published.
        sha256: the checksum of those bytes, 64 lower-case hex digits.
        created_at: when the file was stored, UTC with a time zone.
    """

    role: str
    version: int
    data: bytes = attrs.field(repr=False)
    sha256: str
    created_at: datetime


@attrs.frozen
class Newest:
    """The newest file of a role, and what was looked up along with it.

    Attributes:
        file: the file.
        versions: the highest versions of other roles; those without a file are left out.
        ahead: newest files of other roles, as many as it took no other query to get.
    """

    file: StoredFile
    versions: Mapping[str, int]
    ahead: Mapping[str, StoredFile]


@attrs.frozen
class Change:
    """One entry of the changefeed.

    Attributes:
        id: grows with every entry; the first is 1 or more.
        created_at: when the change was stored, UTC with a time zone.
        gun: the collection that changed.
        version: the new timestamp's version, 0 for a deletion.
        sha256: the new timestamp's checksum, empty for a deletion.
        category: `UPDATE` or `DELETION`.
    """

    id: int
    created_at: datetime
    gun: str
    version: int
    sha256: str
    category: str


class StorageError(Exception):
    """Something that has to do with the store went wrong."""


class FileNotStoredError(StorageError):
    """The store holds no such file."""


class ConflictError(StorageError):
    """The collection changed since it was read, or holds one of the versions already."""


class UnstorableError(StorageError):
    """The store cannot hold such a name, version or file; the message says which and why."""


class StoreUnavailableError(StorageError):
    """The store cannot answer now; the message says why, without any password."""


class DatabaseUnreachableError(StoreUnavailableError):
    """The database does not answer; it may, later."""


class DatabaseAccessError(StoreUnavailableError):
    """The database does not let this user in, or not do this."""


class NoSuchDatabaseError(StoreUnavailableError):
    """The database server has no database of this name."""


class DatabaseReadOnlyError(StoreUnavailableError):
    """The database can be read, and not be written to."""


class DatabaseTLSError(StoreUnavailableError):
    """The database and this daemon do not agree about TLS and certificates."""


class DSNError(StorageError):
    """The settings of a database cannot be used; the message never shows the password."""


FileName = tuple[str, str, str]
"""What one file is known by: the GUN, the role, and the sha256 (lower-case hex)."""


class IMetadataStore(Interface):
    """Holds the metadata files of all collections, by GUN, role and version.

    Every method but `remembered` returns a Deferred. Each may fail with `StoreUnavailableError`,
    and with `UnstorableError` if the store cannot even look for such a name.
    """

    def remembered(gun: str, role: str, checksum: str) -> StoredFile | None:
        """Return what `by_checksum` would fire with, if it is there without looking for it."""

    def newest(gun: str, role: str) -> Deferred[StoredFile]:
        """Fire with the file of the highest version, or fail with `FileNotStoredError`."""

    def newest_timestamps(guns: Collection[str]) -> Deferred[Mapping[str, str]]:
        """Fire with the checksums of the newest timestamps of several collections, by GUN.

        Collections without one are left out.
        """

    def newest_with_versions(
        gun: str, role: str, others: Collection[str], ahead: Collection[str] = ()
    ) -> Deferred[Newest]:
        """Like `newest`, and fire with the highest versions of some other roles as well.

        Args:
            gun: the collection.
            role: whose file.
            others: whose versions.
            ahead: roles whose newest files will be asked for next; they may come along.
        """

    def by_version(gun: str, role: str, version: int) -> Deferred[StoredFile]:
        """Fire with the file of that version, or fail with `FileNotStoredError`."""

    def by_checksum(gun: str, role: str, checksum: str) -> Deferred[StoredFile]:
        """Fire with the file of that sha256 (lower-case hex), or fail with `FileNotStoredError`."""

    def many_by_checksum(wanted: Collection[FileName]) -> Deferred[Mapping[FileName, StoredFile]]:
        """Fire with files of any collections and roles; those it does not hold are left out."""

    def by_checksums(
        gun: str, checksums: Mapping[str, str], ahead: Collection[str] = ()
    ) -> Deferred[Mapping[str, StoredFile]]:
        """Fire with the files of several roles, by role.

        Args:
            gun: the collection.
            checksums: role to sha256 (lower-case hex); files the store does not hold are left out.
            ahead: more roles, whose checksums are not known yet. If the store has to look anyway
                it may add their newest files, which need not be the current ones.
        """

    def publish(
        gun: str, files: Sequence[NewFile], base: StoredFile | None
    ) -> Deferred[Sequence[StoredFile]]:
        """Store the files of one publish, all of them or none.

        A new timestamp among them also adds one `UPDATE` to the changefeed.

        Args:
            gun: the collection.
            files: at most one per role.
            base: the collection's newest timestamp when it was read, None if it had none.

        Fires with the files, as they are held now, once they are stored for good. Fails with
        `ConflictError`, and stores nothing, if the newest timestamp is another one by now, be it
        of the same version, or if any of the roles already holds the given version or a newer one;
        with `UnstorableError` if the store could not give back exactly these names, versions and
        bytes.
        """

    def delete(gun: str) -> Deferred[None]:
        """Delete all files of a collection and add one `DELETION` to the changefeed.

        Without any files nothing is deleted and nothing added; that is no error.
        """

    def changes(gun: str | None, start: int | None, limit: int) -> Deferred[Sequence[Change]]:
        """Fire with a page of the changefeed, oldest first.

        Args:
            gun: the collection to report on, or None for all of them.
            start: with a positive `limit`, the changes with an ID above this one (None: from
                the first). With a negative one, those below it (None: from the newest).
            limit: how many changes at the most; negative counts backwards from `start`.
        """

    def check() -> Deferred[None]:
        """Fire with None if the store can serve; fail with `StoreUnavailableError` if not."""
