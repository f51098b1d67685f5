"""Making the tables, and working on those of the Go server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from pytest_twisted import ensureDeferred
from sqlalchemy import Engine, Executable, delete, inspect, text
from sqlalchemy.schema import DropIndex, DropTable
from twisted.internet.task import Clock

from notary.storage.bootstrap import SERVER, SIGNER, Migrations, bootstrap, check_schema
from notary.storage.dsn import engine_url
from notary.storage.engines import create_engine_for
from notary.storage.interfaces import ConflictError, NewFile, UnstorableError
from notary.storage.keys.schema import private_keys
from notary.storage.schema import SchemaError, change_category, changefeed, tuf_files
from notary.storage.sql import SQLMetadataStore
from notary.storage.threads import WorkerThreads
from tests.support.go_tables import GoLevel, create_go_tables
from tests.support.mariadb import Database, MariaDB
from tests.support.postgres import describe
from tests.support.stores import newest_versions

METADATA = {SERVER: tuf_files.metadata, SIGNER: private_keys.metadata}

LOST: dict[Migrations, list[Executable]] = {
    SERVER: [
        delete(change_category).where(change_category.c.category == "deletion"),
        DropTable(changefeed),
        *map(DropIndex, tuf_files.indexes),
    ],
    SIGNER: [*map(DropIndex, private_keys.indexes)],
}
"""What takes away something of all that an interrupted run may not have made yet."""


@pytest.fixture(params=["sqlite", "mariadb", "postgres"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """A database without tables."""
    if request.param == "sqlite":
        engine = create_engine_for(engine_url("sqlite3", str(tmp_path / "empty.db")))
    else:
        database_server = request.getfixturevalue(request.param)
        engine = create_engine_for(database_server.create_database().url)
    yield engine
    engine.dispose()


@pytest.fixture(params=[SERVER, SIGNER], ids=lambda migrations: migrations.daemon)
def migrations(request: pytest.FixtureRequest) -> Migrations:
    """Those of each daemon."""
    migrations: Migrations = request.param
    return migrations


def tables(engine: Engine) -> list[str]:
    """The tables of a database but for those of Alembic."""
    versions = {migrations.version_table for migrations in METADATA}
    return sorted(set(inspect(engine).get_table_names()) - versions)


def definitions(engine: Engine) -> list[str]:
    """How the database itself describes all of its tables and indexes."""
    names = tables(engine)
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            found = connection.execute(text("SELECT tbl_name, sql FROM sqlite_master"))
            return sorted(" ".join(sql.split()) for name, sql in found if sql and name in names)
        if engine.dialect.name == "postgresql":
            return [line for name in names for line in describe(connection, name)]
        return [connection.execute(text(f"SHOW CREATE TABLE {name}")).one()[1] for name in names]


def contents(engine: Engine) -> dict[str, object]:
    """All rows of all tables."""
    with engine.connect() as connection:
        return {
            name: connection.execute(text(f"SELECT * FROM {name}")).all()
            for name in inspect(engine).get_table_names()
        }


def test_tables_are_those_of_the_code(engine: Engine, migrations: Migrations) -> None:
    bootstrap(engine, migrations)
    metadata = METADATA[migrations]
    options = {"version_table": migrations.version_table}
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []
    assert tables(engine) == sorted(metadata.tables)
    upgraded = definitions(engine)

    with engine.begin() as connection:
        metadata.drop_all(connection)
        metadata.create_all(connection)
    assert upgraded == definitions(engine)


def test_revisions_are_those_of_alembic(migrations: Migrations) -> None:
    scripts = ScriptDirectory.from_config(migrations.config())
    assert migrations.revisions() == [script.revision for script in scripts.walk_revisions()]


def test_the_revision_is_what_alembic_says(engine: Engine, migrations: Migrations) -> None:
    def said_by_alembic() -> str | None:
        with engine.connect() as connection:
            options = {"version_table": migrations.version_table}
            context = MigrationContext.configure(connection, opts=options)
            return context.get_current_revision()

    def ours() -> str | None:
        with engine.connect() as connection:
            return migrations.revision(connection)

    assert ours() == said_by_alembic() is None
    bootstrap(engine, migrations)
    assert ours() == said_by_alembic() == migrations.revisions()[0]


def test_a_second_run_changes_nothing(engine: Engine, migrations: Migrations) -> None:
    bootstrap(engine, migrations)
    check_schema(engine, migrations)
    before = definitions(engine), contents(engine)
    bootstrap(engine, migrations)
    check_schema(engine, migrations)
    assert (definitions(engine), contents(engine)) == before


@pytest.mark.parametrize("lost", [{}, LOST], ids=["at-the-end", "before-that"])
def test_an_interrupted_run_is_completed(
    engine: Engine, migrations: Migrations, lost: dict[Migrations, list[Executable]]
) -> None:
    bootstrap(engine, migrations)
    complete = definitions(engine), contents(engine)
    with engine.begin() as connection:
        for statement in lost.get(migrations, []):
            connection.execute(statement)
        connection.execute(text(f"DELETE FROM {migrations.version_table}"))
    assert (definitions(engine) == complete[0]) == (not lost)
    bootstrap(engine, migrations)
    assert (definitions(engine), contents(engine)) == complete


def test_missing_tables(engine: Engine, migrations: Migrations) -> None:
    with pytest.raises(SchemaError, match=f"missing: run {migrations.daemon} -bootstrap"):
        check_schema(engine, migrations)
    assert inspect(engine).get_table_names() == []


def test_newer_tables(engine: Engine, migrations: Migrations) -> None:
    bootstrap(engine, migrations)
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE {migrations.version_table} SET version_num = '9999'"))
    newer = rf"revision 9999.*run a newer version of {migrations.daemon}"
    for refuses in (bootstrap, check_schema):
        with pytest.raises(SchemaError, match=newer):
            refuses(engine, migrations)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(SERVER, SIGNER, id="server-first"),
        pytest.param(SIGNER, SERVER, id="signer-first"),
    ],
)
def test_both_daemons_may_share_a_database(
    engine: Engine, first: Migrations, second: Migrations
) -> None:
    bootstrap(engine, first)
    own = contents(engine)
    with pytest.raises(SchemaError, match=f"missing: run {second.daemon} -bootstrap"):
        check_schema(engine, second)
    bootstrap(engine, second)
    both = contents(engine)
    assert {name: both[name] for name in own} == own
    assert tables(engine) == sorted([*METADATA[first].tables, *METADATA[second].tables])

    for migrations in (first, second):
        bootstrap(engine, migrations)
        check_schema(engine, migrations)
    assert contents(engine) == both

    with engine.begin() as connection:
        connection.execute(text(f"UPDATE {first.version_table} SET version_num = '9999'"))
    check_schema(engine, second)


class TestTablesOfTheGoServer:
    """Made by its own migrations for MySQL, which say ``CHARSET=utf8``: case does not count."""

    @pytest.fixture
    def database(self, mariadb: MariaDB) -> Database:
        database = mariadb.create_database()
        engine = create_engine_for(database.url)
        create_go_tables(engine, GoLevel("server", "mysql", 5), tool=None)
        engine.dispose()
        return database

    def test_are_taken_over_as_they_are(self, database: Database) -> None:
        engine = create_engine_for(database.url)
        with pytest.raises(SchemaError, match="run notary-server -bootstrap"):
            check_schema(engine, SERVER)
        before = definitions(engine)
        bootstrap(engine, SERVER)
        check_schema(engine, SERVER)
        assert definitions(engine) == before
        engine.dispose()

    def test_of_another_program_are_refused(self, mariadb: MariaDB, database: Database) -> None:
        mariadb.execute(f"ALTER TABLE {database.name}.tuf_files DROP COLUMN updated_at")
        engine = create_engine_for(database.url)
        with pytest.raises(SchemaError, match="tuf_files lacks updated_at: it is none that a Go"):
            bootstrap(engine, SERVER)
        engine.dispose()

    @ensureDeferred
    async def test_names_stay_exact(
        self, mariadb_engine: Engine, threads: WorkerThreads, clock: Clock
    ) -> None:
        store = SQLMetadataStore(mariadb_engine, threads, clock)
        await store.publish("host/app", [NewFile("timestamp", 1, b"lower")], None)
        with pytest.raises(ConflictError):
            await store.publish("host/APP", [NewFile("timestamp", 1, b"upper")], None)
        await store.publish("host/APP", [NewFile("timestamp", 2, b"upper")], None)
        assert (await store.newest("host/app", "timestamp")).data == b"lower"
        assert await newest_versions(store, "host/APP", ["timestamp"]) == {"timestamp": 2}
        await store.delete("host/APP")
        assert [c.version for c in await store.changes("host/APP", None, 9)] == [2, 0]
        assert (await store.newest("host/app", "timestamp")).data == b"lower"

    @ensureDeferred
    async def test_characters_they_lack_are_refused(
        self, mariadb_engine: Engine, threads: WorkerThreads, clock: Clock
    ) -> None:
        store = SQLMetadataStore(mariadb_engine, threads, clock)
        with pytest.raises(UnstorableError, match="collations"):
            await store.publish("host/\U0001f433", [NewFile("timestamp", 1, b"")], None)
        with pytest.raises(UnstorableError, match="collations"):
            await store.newest("host/\U0001f433", "timestamp")

    @ensureDeferred
    async def test_times_may_be_null(
        self,
        mariadb: MariaDB,
        database: Database,
        mariadb_engine: Engine,
        threads: WorkerThreads,
        clock: Clock,
    ) -> None:
        store = SQLMetadataStore(mariadb_engine, threads, clock)
        await store.publish("host/app", [NewFile("timestamp", 1, b"")], None)
        mariadb.execute(f"UPDATE {database.name}.tuf_files SET created_at = NULL")
        assert (await store.newest("host/app", "timestamp")).created_at.timestamp() == 0
