"""Which passphrases the stored keys need."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
from sqlalchemy import Connection, Engine, func, select

from notary.storage.keys.interfaces import SealedKey
from notary.storage.keys.schema import private_keys
from notary.storage.keys.sql import by_id_txn
from notary.storage.transactions import run_query

MOST_ALIASES = 100
"""Aliases that are looked at; more than anybody has."""

_columns = private_keys.c


@attrs.frozen
class AliasUse:
    """An alias that stored keys name.

    Attributes:
        alias: the name of a passphrase.
        keys: how many keys are encrypted with it.
        sample: the newest of them.
    """

    alias: str
    keys: int
    sample: SealedKey


def alias_uses(engine: Engine) -> Sequence[AliasUse]:
    """Return the aliases of all keys that were not deleted, in their order. Blocks.

    Raises:
        StoreUnavailableError: the database refuses or cannot be reached.
    """
    return run_query(engine, alias_uses_txn)


def alias_uses_txn(connection: Connection) -> Sequence[AliasUse]:
    """See `alias_uses`."""
    newest = (
        select(
            _columns.passphrase_alias,
            func.count().label("keys"),
            func.max(_columns.id).label("newest"),
        )
        .where(_columns.deleted_at.is_(None))
        .group_by(_columns.passphrase_alias)
        .order_by(_columns.passphrase_alias)
        .limit(MOST_ALIASES)
    )
    uses = []
    for row in connection.execute(newest).all():
        query = select(_columns.key_id).where(_columns.id == row.newest)
        sample = by_id_txn(connection, connection.execute(query).scalar_one())
        uses.append(AliasUse(row.passphrase_alias, row.keys, sample))
    return uses
