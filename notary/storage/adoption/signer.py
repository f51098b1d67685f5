"""The table of the Go signer, from any of its levels to the last."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from notary.storage.transactions import run_transaction

PRIVATE_KEYS = "private_keys"

_ADDED = {
    "gun": "VARCHAR(255) NOT NULL",
    "role": "VARCHAR(255) NOT NULL",
    "last_used": "DATETIME NULL DEFAULT NULL",
}
"""Columns that MySQL's second level has. Keys from before have an empty GUN and role there."""


def upgrade(engine: Engine, _level: int | None) -> None:
    """See `GoDaemon.upgrade`. On PostgreSQL there is one level only."""
    if engine.dialect.name == "mysql":
        run_transaction(engine, _add_columns)


def _add_columns(connection: Connection) -> None:
    there = {column["name"] for column in sa.inspect(connection).get_columns(PRIVATE_KEYS)}
    added = [f"ADD COLUMN {name} {kind}" for name, kind in _ADDED.items() if name not in there]
    if added:
        connection.execute(sa.text(f"ALTER TABLE {PRIVATE_KEYS} {', '.join(added)}"))
