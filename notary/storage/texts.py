"""Statements that nearly every request runs: their texts are made once for each database.

SQLAlchemy would take twice as long, though it has compiled them before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import attrs
from sqlalchemy import Connection, CursorResult, Dialect, Table, bindparam, insert

_REMEMBERED = 256
"""Statements that are kept."""


def run(connection: Connection, statement: Any, values: Mapping[str, Any]) -> CursorResult[Any]:
    """Run a statement as `Connection.execute` does, and return the values as the driver gives them.

    On SQLite, which has no type for times, it goes the ordinary way.

    Args:
        connection: to the database.
        statement: one that is kept by the caller, without parameters that stand for several.
        values: of its parameters, by name.
    """
    if connection.dialect.name == "sqlite":
        return connection.execute(statement, values)
    text = text_of(statement, connection.dialect)
    return connection.exec_driver_sql(text.sql, text.parameters(values))


def add_rows(
    connection: Connection,
    table: Table,
    rows: Sequence[Mapping[str, Any]],
    common: Mapping[str, Any],
) -> None:
    """Add rows, as many as a statement may have.

    Args:
        connection: to the database.
        table: gets them.
        rows: values by the names of columns, which are the same in each.
        common: values of other columns that all rows have; drivers are handed them once.
    """
    if connection.dialect.name == "sqlite":
        connection.execute(insert(table), [{**common, **row} for row in rows])
        return
    values = {f"{name}_{at}": value for at, row in enumerate(rows) for name, value in row.items()}
    values.update((f"{name}_of_all", value) for name, value in common.items())
    run(connection, _adding(table, tuple(rows[0]), tuple(common), len(rows)), values)


@attrs.frozen
class Text:
    """A statement in the words of a driver.

    Attributes:
        sql: what it says.
        fixed: values of its parameters that are always the same, by name.
        order: the names of its parameters if they go by position, else None.
    """

    sql: str
    fixed: Mapping[str, Any]
    order: Sequence[str] | None

    def parameters(self, values: Mapping[str, Any]) -> Any:
        """Return what to hand to the driver, given the values that are not always the same."""
        known = {**self.fixed, **values}
        return known if self.order is None else tuple([known[name] for name in self.order])


@lru_cache(_REMEMBERED)
def text_of(statement: Any, dialect: Dialect) -> Text:
    """Return the text of a statement that is kept by the caller."""
    compiled = statement.compile(dialect=dialect)
    fixed = {name: value for name, value in compiled.params.items() if value is not None}
    return Text(str(compiled), fixed, compiled.positiontup if compiled.positional else None)


@lru_cache(_REMEMBERED)
def _adding(table: Table, columns: Sequence[str], common: Sequence[str], count: int) -> Any:
    of_all = {name: bindparam(f"{name}_of_all", type_=table.c[name].type) for name in common}
    rows = [
        {name: bindparam(f"{name}_{at}", type_=table.c[name].type) for name in columns}
        for at in range(count)
    ]
    return insert(table).values([{**of_all, **row} for row in rows])
