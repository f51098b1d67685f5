"""Reading a collection so that its files always fit together."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TypeVar

import attrs

from notary.storage.interfaces import FileNotStoredError, IMetadataStore, StoredFile
from notary.tuf.errors import TUFError
from notary.tuf.files import Snapshot, Timestamp
from notary.tuf.metadata import Metadata
from notary.tuf.names import SNAPSHOT, TIMESTAMP

T = TypeVar("T")


class DamagedFileError(Exception):
    """The store holds a file that is not what it should be."""


@attrs.frozen
class Head:
    """A collection's newest timestamp and the snapshot that it names.

    Attributes:
        timestamp_file: the timestamp as stored.
        timestamp: the same, read.
        snapshot_file: the snapshot as stored.
        snapshot: the same, read.
        ahead: newest files that were read along with the snapshot, by role. They are current only
            if the snapshot names them.
    """

    timestamp_file: StoredFile
    timestamp: Timestamp
    snapshot_file: StoredFile
    snapshot: Snapshot
    ahead: Mapping[str, StoredFile] = attrs.field(factory=dict)


def read_stored(gun: str, file: StoredFile, read: Callable[[Metadata], T]) -> T:
    """Return a stored file, read.

    Raises:
        DamagedFileError: the file cannot be read; the message names it.
    """
    try:
        return read(Metadata.parse(file.data))
    except TUFError as error:
        raise DamagedFileError(
            f"stored {file.role} version {file.version} of {gun!r} is damaged: {error}"
        ) from error


async def read_snapshot(
    store: IMetadataStore, gun: str, file: StoredFile, timestamp: Timestamp
) -> Snapshot:
    """Return the snapshot that a timestamp names.

    Args:
        store: where to look.
        gun: the collection.
        file: its timestamp.
        timestamp: the same, read.

    Raises:
        DamagedFileError: it is missing or cannot be read.
    """
    try:
        snapshot = await store.by_checksum(gun, SNAPSHOT, timestamp.snapshot.sha256)
    except FileNotStoredError as error:
        raise _missing_snapshot(gun, file) from error
    return read_stored(gun, snapshot, Snapshot.read)


async def read_head(
    store: IMetadataStore, gun: str, file: StoredFile, ahead: Collection[str] = ()
) -> Head:
    """Return a collection's head, given its timestamp as stored.

    Args:
        store: where to look.
        gun: the collection.
        file: its timestamp.
        ahead: the roles that `read_files` will be asked for, to spare it a query.

    Raises:
        DamagedFileError: the timestamp cannot be read, or the snapshot is missing or cannot be.
    """
    timestamp = read_stored(gun, file, Timestamp.read)
    found = await store.by_checksums(gun, {SNAPSHOT: timestamp.snapshot.sha256}, ahead)
    if SNAPSHOT not in found:
        raise _missing_snapshot(gun, file)
    snapshot = found[SNAPSHOT]
    return Head(file, timestamp, snapshot, read_stored(gun, snapshot, Snapshot.read), found)


def _missing_snapshot(gun: str, timestamp: StoredFile) -> DamagedFileError:
    return DamagedFileError(
        f"the snapshot that timestamp version {timestamp.version} of {gun!r} names is missing"
    )


async def read_files(
    store: IMetadataStore, gun: str, head: Head, roles: Collection[str]
) -> Mapping[str, StoredFile]:
    """Return the current files of some roles by role; roles without one are left out.

    Raises:
        DamagedFileError: the snapshot names a file that is missing.
    """
    named = head.snapshot.meta
    checksums = {role: named[role].sha256 for role in roles if role in named and role != SNAPSHOT}
    files = {
        role: file
        for role, file in head.ahead.items()
        if role in checksums and file.sha256 == checksums[role]
    }
    if SNAPSHOT in roles:
        files[SNAPSHOT] = head.snapshot_file
    unknown = {role: checksums[role] for role in checksums.keys() - files.keys()}
    if unknown:
        files.update(await store.by_checksums(gun, unknown))
    missing = checksums.keys() - files.keys()
    if missing:
        raise DamagedFileError(
            f"snapshot version {head.snapshot_file.version} of {gun!r} names files that are "
            f"missing: {', '.join(sorted(missing))}"
        )
    return files


async def read_under(
    store: IMetadataStore, gun: str, timestamp: StoredFile, role: str
) -> StoredFile:
    """Return the file of a role that belongs to a timestamp, found from there down by checksum.

    So a reader never gets files of different publishes.

    Raises:
        FileNotStoredError: the timestamp's snapshot has no such role.
        DamagedFileError: a file on the way is missing or cannot be read.
    """
    if role == TIMESTAMP:
        return timestamp
    head = await read_head(store, gun, timestamp, [role])
    files = await read_files(store, gun, head, [role])
    if role not in files:
        raise FileNotStoredError(f"{gun!r} has no role {role}")
    return files[role]


async def read_current(store: IMetadataStore, gun: str, role: str) -> StoredFile:
    """Return the current file of a role: the one that belongs to the newest timestamp.

    Raises:
        FileNotStoredError: there is no such collection, or no such role in it.
        DamagedFileError: a file on the way is missing or cannot be read.
    """
    return await read_under(store, gun, await store.newest(gun, TIMESTAMP), role)
