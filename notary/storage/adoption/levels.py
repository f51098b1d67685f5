"""How far the Go daemons' migrations got, as the tool that ran them noted it.

golang-migrate keeps one row, the level and whether its migration is unfinished (dirty); its
predecessor mattes/migrate kept a row for each level. The table has one name for both daemons.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from notary.storage.schema import SchemaError

_NAME = "schema_migrations"
_levels = sa.table(_NAME, sa.column("version", sa.BigInteger), sa.column("dirty", sa.Boolean))


def read_level(connection: Connection, last: int) -> int | None:
    """Return the level of the tables, None if it was never noted.

    Args:
        last: the highest level that there is.

    Raises:
        SchemaError: a migration is unfinished, or the level is higher.
    """
    columns = _columns(connection)
    if not columns:
        return None
    if "dirty" in columns:
        dirty = connection.execute(sa.select(_levels.c.version).where(_levels.c.dirty)).scalar()
        if dirty is not None:
            raise SchemaError(
                f"migration {dirty} of the Go daemon was left unfinished (dirty in {_NAME}): "
                "complete or undo its statements by hand, note the level that was reached with "
                "golang-migrate's command force, and try again"
            )
    level = connection.execute(sa.select(sa.func.max(_levels.c.version))).scalar()
    if level is not None and level > last:
        raise SchemaError(
            f"the tables are of level {level} of the Go daemon's migrations (in {_NAME}), but "
            f"only those up to {last} are known: this version cannot take them over"
        )
    return level


def note_level(connection: Connection, last: int) -> None:
    """Have the Go daemon's migrations find nothing to do, if they keep notes at all."""
    columns = _columns(connection)
    if not columns:
        return
    noted = set(connection.execute(sa.select(_levels.c.version)).scalars())
    if "dirty" not in columns:
        missing = [{"version": level} for level in range(1, last + 1) if level not in noted]
        if missing:
            connection.execute(sa.insert(_levels), missing)
    elif noted != {last}:
        connection.execute(sa.delete(_levels))
        connection.execute(sa.insert(_levels).values(version=last, dirty=False))


def _columns(connection: Connection) -> set[str]:
    """Those of the table of levels, none if it is missing."""
    inspector = sa.inspect(connection)
    if not inspector.has_table(_NAME):
        return set()
    return {column["name"] for column in inspector.get_columns(_NAME)}
