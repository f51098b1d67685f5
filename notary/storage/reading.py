"""The queries of the SQL store. Each takes an open connection and may be run again."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from functools import cache, lru_cache
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    Connection,
    Executable,
    Integer,
    Row,
    ScalarSelect,
    Select,
    String,
    bindparam,
    literal_column,
    null,
    select,
    union_all,
)

from notary.storage.interfaces import (
    Change,
    FileName,
    FileNotStoredError,
    Newest,
    NewFile,
    StoredFile,
)
from notary.storage.schema import changefeed, tuf_files
from notary.storage.sql_common import exactly, is_named, names
from notary.storage.texts import run

_T = TypeVar("_T")

MOST_AHEAD = 20
"""Files that are read ahead at the most."""

_REMEMBERED = 128
"""Statements of one kind that are kept, by the roles that they are for."""

_FILES_AT_ONCE = 16
"""Files of any collections that one statement names at the most."""

_EPOCH = datetime.fromtimestamp(0, timezone.utc)

_FILE_COLUMNS = (
    tuf_files.c.role,
    tuf_files.c.version,
    tuf_files.c.data,
    tuf_files.c.sha256,
    tuf_files.c.created_at,
)

_CHANGE_COLUMNS = (
    changefeed.c.id,
    changefeed.c.created_at,
    changefeed.c.gun,
    changefeed.c.version,
    changefeed.c.sha256,
    changefeed.c.category,
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
    name = gun, role, checksum
    found = many_by_checksum_txn(connection, [name])
    if name not in found:
        raise FileNotStoredError(f"{gun} has no file of role {role} with checksum {checksum}")
    return found[name]


def many_by_checksum_txn(
    connection: Connection, wanted: Sequence[FileName]
) -> Mapping[FileName, StoredFile]:
    """See `IMetadataStore.many_by_checksum`. One look into the index per file."""
    found: dict[FileName, StoredFile] = {}
    for batch in batches(wanted, _FILES_AT_ONCE):
        parameters: dict[str, Any] = {}
        for number, (gun, role, checksum) in enumerate(batch):
            parameters |= names(**{f"gun{number}": gun, f"role{number}": role})
            parameters[f"checksum{number}"] = checksum
        for row in run(connection, _many_by_checksum(len(batch)), parameters):
            _, role, checksum = name = batch[row.number]
            created_at = _utc(row.created_at)
            found[name] = StoredFile(role, row.version, row.data, checksum, created_at)
    return found


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
    is_postgres = connection.dialect.name == "postgresql"
    forwards = limit >= 0
    start = (start or 0) if forwards else start
    query = _changes(forwards, start is not None, gun is not None, is_postgres)
    parameters = {"start": start, "limit": abs(limit), **names(gun=gun or "")}
    rows = connection.execute(query, parameters).all()
    return [_change(row) for row in (rows if forwards else reversed(rows))]


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


@lru_cache(_REMEMBERED)
def _newest_with_versions(role: str, others: Sequence[str], ahead: Sequence[str]) -> Executable:
    queries = [
        _newest_of(role).add_columns(*(_highest_version(other) for other in others)),
        *(_newest_of(each).add_columns(*(null() for _ in others)) for each in ahead),
    ]
    return union_all(*queries) if ahead else queries[0]


@lru_cache(_FILES_AT_ONCE)
def _many_by_checksum(count: int) -> Executable:
    return union_all(
        *(
            select(
                literal_column(str(number)).label("number"),
                tuf_files.c.version,
                tuf_files.c.data,
                tuf_files.c.created_at,
            ).where(
                is_named(tuf_files.c.gun, f"gun{number}"),
                is_named(tuf_files.c.role, f"role{number}"),
                tuf_files.c.sha256 == bindparam(f"checksum{number}"),
            )
            for number in range(count)
        )
    )


@lru_cache(_REMEMBERED)
def _by_checksums(ahead: Sequence[str]) -> Executable:
    query = _FILES.where(tuf_files.c.sha256.in_(bindparam("checksums", expanding=True)))
    query = query.add_columns(literal_column("0").label("is_ahead"))
    newest = (_newest_of(role).add_columns(literal_column("1").label("is_ahead")) for role in ahead)
    return union_all(query, *newest) if ahead else query


@cache
def _changes(forwards: bool, has_start: bool, of_one: bool, is_postgres: bool) -> Executable:
    id_, gun = changefeed.c.id, changefeed.c.gun
    query = select(*_CHANGE_COLUMNS).limit(bindparam("limit", type_=Integer()))
    if has_start:
        start = bindparam("start", type_=Integer())
        query = query.where(id_ > start if forwards else id_ < start)
    order: list[ColumnElement[Any]] = [id_]
    if of_one and is_postgres:
        # To an equal name and the order of IDs alone, it would walk over the changes of all
        # collections for as long as it takes to find enough of this one.
        name = bindparam("gun", type_=String())
        query = query.where(gun.between(name, name))
        order = [gun, id_]
    elif of_one:
        query = query.where(is_named(gun, "gun"))
    return query.order_by(*(column if forwards else column.desc() for column in order))


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


def _change(row: Sequence[Any]) -> Change:
    id_, created_at, gun, version, sha256, category = row
    # The Go server's checksum is padded, on PostgreSQL.
    return Change(id_, _utc(created_at), gun, version, (sha256 or "").rstrip(), category)


def _utc(stored: datetime | None) -> datetime:
    """Times are stored as UTC without saying so; the column may be NULL, though never by us."""
    return _EPOCH if stored is None else stored.replace(tzinfo=timezone.utc)
