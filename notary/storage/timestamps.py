"""The query that tells which timestamps are the newest, for many collections at once.

It is run for nearly every read, so its text is made once for each size.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import attrs
from sqlalchemy import Connection, Dialect, LargeBinary, String, bindparam, select

from notary.storage.schema import tuf_files
from notary.storage.sql_common import exactly
from notary.tuf.names import TIMESTAMP

SIZES = (1, 2, 4, 8, 16, 32, 64)
"""Collections that a statement asks for; where fewer are wanted, some are asked for twice."""


def newest_txn(connection: Connection, guns: Sequence[str]) -> Mapping[str, str]:
    """See `IMetadataStore.newest_timestamps`. One look into the index per collection."""
    found: dict[str, str] = {}
    for start in range(0, len(guns), SIZES[-1]):
        batch = guns[start : start + SIZES[-1]]
        statement = _statement(connection.dialect, min(s for s in SIZES if s >= len(batch)))
        row = connection.exec_driver_sql(statement.text, statement.parameters(batch)).one()
        found.update((gun, checksum) for gun, checksum in zip(batch, row, strict=False) if checksum)
    return found


@attrs.frozen
class _Statement:
    """A statement in the words of a driver.

    Attributes:
        text: its SQL.
        fixed: values of its parameters that are always the same, by name.
        order: the names of its parameters if they go by position, else None.
        size: how many collections it asks for.
    """

    text: str
    fixed: Mapping[str, Any]
    order: Sequence[str] | None
    size: int

    def parameters(self, guns: Sequence[str]) -> Any:
        """Return what to hand to the driver."""
        values = dict(self.fixed)
        for number in range(self.size):
            gun = guns[min(number, len(guns) - 1)]
            values[f"gun{number}"] = gun
            values[f"encoded{number}"] = gun.encode()
        return values if self.order is None else tuple(values[name] for name in self.order)


@lru_cache(maxsize=4 * len(SIZES))
def _statement(dialect: Dialect, size: int) -> _Statement:
    query = select(
        *(
            select(tuf_files.c.sha256)
            .where(
                exactly(
                    tuf_files.c.gun,
                    bindparam(f"gun{number}", type_=String()),
                    bindparam(f"encoded{number}", type_=LargeBinary()),
                ),
                exactly(tuf_files.c.role, TIMESTAMP),
            )
            .order_by(tuf_files.c.version.desc())
            .limit(1)
            .scalar_subquery()
            .label(f"checksum{number}")
            for number in range(size)
        )
    )
    compiled: Any = query.compile(dialect=dialect)
    fixed = {name: value for name, value in compiled.params.items() if value is not None}
    order = compiled.positiontup if compiled.positional else None
    return _Statement(str(compiled), fixed, order, size)
