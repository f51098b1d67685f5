"""The query that tells which timestamps are the newest, for many collections at once.

It is run for nearly every read, so its text is made once for each size. What PyMySQL takes time
for is kept out of it: it has no parameters but the names of the collections, and the answer is a
single column.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache, reduce
from operator import add
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    LargeBinary,
    Select,
    String,
    bindparam,
    func,
    literal_column,
    select,
)

from notary.storage.schema import tuf_files
from notary.storage.sql_common import exactly, is_constant
from notary.storage.texts import text_of
from notary.tuf.names import TIMESTAMP

SIZES = (1, 2, 4, 8, 16, 32, 64)
"""Collections that a statement asks for; where fewer are wanted, some are asked for twice."""

_SEPARATOR = ","

_BETWEEN: ColumnElement[str] = literal_column(f"'{_SEPARATOR}'", String())
_NONE: ColumnElement[str] = literal_column("''", String())


def newest_txn(connection: Connection, guns: Sequence[str]) -> Mapping[str, str]:
    """See `IMetadataStore.newest_timestamps`. One look into the index per collection."""
    found: dict[str, str] = {}
    for start in range(0, len(guns), SIZES[-1]):
        batch = guns[start : start + SIZES[-1]]
        size = min(size for size in SIZES if size >= len(batch))
        text = text_of(_statement(size), connection.dialect)
        parameters = text.parameters(_values(batch, size))
        answer: str = connection.exec_driver_sql(text.sql, parameters).scalar_one()
        checksums = zip(batch, answer.split(_SEPARATOR), strict=False)
        found.update((gun, checksum) for gun, checksum in checksums if checksum)
    return found


def _values(guns: Sequence[str], size: int) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for number in range(size):
        gun = guns[min(number, len(guns) - 1)]
        values[f"gun{number}"] = gun
        values[f"encoded{number}"] = gun.encode()
    return values


@lru_cache(maxsize=len(SIZES))
def _statement(size: int) -> Select[Any]:
    first, *more = (_checksum(number) for number in range(size))
    return select(reduce(add, (_BETWEEN + checksum for checksum in more), first))


def _checksum(number: int) -> ColumnElement[str]:
    """That of the newest timestamp of a collection, or an empty text."""
    newest = (
        select(tuf_files.c.sha256)
        .where(
            exactly(
                tuf_files.c.gun,
                bindparam(f"gun{number}", type_=String()),
                bindparam(f"encoded{number}", type_=LargeBinary()),
            ),
            is_constant(tuf_files.c.role, TIMESTAMP),
        )
        .order_by(tuf_files.c.version.desc())
        .limit(literal_column("1"))
        .scalar_subquery()
    )
    return func.coalesce(newest, _NONE)
