"""The stores under test, and what they stand on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
import pytest_twisted
from sqlalchemy import Engine, delete
from twisted.internet import reactor
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.task import Clock

from notary.storage.bootstrap import SERVER, bootstrap
from notary.storage.cached import CachedMetadataStore
from notary.storage.dsn import engine_url
from notary.storage.engines import create_engine_for
from notary.storage.interfaces import IMetadataStore
from notary.storage.memory import MemoryMetadataStore
from notary.storage.schema import changefeed, tuf_files
from notary.storage.sql import SQLMetadataStore
from notary.storage.threads import WorkerThreads
from tests.support.mariadb import Database, MariaDB
from tests.support.postgres import Postgres

THREADS = 8
CACHED_BYTES = 100_000


@pytest.fixture
def clock() -> Clock:
    clock = Clock()
    clock.advance(1_700_000_000.75)
    return clock


@pytest.fixture
def threads() -> Iterator[WorkerThreads]:
    threads = WorkerThreads(cast(IReactorFromThreads, reactor), "test", THREADS)
    threads.startService()
    yield threads
    pytest_twisted.blockon(threads.stopService())


@pytest.fixture
def sqlite_engine(tmp_path: Path) -> Iterator[Engine]:
    """An SQLite database with the tables in it."""
    engine = create_engine_for(engine_url("sqlite3", str(tmp_path / "server.db")), THREADS)
    bootstrap(engine, SERVER)
    yield engine
    engine.dispose()


@pytest.fixture
def database(mariadb: MariaDB) -> Database:
    """A MariaDB database without any tables."""
    return mariadb.create_database()


@pytest.fixture
def mariadb_engine(database: Database) -> Iterator[Engine]:
    """A MariaDB database with the tables in it."""
    engine = create_engine_for(database.url, THREADS)
    bootstrap(engine, SERVER)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def shared_engine(mariadb: MariaDB) -> Iterator[Engine]:
    """A MariaDB database with the tables in it, made once."""
    engine = create_engine_for(mariadb.create_database().url, THREADS)
    bootstrap(engine, SERVER)
    yield engine
    engine.dispose()


@pytest.fixture
def emptied_engine(shared_engine: Engine) -> Engine:
    """The shared database, its tables emptied."""
    with shared_engine.begin() as connection:
        connection.execute(delete(tuf_files))
        connection.execute(delete(changefeed))
    return shared_engine


@pytest.fixture(scope="session")
def shared_postgres_engine(postgres: Postgres) -> Iterator[Engine]:
    """A PostgreSQL database with the tables in it, made once."""
    engine = create_engine_for(postgres.create_database().url, THREADS)
    bootstrap(engine, SERVER)
    yield engine
    engine.dispose()


@pytest.fixture
def postgres_engine(shared_postgres_engine: Engine) -> Engine:
    """The shared PostgreSQL database, its tables emptied."""
    with shared_postgres_engine.begin() as connection:
        connection.execute(delete(tuf_files))
        connection.execute(delete(changefeed))
    return shared_postgres_engine


@pytest.fixture(params=["memory", "cached", "sqlite", "mariadb", "postgres"])
def store(request: pytest.FixtureRequest, clock: Clock) -> IMetadataStore:
    """Each of the stores, empty."""
    if request.param == "memory":
        return MemoryMetadataStore(clock)
    if request.param == "cached":
        return CachedMetadataStore(MemoryMetadataStore(clock), CACHED_BYTES, clock)
    name = "emptied_engine" if request.param == "mariadb" else f"{request.param}_engine"
    engine = request.getfixturevalue(name)
    return SQLMetadataStore(engine, request.getfixturevalue("threads"), clock)
