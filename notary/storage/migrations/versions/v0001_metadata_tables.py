"""The tables of the Go server, as its last migration left them.

A table that exists is left as it is: so a database of the Go server is taken over, and a
bootstrap that was interrupted can be run again.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import CHAR, LONGBLOB, TIMESTAMP

from notary.storage.schema import SchemaError

revision = "0001"
down_revision = None

_MYSQL: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_default_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}


def upgrade() -> None:
    """Make what is missing."""
    time = sa.DateTime().with_variant(TIMESTAMP(), "mysql")
    checksum = sa.String(64).with_variant(CHAR(64), "mysql")
    _create_table(
        "tuf_files",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("created_at", time),
        sa.Column("updated_at", time),
        sa.Column("deleted_at", time),
        sa.Column("gun", sa.String(255), nullable=False),
        sa.Column("role", sa.String(255), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("data", sa.LargeBinary().with_variant(LONGBLOB(), "mysql"), nullable=False),
        sa.Column("sha256", checksum),
        sa.UniqueConstraint("gun", "role", "version", name="gun"),
    )
    _create_index("sha256", "tuf_files", "sha256")
    _create_table("change_category", sa.Column("category", sa.String(20), primary_key=True))
    _insert_category("update")
    _insert_category("deletion")
    _create_table(
        "changefeed",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("created_at", time, server_default=sa.func.current_timestamp()),
        sa.Column("gun", sa.String(255), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("sha256", checksum),
        sa.Column(
            "category",
            sa.String(20),
            sa.ForeignKey("change_category.category"),
            nullable=False,
            server_default="update",
        ),
    )
    _create_index("idx_changefeed_gun", "changefeed", "gun")


def _create_table(name: str, *parts: sa.Column[Any] | sa.Constraint) -> None:
    inspector = sa.inspect(op.get_bind())
    if not inspector.has_table(name):
        op.create_table(name, *parts, **_MYSQL)
        return
    wanted = {part.name for part in parts if isinstance(part, sa.Column)}
    if missing := wanted - {column["name"] for column in inspector.get_columns(name)}:
        raise SchemaError(
            f"the table {name} lacks {', '.join(sorted(missing))}: "
            "first run the migrations of the Go server that made it, up to those of 0.7.0"
        )


def _create_index(name: str, table: str, column: str) -> None:
    """Like IF NOT EXISTS, which MySQL lacks for indexes."""
    if not any(i["column_names"] == [column] for i in sa.inspect(op.get_bind()).get_indexes(table)):
        op.create_index(name, table, [column])


def _insert_category(category: str) -> None:
    categories = sa.table("change_category", sa.column("category", sa.String))
    there = sa.select(categories).where(categories.c.category == category)
    if op.get_bind().execute(there).first() is None:
        op.bulk_insert(categories, [{"category": category}])
