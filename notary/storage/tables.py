"""Making what is missing, and leaving alone what is there.

So a database of the Go daemons is taken over, and an interrupted bootstrap can be run again.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from notary.storage.schema import SchemaError

_MYSQL: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_default_charset": "utf8mb4",
    "mysql_collate": "utf8mb4_bin",
}


def create_table(name: str, *parts: sa.Column[Any] | sa.Constraint) -> None:
    """Make a table unless it is there.

    Raises:
        SchemaError: it is there without some of the columns.
    """
    inspector = sa.inspect(op.get_bind())
    if not inspector.has_table(name):
        op.create_table(name, *parts, **_MYSQL)
        return
    wanted = {part.name for part in parts if isinstance(part, sa.Column)}
    if missing := wanted - {column["name"] for column in inspector.get_columns(name)}:
        raise SchemaError(
            f"the table {name} lacks {', '.join(sorted(missing))}: it is none that a Go daemon made"
        )


def create_index(name: str, table: str, column: str) -> None:
    """Like IF NOT EXISTS, which MySQL lacks for indexes."""
    if not any(i["column_names"] == [column] for i in sa.inspect(op.get_bind()).get_indexes(table)):
        op.create_index(name, table, [column])
