"""The tables of the Go server, from any of its levels to the last."""

from __future__ import annotations

from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection, Engine

from notary.storage.go_tables import CATEGORIES, change_category, changefeed
from notary.storage.transactions import run_transaction

TUF_FILES = "tuf_files"

BATCH = 500
"""Rows whose checksums are filled in by one transaction."""

_TIMESTAMP_KEYS = "timestamp_keys"
_DROPPED_BY = 4
"""The level that drops it: in a database of a later one it is not the Go server's."""

_UNFILLED = "changefeed_unfilled"

_files = sa.table(
    TUF_FILES,
    sa.column("id", sa.Integer),
    sa.column("created_at", sa.DateTime),
    sa.column("gun", sa.String),
    sa.column("role", sa.String),
    sa.column("version", sa.Integer),
    sa.column("data", sa.LargeBinary),
    sa.column("sha256", sa.String),
)


def upgrade(engine: Engine, level: int | None) -> None:
    """See `GoDaemon.upgrade`."""
    is_mysql = engine.dialect.name == "mysql"
    if is_mysql:
        run_transaction(engine, _add_checksums)
    _fill_checksums(engine)
    run_transaction(engine, _make_changefeed)
    if is_mysql and (level is None or level < _DROPPED_BY):
        run_transaction(engine, _drop_timestamp_keys)


def _add_checksums(connection: Connection) -> None:
    """Without their index, which is made of all of them at once later on, by our own migrations."""
    columns = sa.inspect(connection).get_columns(TUF_FILES)
    if not any(column["name"] == "sha256" for column in columns):
        connection.execute(
            sa.text(f"ALTER TABLE {TUF_FILES} ADD COLUMN sha256 CHAR(64) DEFAULT NULL")
        )


def _fill_checksums(engine: Engine) -> None:
    """Where they are missing, in transactions that are short whatever there is in the table."""
    after: int | None = 0
    while after is not None:
        after = run_transaction(engine, partial(_fill_batch, after))


def _fill_batch(after: int, connection: Connection) -> int | None:
    """Return the last ID of the batch that begins after an ID, None if there is no more."""
    ids = connection.execute(
        sa.select(_files.c.id)
        .where(_files.c.sha256.is_(None), _files.c.id > after)
        .order_by(_files.c.id)
        .limit(BATCH)
    ).scalars()
    batch: list[int] = list(ids)
    if not batch:
        return None
    connection.execute(
        sa.update(_files).where(_files.c.id.in_(batch)).values(sha256=_checksum_of_data(connection))
    )
    return batch[-1]


def _checksum_of_data(connection: Connection) -> ColumnElement[str]:
    if connection.dialect.name == "mysql":
        return sa.func.sha2(_files.c.data, 256)
    return sa.func.encode(sa.func.sha256(_files.c.data), "hex")


def _make_changefeed(connection: Connection) -> None:
    """Make and fill the changefeed, unless it is there.

    MySQL commits with each CREATE TABLE. So that nobody finds it without its contents, it has
    another name there until it is full.
    """
    is_mysql = connection.dialect.name == "mysql"
    inspector = sa.inspect(connection)
    if inspector.has_table("changefeed"):
        return
    options = _options(connection) if is_mysql else {}
    tables = sa.MetaData()
    categories = sa.Table("change_category", tables, *change_category(), **options)
    categories.create(connection, checkfirst=True)
    there = set(connection.execute(sa.select(categories.c.category)).scalars())
    for category in CATEGORIES:
        if category not in there:
            connection.execute(sa.insert(categories).values(category=category))

    name = _UNFILLED if is_mysql else "changefeed"
    changes = sa.Table(name, tables, *changefeed(), **options)
    sa.Index("idx_changefeed_gun", changes.c.gun)
    changes.drop(connection, checkfirst=True)
    changes.create(connection)
    copied = ("created_at", "gun", "version", "sha256")
    timestamps = sa.select(*(_files.c[column] for column in copied)).where(
        _files.c.role == "timestamp"
    )
    # The Go server's migration leaves open what comes first if times are equal.
    in_order = timestamps.order_by(_files.c.created_at, _files.c.id)
    connection.execute(sa.insert(changes).from_select(copied, in_order, include_defaults=False))
    if is_mysql:
        connection.execute(sa.text(f"RENAME TABLE {_UNFILLED} TO changefeed"))


def _options(connection: Connection) -> dict[str, Any]:
    """Those of MySQL, with the collation of the table that is there."""
    tables = sa.table("tables", schema="information_schema")
    collation = connection.execute(
        sa.select(sa.column("table_collation", sa.String))
        .select_from(tables)
        .where(
            sa.column("table_schema") == sa.func.database(),
            sa.column("table_name") == TUF_FILES,
        )
    ).scalar_one()
    return {"mysql_engine": "InnoDB", "mysql_collate": collation}


def _drop_timestamp_keys(connection: Connection) -> None:
    """They are only the public halves of keys, which the last levels never read."""
    connection.execute(sa.text(f"DROP TABLE IF EXISTS {_TIMESTAMP_KEYS}"))
