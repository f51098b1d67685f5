"""The tables of the metadata server.

They are the Go server's, so that either server can work on the database of the other. Names are
exact: gun and role have a binary collation where the database would ignore case otherwise.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    CHAR,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    func,
)
from sqlalchemy.dialects.mysql import LONGBLOB, TIMESTAMP

from notary.storage.interfaces import StorageError

metadata = MetaData()


class SchemaError(StorageError):
    """The tables are not those this version works on; the message says what to do."""


MYSQL_OPTIONS: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_default_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}

Time = DateTime().with_variant(TIMESTAMP(), "mysql")
_Checksum = String(64).with_variant(CHAR(64), "mysql", "postgresql")

tuf_files = Table(
    "tuf_files",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("created_at", Time),
    Column("updated_at", Time),
    Column("deleted_at", Time),
    Column("gun", String(255), nullable=False),
    Column("role", String(255), nullable=False),
    Column("version", Integer, nullable=False),
    Column("data", LargeBinary().with_variant(LONGBLOB(), "mysql"), nullable=False),
    Column("sha256", _Checksum),
    UniqueConstraint("gun", "role", "version", name="gun"),
    Index("sha256", "sha256"),
    **MYSQL_OPTIONS,
)

change_category = Table(
    "change_category",
    metadata,
    Column("category", String(20), primary_key=True),
    **MYSQL_OPTIONS,
)

changefeed = Table(
    "changefeed",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("created_at", Time, server_default=func.current_timestamp()),
    Column("gun", String(255), nullable=False),
    Column("version", Integer, nullable=False),
    Column("sha256", _Checksum),
    Column(
        "category",
        String(20),
        ForeignKey("change_category.category"),
        nullable=False,
        server_default="update",
    ),
    Index("idx_changefeed_gun", "gun"),
    **MYSQL_OPTIONS,
)
