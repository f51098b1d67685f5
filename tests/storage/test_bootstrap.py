"""Making the tables, and working on those of the Go server."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from pytest_twisted import ensureDeferred
from sqlalchemy import Engine, inspect, text
from twisted.internet.task import Clock

from notary.storage.bootstrap import SERVER, bootstrap, check_schema
from notary.storage.dsn import engine_url
from notary.storage.engines import create_engine_for
from notary.storage.interfaces import ConflictError, NewFile, UnstorableError
from notary.storage.schema import SchemaError, metadata
from notary.storage.sql import SQLMetadataStore
from notary.storage.threads import WorkerThreads
from tests.support.mariadb import Database, MariaDB

TABLES = ["change_category", "changefeed", "tuf_files"]


@pytest.fixture(params=["sqlite", "mariadb"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    """A database without tables."""
    if request.param == "sqlite":
        return create_engine_for(engine_url("sqlite3", str(tmp_path / "empty.db")))
    return create_engine_for(request.getfixturevalue("database").url)


def definitions(engine: Engine) -> list[str]:
    """How the database itself describes all of its tables and indexes."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            query = text("SELECT sql FROM sqlite_master WHERE tbl_name != 'alembic_version'")
            return sorted(" ".join(sql.split()) for sql in connection.scalars(query) if sql)
        return [connection.execute(text(f"SHOW CREATE TABLE {table}")).one()[1] for table in TABLES]


def contents(engine: Engine) -> list[object]:
    with engine.connect() as connection:
        return [
            connection.execute(text(f"SELECT * FROM {table}")).all()
            for table in ["alembic_version", *TABLES]
        ]


def test_tables_are_those_of_the_code(
    engine: Engine, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    bootstrap(engine, SERVER)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    upgraded = definitions(engine)

    with engine.begin() as connection:
        connection.execute(text("DROP TABLE alembic_version"))
        metadata.drop_all(connection)
        metadata.create_all(connection)
    assert upgraded == definitions(engine)


def test_a_second_run_changes_nothing(engine: Engine) -> None:
    bootstrap(engine, SERVER)
    check_schema(engine, SERVER)
    before = definitions(engine), contents(engine)
    bootstrap(engine, SERVER)
    check_schema(engine, SERVER)
    assert (definitions(engine), contents(engine)) == before


def test_an_interrupted_run_is_completed(engine: Engine) -> None:
    bootstrap(engine, SERVER)
    complete = definitions(engine), contents(engine)
    with engine.begin() as connection:
        for statement in (
            "DELETE FROM alembic_version",
            "DELETE FROM change_category WHERE category = 'deletion'",
            "DROP TABLE changefeed",
        ):
            connection.execute(text(statement))
        on = " ON tuf_files" if engine.dialect.name == "mysql" else ""
        connection.execute(text(f"DROP INDEX sha256{on}"))
    bootstrap(engine, SERVER)
    assert (definitions(engine), contents(engine)) == complete


def test_missing_tables(engine: Engine) -> None:
    with pytest.raises(SchemaError, match="missing: run notary-server -bootstrap"):
        check_schema(engine, SERVER)
    assert inspect(engine).get_table_names() == []


def test_newer_tables(engine: Engine) -> None:
    bootstrap(engine, SERVER)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for refuses in (bootstrap, check_schema):
        with pytest.raises(SchemaError, match=r"revision 9999.*run a newer version"):
            refuses(engine, SERVER)


class TestTablesOfTheGoServer:
    """Made by its own migrations for MySQL, which say ``CHARSET=utf8``: case does not count."""

    @pytest.fixture
    def database(self, mariadb: MariaDB) -> Database:
        database = mariadb.create_database()
        names = f"{database.name}"
        for table in (
            f"""CREATE TABLE {names}.tuf_files (
                id int(11) NOT NULL AUTO_INCREMENT,
                created_at timestamp NULL DEFAULT NULL,
                updated_at timestamp NULL DEFAULT NULL,
                deleted_at timestamp NULL DEFAULT NULL,
                gun varchar(255) NOT NULL,
                role varchar(255) NOT NULL,
                version int(11) NOT NULL,
                data longblob NOT NULL,
                sha256 char(64) DEFAULT NULL,
                PRIMARY KEY (id), UNIQUE KEY gun (gun, role, version), KEY sha256 (sha256)
            ) ENGINE=InnoDB DEFAULT CHARSET=utf8""",
            f"""CREATE TABLE {names}.change_category (category varchar(20) PRIMARY KEY)
                ENGINE=InnoDB DEFAULT CHARSET=utf8""",
            f"INSERT INTO {names}.change_category VALUES ('update'), ('deletion')",
            f"""CREATE TABLE {names}.changefeed (
                id int(11) NOT NULL AUTO_INCREMENT,
                created_at timestamp DEFAULT CURRENT_TIMESTAMP,
                gun varchar(255) NOT NULL,
                version int(11) NOT NULL,
                sha256 CHAR(64) DEFAULT NULL,
                category VARCHAR(20) NOT NULL DEFAULT 'update',
                PRIMARY KEY (id), KEY idx_changefeed_gun (gun),
                FOREIGN KEY (category) REFERENCES change_category (category)
            ) ENGINE=InnoDB DEFAULT CHARSET=utf8""",
        ):
            mariadb.execute(table)
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

    def test_of_an_old_go_server_are_refused(self, mariadb: MariaDB, database: Database) -> None:
        mariadb.execute(f"ALTER TABLE {database.name}.tuf_files DROP COLUMN sha256")
        engine = create_engine_for(database.url)
        with pytest.raises(SchemaError, match="tuf_files lacks sha256: first run the migrations"):
            bootstrap(engine, SERVER)
        engine.dispose()

    @ensureDeferred
    async def test_names_stay_exact(
        self, mariadb_engine: Engine, threads: WorkerThreads, clock: Clock
    ) -> None:
        store = SQLMetadataStore(mariadb_engine, threads, clock)
        await store.publish("host/app", [NewFile("timestamp", 1, b"lower")], 0)
        with pytest.raises(ConflictError):
            await store.publish("host/APP", [NewFile("timestamp", 1, b"upper")], 0)
        await store.publish("host/APP", [NewFile("timestamp", 2, b"upper")], 0)
        assert (await store.newest("host/app", "timestamp")).data == b"lower"
        assert await store.newest_versions("host/APP", ["timestamp"]) == {"timestamp": 2}
        await store.delete("host/APP")
        assert [c.version for c in await store.changes("host/APP", None, 9)] == [2, 0]
        assert (await store.newest("host/app", "timestamp")).data == b"lower"

    @ensureDeferred
    async def test_characters_they_lack_are_refused(
        self, mariadb_engine: Engine, threads: WorkerThreads, clock: Clock
    ) -> None:
        store = SQLMetadataStore(mariadb_engine, threads, clock)
        with pytest.raises(UnstorableError, match="collations"):
            await store.publish("host/\U0001f433", [NewFile("timestamp", 1, b"")], 0)
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
        await store.publish("host/app", [NewFile("timestamp", 1, b"")], 0)
        mariadb.execute(f"UPDATE {database.name}.tuf_files SET created_at = NULL")
        assert (await store.newest("host/app", "timestamp")).created_at.timestamp() == 0
