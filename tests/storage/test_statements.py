"""How many statements each operation of the two daemons costs: none may cost more by accident."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, Engine, event

from notary.storage.bootstrap import SERVER, SIGNER, bootstrap
from notary.storage.dsn import engine_url
from notary.storage.engines import create_engine_for
from tests.storage.operations import BUSY_OPERATIONS, OPERATIONS, Daemons
from tests.support.mariadb import MariaDB
from tests.support.postgres import Postgres

STATEMENTS = {
    "timestamp.json, cold": 3,
    "timestamp.json, warm": 1,
    "snapshot.json, cold": 3,
    "snapshot.json, warm": 1,
    "targets.json, cold": 3,
    "targets.json, warm": 1,
    "root.json, cold": 3,
    "root.json, warm": 1,
    "targets/releases.json, cold": 3,
    "targets/releases.json, warm": 1,
    "file by checksum, cold": 1,
    "file by checksum, warm": 0,
    "file by version": 1,
    "file of no collection": 1,
    "timestamp.json, expired": 6,
    "first publish": 4,
    "publish targets, warm": 4,
    "publish targets, cold": 4,
    "publish root and targets, warm": 4,
    "publish delegation, warm": 4,
    "publish delegation, cold": 4,
    "publish targets, state remembered": 3,
    "publish big targets, warm": 4,
    "publish once more": 1,
    "delete": 3,
    "changefeed": 1,
    "changefeed from a change on": 1,
    "changefeed, newest": 1,
    "changefeed, before a change": 1,
    "changefeed of one": 1,
    "changefeed of one from a change on": 1,
    "changefeed of one, newest": 1,
    "changefeed of one, before a change": 1,
    "timestamp.key, cold": 3,
    "timestamp.key, warm": 1,
    "rotate timestamp.key": 0,
    "health": 1,
    "signer: create key": 2,
    "signer: create key again": 1,
    "signer: first signature": 1,
    "signer: first signature, cold": 2,
    "signer: signature, warm": 0,
    "signer: signature, cold": 1,
    "signer: key info, warm": 0,
    "signer: key info, cold": 1,
    "signer: delete key": 1,
    "signer: health": 2,
}
"""Statements by operation, beside those that begin and end a transaction or test a connection."""

MORE = {
    "sqlite": {"signer: health": -1},  # there is nobody who could make it read-only
    "mysql": {"publish big targets, warm": 1},  # it has to be asked how long a statement may be
}
"""What other databases than PostgreSQL are asked besides, or not."""


def bootstrapped(url: URL) -> Engine:
    engine = create_engine_for(url)
    bootstrap(engine, SERVER)
    bootstrap(engine, SIGNER)
    return engine


@pytest.fixture(scope="module")
def sqlite_url(tmp_path_factory: pytest.TempPathFactory) -> URL:
    directory: Path = tmp_path_factory.mktemp("statements")
    return engine_url("sqlite3", str(directory / "both.db"))


@pytest.fixture(scope="module")
def mariadb_url(mariadb: MariaDB) -> URL:
    return mariadb.create_database().url


@pytest.fixture(scope="module")
def postgres_url(postgres: Postgres) -> URL:
    return postgres.create_database().url


@pytest.fixture(scope="module", params=["sqlite", "mariadb", "postgres"])
def daemons(request: pytest.FixtureRequest) -> Iterator[Daemons]:
    engine = bootstrapped(request.getfixturevalue(f"{request.param}_url"))
    yield Daemons(engine)
    engine.dispose()


@contextmanager
def sent(engine: Engine) -> Iterator[list[str]]:
    """Collect the statements that are sent; one that is executed for many rows counts as many."""
    statements: list[str] = []

    @event.listens_for(engine, "before_cursor_execute")
    def collect(
        _connection: object,
        _cursor: object,
        statement: str,
        parameters: Any,
        _context: object,
        executemany: bool,
    ) -> None:
        if not statement.startswith("BEGIN"):
            is_repeated = executemany and isinstance(parameters, list)
            statements.extend([statement] * (len(parameters) if is_repeated else 1))

    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", collect)


def test_every_operation_is_counted() -> None:
    assert list(STATEMENTS) == list(OPERATIONS)
    assert not OPERATIONS.keys() & BUSY_OPERATIONS.keys()


@pytest.mark.parametrize("operation", STATEMENTS)
def test_costs_so_many_statements(daemons: Daemons, operation: str) -> None:
    measured = OPERATIONS[operation](daemons)
    with sent(daemons.engine) as statements:
        measured()
    dialect = daemons.engine.dialect.name
    allowed = STATEMENTS[operation] + MORE.get(dialect, {}).get(operation, 0)
    assert len(statements) == allowed, "\n\n".join(statements)


@pytest.mark.parametrize(
    ("operation", "first"),
    [("publish targets, warm", ["SELECT"]), ("publish targets, state remembered", [])],
)
def test_mariadb_gets_what_is_counted(mariadb: MariaDB, operation: str, first: list[str]) -> None:
    """Its own log shows what the driver made of them."""
    database = mariadb.create_database()
    engine = bootstrapped(database.url)
    publish = OPERATIONS[operation](Daemons(engine))
    mariadb.execute("SET GLOBAL log_output = 'TABLE', GLOBAL general_log = 1")
    try:
        publish()
    finally:
        mariadb.execute("SET GLOBAL general_log = 0")
    engine.dispose()
    logged = mariadb.execute(
        "SELECT argument FROM mysql.general_log"
        " WHERE command_type = 'Query' AND user_host LIKE %s ORDER BY event_time",
        f"{database.name}[%",
    )
    words = [argument.split()[0] for (argument,) in logged]
    assert words == [*first, "BEGIN", "SELECT", "INSERT", "INSERT", "COMMIT"]
