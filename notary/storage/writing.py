"""The transactions of the SQL store that write. Each may be run again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import lru_cache

from sqlalchemy import (
    Connection,
    Executable,
    Integer,
    String,
    and_,
    bindparam,
    delete,
    or_,
    select,
    text,
)
from sqlalchemy.exc import IntegrityError

from notary.storage.interfaces import (
    DELETION,
    UPDATE,
    ConflictError,
    NewFile,
    StoredFile,
    UnstorableError,
)
from notary.storage.reading import batches
from notary.storage.schema import changefeed, tuf_files
from notary.storage.sql_common import is_constant, is_named, names
from notary.storage.texts import add_rows, run
from notary.tuf.names import TIMESTAMP

_SURE_TO_FIT = 1_000_000
"""Bytes that any MySQL server takes in one statement."""

_MOST_AT_ONCE = 16_000_000
"""Bytes that a statement has at the most, unless it is for a single file."""

_OTHER_COLUMNS = 8192
"""Bytes that bound what else is in the statement of one file."""

_REMEMBERED = 128
"""Statements of one kind that are kept."""

_DELETE = delete(tuf_files).where(is_named(tuf_files.c.gun, "gun"))


def publish_txn(
    connection: Connection,
    gun: str,
    files: Sequence[NewFile],
    base: StoredFile | None,
    now: datetime,
) -> None:
    """See `IMetadataStore.publish`.

    Why one of several racers wins, at any isolation level: every publish builds on the newest
    timestamp and adds the next version of it. If there is a timestamp, its row is locked, so the
    racers pass one by one, and those that come later find a newer timestamp (a locking read sees
    what was committed last, whatever the isolation level). If there is none, all of them insert
    the same version, and the unique key lets one through. A collection that was deleted and made
    again may have come to the same version, so checksums are compared as well. The lock also keeps
    a deletion out: the collection that was built upon is there as a whole until this transaction
    ends. With gap locks (REPEATABLE READ and SERIALIZABLE) racers may deadlock; all but one are
    then run again.
    """
    _lock_base(connection, gun, files, base)
    size = _statement_size(connection, files)
    try:
        for batch in _statements(files, size):
            rows = [
                {
                    "role": file.role,
                    "version": file.version,
                    "data": file.data,
                    "sha256": file.sha256,
                }
                for file in batch
            ]
            common = {"created_at": now, "updated_at": now, "gun": gun}
            add_rows(connection, tuf_files, rows, common)
    except IntegrityError as error:
        raise ConflictError(f"{gun} changed while it was published to") from error
    for file in files:
        if file.role == TIMESTAMP:
            _add_change(connection, gun, file.version, file.sha256, UPDATE, now)


def delete_txn(connection: Connection, gun: str, now: datetime) -> None:
    """See `IMetadataStore.delete`.

    A publish that is committed during a pass over the rows may have put some where the pass has
    been already, and others where it then finds and deletes them. Each row found belongs to a
    publish that is committed as a whole, so the next pass sees the rest of it; a pass that finds
    nothing leaves no half collection.
    """
    deleted = False
    while connection.execute(_DELETE, names(gun=gun)).rowcount:
        deleted = True
    if deleted:
        _add_change(connection, gun, 0, None, DELETION, now)


def _lock_base(
    connection: Connection, gun: str, files: Sequence[NewFile], base: StoredFile | None
) -> None:
    """Lock the timestamp built upon, and raise `ConflictError` if anything is in the way."""
    version, checksum = (0, "") if base is None else (base.version, base.sha256)
    refused_from = {file.role: file.version for file in files}
    if refused_from.pop(TIMESTAMP, version + 1) <= version:
        raise ConflictError(f"{gun} has version {version} of its timestamp already")
    values = {**names(gun=gun), "base_version": version, "base_checksum": checksum}
    for batch in list(batches(tuple(refused_from))) or [()]:
        versions = {f"version{number}": refused_from[role] for number, role in enumerate(batch)}
        found = run(connection, _lock_from(batch), {**values, **versions}).scalars().all()
        if found != ([] if base is None else [True]):
            raise ConflictError(
                f"{gun} changed since version {version} of its timestamp, or has these versions "
                "already"
            )


@lru_cache(_REMEMBERED)
def _lock_from(roles: Sequence[str]) -> Executable:
    """Lock timestamps from the base on, and the files of other roles from given versions on.

    Tells of each whether it is the base. PyMySQL takes time for each column of an answer and for
    each parameter, so there are no more than it needs.
    """
    is_timestamp = is_constant(tuf_files.c.role, TIMESTAMP)
    version = bindparam("base_version", type_=Integer())
    checksum = bindparam("base_checksum", type_=String())
    is_base = and_(is_timestamp, tuf_files.c.version == version, tuf_files.c.sha256 == checksum)
    return (
        select(is_base.label("is_base"))
        .where(
            is_named(tuf_files.c.gun, "gun"),
            or_(
                and_(is_timestamp, tuf_files.c.version >= version),
                *(
                    and_(
                        tuf_files.c.role == role,
                        tuf_files.c.version >= bindparam(f"version{number}", type_=Integer()),
                    )
                    for number, role in enumerate(roles)
                ),
            ),
        )
        .with_for_update()
    )


def _statements(files: Sequence[NewFile], size: int) -> Iterator[Sequence[NewFile]]:
    """Cut into what a statement of that size may hold: all of a publish, unless it is big.

    SQLAlchemy makes one statement of many rows, however large it gets.
    """
    for batch in batches(files):
        start, room = 0, size
        for place, file in enumerate(batch):
            room -= _needed(file)
            if room < 0 and place > start:
                yield batch[start:place]
                start, room = place, size - _needed(file)
        yield batch[start:]


def _needed(file: NewFile) -> int:
    """Bytes that the file takes in a statement: PyMySQL writes bytes in hexadecimal."""
    return 2 * len(file.data) + _OTHER_COLUMNS


def _statement_size(connection: Connection, files: Sequence[NewFile]) -> int:
    """Return how many bytes a statement may have.

    Raises:
        UnstorableError: a file needs more than MySQL takes, which would only close the connection.
    """
    if connection.dialect.name != "mysql":
        return _MOST_AT_ONCE
    if sum(map(_needed, files)) < _SURE_TO_FIT:
        return _SURE_TO_FIT
    limit: int = connection.execute(text("SELECT @@max_allowed_packet")).scalar_one()
    largest = max(files, key=_needed)
    needed = _needed(largest)
    if needed > limit:
        raise UnstorableError(
            f"the file of role {largest.role!r} with its {len(largest.data)} bytes cannot be "
            f"stored: max_allowed_packet of the database server is {limit}, but has to be "
            f"{needed} at least"
        )
    return min(limit, _MOST_AT_ONCE)


def _add_change(
    connection: Connection,
    gun: str,
    version: int,
    checksum: str | None,
    category: str,
    now: datetime,
) -> None:
    change = {
        "created_at": now,
        "gun": gun,
        "version": version,
        "sha256": checksum,
        "category": category,
    }
    add_rows(connection, changefeed, [change], {})
