"""Tables as the last migrations of the Go server left them: what only old databases lack.

Migrations and adoption make them of this, so it never changes, whatever becomes of the schema.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.mysql import TIMESTAMP
from sqlalchemy.types import TypeEngine

CATEGORIES = ("update", "deletion")

TIME: TypeEngine[Any] = sa.DateTime().with_variant(TIMESTAMP(), "mysql")
CHECKSUM: TypeEngine[Any] = sa.String(64).with_variant(sa.CHAR(64), "mysql", "postgresql")


def change_category() -> list[sa.Column[Any]]:
    """Return the columns of the table of that name."""
    return [sa.Column("category", sa.String(20), primary_key=True)]


def changefeed() -> list[sa.Column[Any]]:
    """Return the columns of the table of that name."""
    return [
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("created_at", TIME, server_default=sa.func.current_timestamp()),
        sa.Column("gun", sa.String(255), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("sha256", CHECKSUM),
        sa.Column(
            "category",
            sa.String(20),
            sa.ForeignKey("change_category.category"),
            nullable=False,
            server_default="update",
        ),
    ]
