"""What a user may do, asked of real databases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, func, select

from notary.storage.bootstrap import SERVER, bootstrap
from notary.storage.engines import create_engine_for
from notary.storage.interfaces import DatabaseAccessError, DatabaseUnreachableError
from notary.storage.rights import (
    may_number_rows,
    most_connections,
    refused_statements,
    tls_version,
)
from notary.storage.schema import changefeed, tuf_files
from tests.support.mariadb import Database, MariaDB
from tests.support.postgres import Postgres

KINDS = ("SELECT", "INSERT", "UPDATE", "DELETE")


@pytest.fixture
def engine(database: Database) -> Iterator[Engine]:
    engine = create_engine_for(database.url)
    bootstrap(engine, SERVER)
    yield engine
    engine.dispose()


def grant(mariadb: MariaDB, database: Database, engine: Engine, rights: str) -> None:
    """Let the user do this and nothing else; connections that are open go by what was before."""
    mariadb.grant(database.name, rights)
    engine.dispose()


def test_all_is_allowed_and_nothing_is_changed(engine: Engine) -> None:
    for table in (tuf_files, changefeed):
        assert refused_statements(engine, table) == {}
        count = select(func.count()).select_from(table)
        with engine.connect() as connection:
            assert connection.scalar(count) == 0
    assert may_number_rows(engine, tuf_files)


@pytest.mark.parametrize("missing", KINDS[1:])
def test_each_kind_is_told_apart(
    mariadb: MariaDB, database: Database, engine: Engine, missing: str
) -> None:
    grant(mariadb, database, engine, ", ".join(kind for kind in KINDS if kind != missing))
    refused = refused_statements(engine, tuf_files)
    assert list(refused) == [missing]
    assert isinstance(refused[missing], DatabaseAccessError)


def test_without_select_all_are_refused_that_look_for_rows(
    mariadb: MariaDB, database: Database, engine: Engine
) -> None:
    grant(mariadb, database, engine, "INSERT")
    assert list(refused_statements(engine, tuf_files)) == ["SELECT", "INSERT", "UPDATE", "DELETE"]


def test_encryption(database: Database, engine: Engine) -> None:
    assert tls_version(engine) == ""


def test_how_many_connections_there_may_be(mariadb: MariaDB, engine: Engine) -> None:
    assert [(most_connections(engine),)] == mariadb.execute("SELECT @@max_connections")


def test_postgres_has_a_right_to_number_rows(postgres: Postgres) -> None:
    database = postgres.create_database()
    engine = create_engine_for(database.url)
    bootstrap(engine, SERVER)
    assert refused_statements(engine, tuf_files) == {}
    assert may_number_rows(engine, tuf_files)
    assert tls_version(engine).startswith("TLS")
    assert most_connections(engine) > 1
    revoke = f"REVOKE ALL ON SEQUENCE tuf_files_id_seq FROM {database.name}"
    postgres.execute(revoke, database.name)
    assert not may_number_rows(engine, tuf_files)
    postgres.execute(f"REVOKE DELETE ON tuf_files FROM {database.name}", database.name)
    assert list(refused_statements(engine, tuf_files)) == ["DELETE"]
    engine.dispose()


def test_nobody_there(database: Database) -> None:
    engine = create_engine_for(database.url.set(port=1))
    with pytest.raises(DatabaseUnreachableError):
        refused_statements(engine, tuf_files)
