"""The table of the Go signer, as its last migration left it, and an index for unused keys."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.mysql import DATETIME, TIMESTAMP

from notary.storage.tables import create_index, create_table

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make what is missing."""
    time = sa.DateTime().with_variant(TIMESTAMP(), "mysql")
    create_table(
        "private_keys",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("created_at", time),
        sa.Column("updated_at", time),
        sa.Column("deleted_at", time),
        sa.Column("key_id", sa.String(255), nullable=False),
        sa.Column("encryption_alg", sa.String(255), nullable=False),
        sa.Column("keywrap_alg", sa.String(255), nullable=False),
        sa.Column("algorithm", sa.String(50), nullable=False),
        sa.Column("passphrase_alias", sa.String(50), nullable=False),
        sa.Column("public", sa.LargeBinary, nullable=False),
        sa.Column("private", sa.LargeBinary, nullable=False),
        sa.Column("gun", sa.String(255), nullable=False),
        sa.Column("role", sa.String(255), nullable=False),
        sa.Column("last_used", sa.DateTime().with_variant(DATETIME(), "mysql")),
        sa.UniqueConstraint("key_id", name="key_id"),
    )
    create_index("idx_private_keys_gun", "private_keys", "gun")
