"""The queries of the SQL store. Each takes an open connection and may be run again."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from functools import lru_cache
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    Row,
    ScalarSelect,
    Select,
    bindparam,
    literal_column,
    null,
    select,
    union_all,
)

from notary.storage.interfaces import Change, FileNotStoredError, Newest, NewFile, StoredFile
from notary.storage.schema import changefeed, tuf_files
from notary.storage.sql_common import exactly, is_named, names
from notary.storage.texts import run

_T = TypeVar("_T")

MOST_AHEAD = 20
"""Files that are read ahead at the most."""

_REMEMBERED = 128
"""Statements of one kind that are kept, by the roles that they are for."""

_EPOCH = datetime.fromtimestamp(0, timezone.utc)

_FILE_COLUMNS = (
    tuf_files.c.role,
    tuf_files.c.version,
    tuf_files.c.data,
    tuf_files.c.sha256,
    tuf_files.c.created_at,
)


def batches(items: Sequence[_T], size: int = 100) -> Iterator[Sequence[_T]]:
    """Cut into pieces that a single statement can name: databases bound its size."""
    iterator = iter(items)
    while batch := tuple(islice(iterator, size)):
        yield batch


def newest_txn(connection: Connection, gun: str, role: str) -> StoredFile:
    """See `IMetadataStore.newest`."""
    found = connection.execute(_NEWEST, names(gun=gun, role=role)).first()
    if found is None:
        raise FileNotStoredError(f"{gun} has no file of role {role}")
    return _stored_file(found)


def newest_with_versions_txn(
    connection: Connection, gun: str, role: str, others: Collection[str], ahead: Collection[str]
) -> Newest:
    """See `IMetadataStore.newest_with_versions`. One look into the index per role."""
    first, *more = list(batches(sorted(others))) or [()]
    wanted = tuple(sorted(set(ahead) - {role})[:MOST_AHEAD])
    rows = run(connection, _newest_with_versions(role, first, wanted), names(gun=gun)).all()
    row = next((row for row in rows if row.role == role), None)
    if row is None:
        raise FileNotStoredError(f"{gun} has no file of role {role}")
    found = list(row[len(_FILE_COLUMNS) :])
    for batch in more:
        query = select(*(_highest_version(other) for other in batch))
        found += connection.execute(query, names(gun=gun)).one()
    versions = dict(zip(sorted(others), found, strict=True))
    return Newest(
        _stored_file(row),
        {other: version for other, version in versions.items() if version is not None},
        {each.role: _stored_file(each) for each in rows if each is not row},
    )


def by_version_txn(connection: Connection, gun: str, role: str, version: int) -> StoredFile:
    """See `IMetadataStore.by_version`."""
    parameters = {**names(gun=gun, role=role), "version": version}
    found = connection.execute(_BY_VERSION, parameters).first()
    if found is None:
        raise FileNotStoredError(f"{gun} has no version {version} of role {role}")
    return _stored_file(found)


def by_checksum_txn(connection: Connection, gun: str, role: str, checksum: str) -> StoredFile:
    """See `IMetadataStore.by_checksum`."""
    parameters = {**names(gun=gun, role=role), "checksum": checksum}
    found = connection.execute(_BY_CHECKSUM, parameters).first()
    if found is None:
        raise FileNotStoredError(f"{gun} has no file of role {role} with checksum {checksum}")
    return _stored_file(found)


def by_checksums_txn(
    connection: Connection, gun: str, checksums: Mapping[str, str], ahead: Collection[str]
) -> Mapping[str, StoredFile]:
    """See `IMetadataStore.by_checksums`."""
    found: dict[str, StoredFile] = {}
    newest = tuple(sorted(set(ahead) - checksums.keys())[:MOST_AHEAD])
    for batch in batches(tuple(set(checksums.values()))):
        parameters = {**names(gun=gun), "checksums": batch}
        for row in connection.execute(_by_checksums(newest), parameters):
            if row.is_ahead or checksums.get(row.role) == row.sha256:
                found[row.role] = _stored_file(row)
        newest = ()
    return found


def changes_txn(
    connection: Connection, gun: str | None, start: int | None, limit: int
) -> Sequence[Change]:
    """See `IMetadataStore.changes`."""
    id_ = changefeed.c.id
    query = select(changefeed).limit(abs(limit))
    if limit >= 0:
        query = query.where(id_ > (start or 0))
    elif start is not None:
        query = query.where(id_ < start)
    order: list[ColumnElement[Any]] = [id_]
    if gun is not None and connection.dialect.name == "postgresql":
        # To an equal name and the order of IDs alone, it would walk over the changes of all
        # collections for as long as it takes to find enough of this one.
        query = query.where(changefeed.c.gun.between(gun, gun))
        order = [changefeed.c.gun, id_]
    elif gun is not None:
        query = query.where(exactly(changefeed.c.gun, gun))
    if limit >= 0:
        return [_change(row) for row in connection.execute(query.order_by(*order))]
    rows = connection.execute(query.order_by(*(column.desc() for column in order))).all()
    return [_change(row) for row in reversed(rows)]


def check_txn(connection: Connection) -> None:
    """See `IMetadataStore.check`."""
    connection.execute(select(tuf_files.c.id).where(tuf_files.c.id == 0)).first()


def holds_all_txn(connection: Connection, gun: str, files: Sequence[NewFile]) -> bool:
    """Tell whether exactly these files are stored."""
    for batch in batches(files):
        wanted = {(file.role, file.version): file.sha256 for file in batch}
        stored = connection.execute(
            select(tuf_files.c.role, tuf_files.c.version, tuf_files.c.sha256).where(
                exactly(tuf_files.c.gun, gun), tuf_files.c.sha256.in_(wanted.values())
            )
        )
        if not wanted.items() <= {(row.role, row.version): row.sha256 for row in stored}.items():
            return False
    return True


_FILES: Select[Any] = select(*_FILE_COLUMNS).where(is_named(tuf_files.c.gun, "gun"))
_FILES_OF_ROLE = _FILES.where(is_named(tuf_files.c.role, "role"))
_NEWEST = _FILES_OF_ROLE.order_by(tuf_files.c.version.desc()).limit(1)
_BY_VERSION = _FILES_OF_ROLE.where(tuf_files.c.version == bindparam("version"))
_BY_CHECKSUM = _FILES_OF_ROLE.where(tuf_files.c.sha256 == bindparam("checksum")).limit(1)


@lru_cache(_REMEMBERED)
def _newest_with_versions(role: str, others: Sequence[str], ahead: Sequence[str]) -> Executable:
    queries = [
        _newest_of(role).add_columns(*(_highest_version(other) for other in others)),
        *(_newest_of(each).add_columns(*(null() for _ in others)) for each in ahead),
    ]
    return union_all(*queries) if ahead else queries[0]


@lru_cache(_REMEMBERED)
def _by_checksums(ahead: Sequence[str]) -> Executable:
    query = _FILES.where(tuf_files.c.sha256.in_(bindparam("checksums", expanding=True)))
    query = query.add_columns(literal_column("0").label("is_ahead"))
    newest = (_newest_of(role).add_columns(literal_column("1").label("is_ahead")) for role in ahead)
    return union_all(query, *newest) if ahead else query


def _newest_of(role: str) -> Select[Any]:
    return _FILES.where(
        exactly(tuf_files.c.role, role), tuf_files.c.version == _highest_version(role)
    )


def _highest_version(role: str) -> ScalarSelect[int]:
    """The last entry of the unique index; `max` would read all of them where bytes are compared."""
    return (
        select(tuf_files.c.version)
        .where(is_named(tuf_files.c.gun, "gun"), exactly(tuf_files.c.role, role))
        .order_by(tuf_files.c.version.desc())
        .limit(1)
        .correlate(None)
        .scalar_subquery()
    )


def _stored_file(row: Row[Any]) -> StoredFile:
    return StoredFile(
        role=row.role,
        version=row.version,
        data=row.data,
        sha256=row.sha256,
        created_at=_utc(row.created_at),
    )


def _change(row: Row[Any]) -> Change:
    return Change(
        id=row.id,
        created_at=_utc(row.created_at),
        gun=row.gun,
        version=row.version,
        sha256=(row.sha256 or "").rstrip(),  # the Go server's is padded, on PostgreSQL
        category=row.category,
    )


def _utc(stored: datetime | None) -> datetime:
    """Times are stored as UTC without saying so; the column may be NULL, though never by us."""
    return _EPOCH if stored is None else stored.replace(tzinfo=timezone.utc)
