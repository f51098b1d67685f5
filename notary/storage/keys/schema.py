"""The table of the signer: the Go signer's, so that either can work on the other's database."""

from __future__ import annotations

from sqlalchemy import (
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)
from sqlalchemy.dialects.mysql import DATETIME

from notary.storage.schema import MYSQL_OPTIONS, Time

metadata = MetaData()

private_keys = Table(
    "private_keys",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("created_at", Time),
    Column("updated_at", Time),
    Column("deleted_at", Time),
    Column("key_id", String(255), nullable=False),
    Column("encryption_alg", String(255), nullable=False),
    Column("keywrap_alg", String(255), nullable=False),
    Column("algorithm", String(50), nullable=False),
    Column("passphrase_alias", String(50), nullable=False),
    Column("public", LargeBinary, nullable=False),
    Column("private", LargeBinary, nullable=False),
    Column("gun", String(255), nullable=False),
    Column("role", String(255), nullable=False),
    Column("last_used", DateTime().with_variant(DATETIME(), "mysql")),
    UniqueConstraint("key_id", name="key_id"),
    Index("idx_private_keys_gun", "gun"),
    **MYSQL_OPTIONS,
)
