"""The two Go daemons, and taking over the tables of either."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs
import sqlalchemy as sa
from sqlalchemy import Connection, Engine

from notary.storage.adoption import server, signer
from notary.storage.adoption.levels import note_level, read_level
from notary.storage.transactions import run_query, run_transaction


@attrs.frozen(eq=False)
class GoDaemon:
    """What is known of a Go daemon's tables.

    Attributes:
        table: one that it has had from the first level on.
        others: the same of the other daemon.
        levels: the last level of its migrations, by SQLAlchemy's name of the database.
        upgrade: brings its tables to the last level; is given the level that was noted, None if
            none was. May be run again, after an interrupted run as well.
    """

    table: str
    others: str
    levels: Mapping[str, int]
    upgrade: Callable[[Engine, int | None], None]


SERVER = GoDaemon(
    server.TUF_FILES, signer.PRIVATE_KEYS, {"mysql": 5, "postgresql": 2}, server.upgrade
)
SIGNER = GoDaemon(
    signer.PRIVATE_KEYS, server.TUF_FILES, {"mysql": 2, "postgresql": 1}, signer.upgrade
)


def adopt(engine: Engine, daemon: GoDaemon) -> None:
    """Bring the tables that a Go daemon made to the last level. Blocks.

    Whether there are any or not, the Go daemon's migrations find nothing to do afterwards, if they
    were ever run; a database without the tables has to get them next. Where the other daemon has
    tables too, the noted level is neither judged nor changed: nobody can tell whose it is.

    Raises:
        SchemaError: the level is unknown, or its migration is unfinished.
        StoreUnavailableError: the database refuses or cannot be reached.
    """
    last = daemon.levels.get(engine.dialect.name)
    if last is None:
        return

    def judge(connection: Connection) -> tuple[bool, bool, int | None]:
        inspector = sa.inspect(connection)
        is_shared = inspector.has_table(daemon.others)
        level = None if is_shared else read_level(connection, last)
        return inspector.has_table(daemon.table), is_shared, level

    has_tables, is_shared, level = run_query(engine, judge)
    if has_tables:
        daemon.upgrade(engine, level)
    if not is_shared:
        run_transaction(engine, lambda connection: note_level(connection, last))
