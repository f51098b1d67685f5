"""The tables of the Go server, as its last migration left them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import LONGBLOB

from notary.storage.go_tables import CATEGORIES, CHECKSUM, TIME, change_category, changefeed
from notary.storage.tables import create_index, create_table

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make what is missing."""
    create_table(
        "tuf_files",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("created_at", TIME),
        sa.Column("updated_at", TIME),
        sa.Column("deleted_at", TIME),
        sa.Column("gun", sa.String(255), nullable=False),
        sa.Column("role", sa.String(255), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("data", sa.LargeBinary().with_variant(LONGBLOB(), "mysql"), nullable=False),
        sa.Column("sha256", CHECKSUM),
        sa.UniqueConstraint("gun", "role", "version", name="gun"),
    )
    create_index("sha256", "tuf_files", "sha256")
    create_table("change_category", *change_category())
    for category in CATEGORIES:
        _insert_category(category)
    create_table("changefeed", *changefeed())
    create_index("idx_changefeed_gun", "changefeed", "gun")


def _insert_category(category: str) -> None:
    categories = sa.table("change_category", sa.column("category", sa.String))
    there = sa.select(categories).where(categories.c.category == category)
    if op.get_bind().execute(there).first() is None:
        op.bulk_insert(categories, [{"category": category}])
