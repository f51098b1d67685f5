"""What a database lets its user do, found out without changing anything."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, Engine, Executable, Table, delete, false, insert, select, text
from sqlalchemy import update as update_rows

from notary.storage.interfaces import StorageError
from notary.storage.transactions import in_our_words, run_query

_ENCRYPTED = {
    "mysql": "SHOW SESSION STATUS LIKE 'Ssl_version'",
    "postgresql": "SELECT '', CASE WHEN ssl THEN version ELSE '' END FROM pg_stat_ssl "
    "WHERE pid = pg_backend_pid()",
}
"""Tell the version of TLS in the second column, by SQLAlchemy's name of the database."""

_CONNECTIONS = {"mysql": "SELECT @@max_connections", "postgresql": "SHOW max_connections"}
"""Tell how many connections all users together may have, likewise."""

_MAY_NUMBER = "SELECT has_sequence_privilege(pg_get_serial_sequence(:name, 'id'), 'USAGE')"


def refused_statements(engine: Engine, table: Table) -> Mapping[str, StorageError]:
    """Return which kinds of statements the database refuses for a table, and why. Blocks.

    The statements touch no row, and are rolled back.

    Raises:
        StoreUnavailableError: the database cannot be reached.
    """
    no_rows = select(table).where(false())
    statements: dict[str, Executable] = {
        "SELECT": no_rows,
        "INSERT": insert(table).from_select(list(table.columns), no_rows),
        "UPDATE": update_rows(table).where(false()).values({table.c.id: table.c.id}),
        "DELETE": delete(table).where(false()),
    }
    refused: dict[str, StorageError] = {}
    with in_our_words(engine), engine.connect() as connection:
        for kind, statement in statements.items():
            try:
                with in_our_words(engine), connection.begin() as transaction:
                    connection.execute(statement)
                    transaction.rollback()
            except StorageError as error:
                refused[kind] = error
    return refused


def may_number_rows(engine: Engine, table: Table) -> bool:
    """Whether rows can be given IDs, which PostgreSQL has a right of its own for. Blocks.

    Raises:
        StoreUnavailableError: the database refuses or cannot be reached.
    """
    if engine.dialect.name != "postgresql":
        return True
    query = text(_MAY_NUMBER).bindparams(name=table.name)
    return run_query(engine, lambda connection: connection.execute(query).scalar() is not False)


def tls_version(engine: Engine) -> str:
    """Return the version of TLS that connections have, empty for none. Blocks.

    Raises:
        StoreUnavailableError: the database refuses or cannot be reached.
    """

    def ask(connection: Connection) -> str:
        row = connection.execute(text(_ENCRYPTED[engine.dialect.name])).first()
        return str(row[1] or "") if row else ""

    return run_query(engine, ask)


def most_connections(engine: Engine) -> int:
    """Return how many connections a database server allows to all its users together. Blocks.

    Raises:
        StoreUnavailableError: the database cannot be reached.
    """
    statement = text(_CONNECTIONS[engine.dialect.name])
    return int(run_query(engine, lambda connection: connection.execute(statement).scalar_one()))
