"""The key stores under test. Fixtures named like those of the metadata stores hold keys here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import URL, Engine, delete
from twisted.internet.task import Clock

from notary.storage.bootstrap import SIGNER, bootstrap
from notary.storage.dsn import engine_url
from notary.storage.engines import create_engine_for
from notary.storage.keys.interfaces import IKeyStore
from notary.storage.keys.memory import MemoryKeyStore
from notary.storage.keys.schema import private_keys
from notary.storage.keys.sql import SQLKeyStore
from tests.storage.conftest import THREADS
from tests.support.go_tables import GoLevel, create_go_tables
from tests.support.mariadb import Database, MariaDB
from tests.support.postgres import Postgres

ENGINES = {
    "sqlite": "sqlite_engine",
    "mariadb": "emptied_engine",
    "go-table": "emptied_go_engine",
    "postgres": "postgres_engine",
}
"""Names of fixtures, by what they stand for."""


@contextmanager
def bootstrapped(url: URL) -> Iterator[Engine]:
    engine = create_engine_for(url, THREADS)
    bootstrap(engine, SIGNER)
    yield engine
    engine.dispose()


def emptied(engine: Engine) -> Engine:
    with engine.begin() as connection:
        connection.execute(delete(private_keys))
    return engine


def create_go_table(mariadb: MariaDB) -> Database:
    """Make a database with the table as the Go signer's own migrations for MySQL leave it.

    They say ``CHARSET=utf8``: case does not count, and there are three bytes for a character.
    """
    database = mariadb.create_database()
    engine = create_engine_for(database.url)
    create_go_tables(engine, GoLevel("signer", "mysql", 2), tool=None)
    engine.dispose()
    return database


@pytest.fixture
def sqlite_engine(tmp_path: Path) -> Iterator[Engine]:
    """An SQLite database with the table in it."""
    with bootstrapped(engine_url("sqlite3", str(tmp_path / "signer.db"))) as engine:
        yield engine


@pytest.fixture
def mariadb_engine(database: Database) -> Iterator[Engine]:
    """A MariaDB database with the table in it."""
    with bootstrapped(database.url) as engine:
        yield engine


@pytest.fixture(scope="session")
def shared_engine(mariadb: MariaDB) -> Iterator[Engine]:
    """A MariaDB database with the table in it, made once."""
    with bootstrapped(mariadb.create_database().url) as engine:
        yield engine


@pytest.fixture
def emptied_engine(shared_engine: Engine) -> Engine:
    """The shared database, its table emptied."""
    return emptied(shared_engine)


@pytest.fixture(scope="session")
def shared_postgres_engine(postgres: Postgres) -> Iterator[Engine]:
    """A PostgreSQL database with the table in it, made once."""
    with bootstrapped(postgres.create_database().url) as engine:
        yield engine


@pytest.fixture
def postgres_engine(shared_postgres_engine: Engine) -> Engine:
    """The shared PostgreSQL database, its table emptied."""
    return emptied(shared_postgres_engine)


@pytest.fixture
def go_database(mariadb: MariaDB) -> Database:
    """A MariaDB database with the Go signer's table in it, as it was made."""
    return create_go_table(mariadb)


@pytest.fixture(scope="session")
def shared_go_engine(mariadb: MariaDB) -> Iterator[Engine]:
    """A MariaDB database whose table was taken over from the Go signer, made once."""
    with bootstrapped(create_go_table(mariadb).url) as engine:
        yield engine


@pytest.fixture
def emptied_go_engine(shared_go_engine: Engine) -> Engine:
    """The shared database that was taken over, its table emptied."""
    return emptied(shared_go_engine)


@pytest.fixture(params=["memory", *ENGINES])
def store(request: pytest.FixtureRequest, clock: Clock) -> IKeyStore:
    """Each of the stores, empty."""
    if request.param == "memory":
        return MemoryKeyStore()
    engine = request.getfixturevalue(ENGINES[request.param])
    return SQLKeyStore(engine, request.getfixturevalue("threads"), clock)
