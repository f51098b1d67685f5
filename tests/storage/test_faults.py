"""What is wrong with a database, as the real ones tell it and as an operator gets to read it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pymysql
import pytest
from sqlalchemy import Connection, Engine, insert, select, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from notary.storage.bootstrap import SERVER, bootstrap
from notary.storage.dsn import engine_url
from notary.storage.engines import create_engine_for
from notary.storage.faults import in_our_words
from notary.storage.interfaces import (
    DatabaseAccessError,
    DatabaseReadOnlyError,
    DatabaseTLSError,
    DatabaseUnreachableError,
    NoSuchDatabaseError,
    StorageError,
    StoreUnavailableError,
    UnstorableError,
)
from notary.storage.schema import change_category, changefeed
from notary.storage.transactions import run_query, run_transaction
from tests.support.daemons import free_port
from tests.support.mariadb import PASSWORD, Database, MariaDB
from tests.support.postgres import Postgres, PostgresDatabase

URLS = {
    "mysql": URL.create("mysql+pymysql", "notary", PASSWORD, "db", 3306, "server"),
    "postgres": URL.create("postgresql+psycopg", "notary", PASSWORD, "db", 5432, "server"),
}


def use(url: URL, query: Callable[[Connection], object] = lambda c: c.scalar(text("SELECT 1"))):  # type: ignore[no-untyped-def]
    engine = create_engine_for(url)
    try:
        return run_query(engine, query)
    finally:
        engine.dispose()


def refusal(url: URL, kind: type[StorageError]) -> str:
    """What is said of a database of no use, by an error of exactly this kind."""
    with pytest.raises(kind) as caught:
        use(url)
    assert type(caught.value) is kind
    message = str(caught.value)
    assert PASSWORD not in message
    assert "\n" not in message
    return message


class TestMariaDB:
    def test_nobody_there(self, database: Database) -> None:
        message = refusal(database.url.set(port=free_port()), DatabaseUnreachableError)
        assert "cannot be reached: 2003 Can't connect" in message
        assert message.endswith("; check that it runs, and the address in storage.db_url")

    def test_no_such_host(self, database: Database) -> None:
        refusal(database.url.set(host="nowhere.invalid"), DatabaseUnreachableError)

    def test_no_such_socket(self) -> None:
        refusal(engine_url("mysql", "notary@unix(/none)/server"), DatabaseUnreachableError)

    def test_wrong_password(self, database: Database) -> None:
        message = refusal(database.url.set(password="wrong-secret"), DatabaseAccessError)
        assert "denies access: 1045 Access denied" in message
        assert (
            "check the user and the password in storage.db_url or storage.db_password_file"
            in message
        )
        assert "wrong-secret" not in message

    def test_no_such_database(self, mariadb: MariaDB, database: Database) -> None:
        mariadb.execute(f"GRANT ALL ON *.* TO {database.name}")
        message = refusal(database.url.set(database="none"), NoSuchDatabaseError)
        assert "/none does not exist: 1049" in message
        assert "make it, or correct its name in storage.db_url" in message

    def test_somebody_elses_database(self, mariadb: MariaDB, database: Database) -> None:
        other = mariadb.create_database()
        assert "1044" in refusal(database.url.set(database=other.name), DatabaseAccessError)

    def test_missing_right(self, mariadb: MariaDB, database: Database) -> None:
        bootstrap_and_dispose(database.url)
        mariadb.grant(database.name, "SELECT")
        with pytest.raises(DatabaseAccessError, match="1142"):
            write(database.url)

    def test_read_only(self, mariadb: MariaDB, database: Database, read_only: None) -> None:
        with pytest.raises(DatabaseReadOnlyError, match=r"is read-only: 1290.*; what it holds is"):
            write(database.url)
        assert use(database.url, lambda c: len(c.execute(select(change_category)).all())) == 2

    @pytest.fixture
    def read_only(self, mariadb: MariaDB, database: Database) -> Iterator[None]:
        bootstrap_and_dispose(database.url)
        mariadb.grant(database.name, "SELECT, INSERT, UPDATE, DELETE")
        mariadb.execute("SET GLOBAL read_only = 1")
        yield
        mariadb.execute("SET GLOBAL read_only = 0")

    def test_writable_again_without_a_new_engine(
        self, mariadb: MariaDB, database: Database, read_only: None
    ) -> None:
        engine = create_engine_for(database.url)
        with pytest.raises(DatabaseReadOnlyError):
            run_transaction(engine, add)
        mariadb.execute("SET GLOBAL read_only = 0")
        run_transaction(engine, add)
        engine.dispose()


class TestPostgres:
    @pytest.fixture
    def database(self, postgres: Postgres) -> PostgresDatabase:
        return postgres.create_database()

    def test_nobody_there(self, database: PostgresDatabase) -> None:
        message = refusal(database.url.set(port=free_port()), DatabaseUnreachableError)
        assert "cannot be reached: connection" in message

    def test_no_such_host(self, database: PostgresDatabase) -> None:
        refusal(database.url.set(host="nowhere.invalid"), DatabaseUnreachableError)

    def test_wrong_password(self, database: PostgresDatabase) -> None:
        message = refusal(database.url.set(password="wrong-secret"), DatabaseAccessError)
        assert "password authentication failed" in message
        assert "wrong-secret" not in message

    def test_no_password(self, database: PostgresDatabase) -> None:
        url = engine_url("postgres", f"postgres://x@127.0.0.1:{database.url.port}/x")
        assert "no password supplied" in refusal(url, DatabaseAccessError)

    def test_no_such_database(self, database: PostgresDatabase) -> None:
        message = refusal(database.url.set(database="none"), NoSuchDatabaseError)
        assert 'database "none" does not exist' in message

    def test_no_entry_for_the_host(self, database: PostgresDatabase) -> None:
        url = database.url.difference_update_query(["sslmode"])
        url = url.update_query_dict({"sslmode": "disable"})
        assert "no pg_hba.conf entry" in refusal(url, DatabaseAccessError)

    def test_missing_right(self, postgres: Postgres, database: PostgresDatabase) -> None:
        bootstrap_and_dispose(database.url)
        owner = f"REASSIGN OWNED BY {database.name} TO postgres"
        postgres.execute(owner, database.name)
        with pytest.raises(DatabaseAccessError, match="permission denied for table"):
            write(database.url)

    def test_too_many_connections(self, postgres: Postgres, database: PostgresDatabase) -> None:
        postgres.execute(f"ALTER ROLE {database.name} CONNECTION LIMIT 0")
        message = refusal(database.url, DatabaseUnreachableError)
        assert "too many connections" in message

    def test_read_only(self, postgres: Postgres, database: PostgresDatabase) -> None:
        engine = create_engine_for(database.url)
        bootstrap(engine, SERVER)
        setting = f"ALTER DATABASE {database.name} SET default_transaction_read_only ="
        postgres.execute(f"{setting} on")
        engine.dispose()
        with pytest.raises(DatabaseReadOnlyError, match="cannot execute INSERT in a read-only"):
            run_transaction(engine, add)
        assert run_query(engine, lambda c: len(c.execute(select(change_category)).all())) == 2
        postgres.execute(f"{setting} off")
        run_transaction(engine, add)
        engine.dispose()


def bootstrap_and_dispose(url: URL) -> None:
    engine = create_engine_for(url)
    bootstrap(engine, SERVER)
    engine.dispose()


def add(connection: Connection) -> None:
    connection.execute(insert(changefeed).values(gun="host/app", version=1))


def write(url: URL) -> None:
    engine = create_engine_for(url)
    try:
        run_transaction(engine, add)
    finally:
        engine.dispose()


@pytest.mark.parametrize(
    ("kind", "codes"),
    [
        (
            DatabaseUnreachableError,
            [1040, 1047, 1053, 1129, 1203, 1226, 1927, 2002, 2003, 2005, 2006, 2013, 2055],
        ),
        (DatabaseAccessError, [1044, 1045, 1142, 1143, 1227, 1698, 4151]),
        (NoSuchDatabaseError, [1049]),
        (DatabaseReadOnlyError, [1290, 1792, 1836, 3100]),
        (DatabaseTLSError, [2026]),
        (UnstorableError, [1153, 1264, 1267, 1366, 1406]),
        (StoreUnavailableError, [1146, 1205, 1213]),
    ],
)
def test_numbers_of_mysql(kind: type[StorageError], codes: list[int]) -> None:
    for code in codes:
        original = pymysql.err.OperationalError(code, "database x does not exist")
        error = DBAPIError("SELECT secret", {}, original)
        found = in_our_words(error, URLS["mysql"])
        assert type(found) is kind, code
        assert "SELECT" not in str(found)


STATES: dict[type[psycopg.Error], type[StorageError]] = {
    psycopg.errors.CannotConnectNow: DatabaseUnreachableError,
    psycopg.errors.AdminShutdown: DatabaseUnreachableError,
    psycopg.errors.TooManyConnections: DatabaseUnreachableError,
    psycopg.errors.ConnectionFailure: DatabaseUnreachableError,
    psycopg.errors.InvalidPassword: DatabaseAccessError,
    psycopg.errors.InvalidAuthorizationSpecification: DatabaseAccessError,
    psycopg.errors.InsufficientPrivilege: DatabaseAccessError,
    psycopg.errors.InvalidCatalogName: NoSuchDatabaseError,
    psycopg.errors.ReadOnlySqlTransaction: DatabaseReadOnlyError,
    psycopg.errors.StringDataRightTruncation: UnstorableError,
    psycopg.errors.ProgramLimitExceeded: UnstorableError,
    psycopg.errors.QueryCanceled: StoreUnavailableError,
    psycopg.errors.UndefinedTable: StoreUnavailableError,
}


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_states_of_postgres(state: type[psycopg.Error]) -> None:
    error = DBAPIError("SELECT secret", {}, state("password authentication failed"))
    assert type(in_our_words(error, URLS["postgres"])) is STATES[state]


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (DatabaseUnreachableError, 'connection to server at "db" failed: Connection refused'),
        (DatabaseUnreachableError, "FATAL:  the database system is starting up"),
        (DatabaseUnreachableError, "something that nobody has seen yet"),
        (DatabaseAccessError, 'FATAL:  password authentication failed for user "notary"'),
        (DatabaseAccessError, 'FATAL:  no pg_hba.conf entry for host "::1", no encryption'),
        (DatabaseAccessError, 'FATAL:  role "notary" does not exist'),
        (DatabaseAccessError, 'FATAL:  role "notary" is not permitted to log in'),
        (DatabaseAccessError, "fe_sendauth: no password supplied"),
        (NoSuchDatabaseError, 'FATAL:  database "server" does not exist'),
        (DatabaseTLSError, "SSL error: certificate verify failed"),
        (DatabaseTLSError, "server does not support SSL, but SSL was required"),
        (DatabaseTLSError, 'server certificate for "a" does not match host name "b"'),
        (DatabaseTLSError, 'root certificate file "/none" does not exist'),
        (DatabaseTLSError, 'private key file "/key" has group or world access'),
        (DatabaseTLSError, "FATAL:  connection requires a valid client certificate"),
    ],
)
def test_what_libpq_says(kind: type[StorageError], said: str) -> None:
    error = DBAPIError(None, None, psycopg.OperationalError(said))
    assert type(in_our_words(error, URLS["postgres"])) is kind


def test_sqlite(sqlite_engine: Engine) -> None:
    def write_nevertheless(connection: Connection) -> None:
        connection.exec_driver_sql("PRAGMA query_only = ON")
        add(connection)

    with pytest.raises(DatabaseReadOnlyError, match="attempt to write a readonly database"):
        run_query(sqlite_engine, write_nevertheless)
