"""What is set on each connection."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest
from sqlalchemy import Connection, Engine, insert, text

from notary.storage import drivers, transactions
from notary.storage.bootstrap import SERVER, bootstrap
from notary.storage.dsn import engine_url
from notary.storage.engines import create_engine_for
from notary.storage.interfaces import StoreUnavailableError
from notary.storage.schema import change_category
from notary.storage.transactions import run_query, run_statement, run_transaction
from tests.support.daemons import ROOT_CA
from tests.support.mariadb import Database, MariaDB
from tests.support.postgres import Postgres


def ask(dsn: str, question: str) -> tuple[Any, ...]:
    engine = create_engine_for(engine_url("mysql", dsn))
    try:
        return tuple(run_query(engine, lambda c: c.execute(text(question)).one()))
    finally:
        engine.dispose()


def cipher(dsn: str) -> str:
    name, value = ask(dsn, "SHOW STATUS LIKE 'Ssl_cipher'")
    assert name == "Ssl_cipher"
    return str(value)


def test_mariadb(database: Database) -> None:
    variables = "tx_isolation, innodb_lock_wait_timeout, sql_mode, character_set_client"
    question = f"SELECT @@{variables.replace(', ', ', @@')}"
    expected = ("READ-COMMITTED", 5, "STRICT_TRANS_TABLES", "utf8mb4")
    assert ask(database.dsn, question) == expected
    assert ask(database.socket_dsn, question) == expected


def test_time_zone(database: Database) -> None:
    dsn = f"{database.dsn}&time_zone=%27%2B03:00%27"
    assert ask(dsn, "SELECT @@time_zone, @@innodb_lock_wait_timeout") == ("+03:00", 5)


def test_read_timeout(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transactions, "_PATIENCE", 0)
    with pytest.raises(StoreUnavailableError, match="timed out"):
        ask(f"{database.dsn}&readTimeout=1s", "SELECT SLEEP(20)")


def test_only_connections_that_were_idle_are_pinged(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    pings: list[object] = []
    monkeypatch.setattr(pymysql.connections.Connection, "ping", lambda *_: pings.append(_))
    engine = create_engine_for(database.url)
    for _ in range(3):
        run_query(engine, lambda c: c.execute(text("SELECT 1")).one())
    assert not pings
    monkeypatch.setattr(drivers, "FRESH_SECONDS", 0)
    run_query(engine, lambda c: c.execute(text("SELECT 1")).one())
    assert len(pings) == 1
    engine.dispose()


class TestTransactions:
    """On databases whose drivers commit each statement by itself."""

    @pytest.fixture(params=["mariadb", "postgres"])
    def engine(self, request: pytest.FixtureRequest) -> Iterator[Engine]:
        server: MariaDB | Postgres = request.getfixturevalue(request.param)
        engine = create_engine_for(server.create_database().url)
        bootstrap(engine, SERVER)
        yield engine
        engine.dispose()

    @staticmethod
    def add(connection: Connection) -> None:
        connection.execute(insert(change_category).values(category="new"))

    @staticmethod
    def categories(engine: Engine) -> list[str]:
        found = run_query(engine, lambda c: c.execute(change_category.select()).all())
        return [row.category for row in found]

    def test_what_fails_leaves_nothing(self, engine: Engine) -> None:
        def fail(connection: Connection) -> None:
            self.add(connection)
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            run_transaction(engine, fail)
        assert "new" not in self.categories(engine)

    def test_connections_of_others_see_nothing_before_the_end(self, engine: Engine) -> None:
        with engine.connect() as connection:
            self.add(connection)
            assert "new" not in self.categories(engine)
            connection.commit()
            assert "new" in self.categories(engine)

    def test_what_is_not_committed_is_rolled_back(self, engine: Engine) -> None:
        with engine.connect() as connection:
            self.add(connection)
        assert "new" not in self.categories(engine)

    def test_a_statement_needs_none(self, engine: Engine) -> None:
        run_statement(engine, self.add)
        assert "new" in self.categories(engine)

    def test_queries_do_not_keep_any_open(self, engine: Engine) -> None:
        """Or else no table could be altered for as long as a connection is idle."""
        self.categories(engine)
        with engine.connect() as connection:
            connection.execute(text("ALTER TABLE change_category ADD more INTEGER"))
            connection.commit()


class TestTLS:
    def test_off(self, database: Database) -> None:
        assert cipher(database.dsn) == ""
        assert cipher(f"{database.dsn}&tls=false") == ""

    @pytest.mark.parametrize("mode", ["preferred", "skip-verify"])
    def test_unverified(self, database: Database, mode: str) -> None:
        assert cipher(f"{database.dsn}&tls={mode}")

    def test_verified(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(ROOT_CA))
        assert cipher(f"{database.dsn}&tls=true")

    def test_verification_fails(
        self, database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none"))
        with pytest.raises(StoreUnavailableError, match="certificate verify failed"):
            cipher(f"{database.dsn}&tls=true")


def test_postgres_in_an_encoding_that_is_none(postgres: Postgres) -> None:
    engine = create_engine_for(postgres.create_database(encoding="SQL_ASCII").url)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT CAST('café' AS varchar)").scalar_one() == "café"
    engine.dispose()


def test_sqlite(sqlite_engine: Engine) -> None:
    with sqlite_engine.connect() as connection:
        values = {
            pragma: connection.exec_driver_sql(f"PRAGMA {pragma}").scalar_one()
            for pragma in ("journal_mode", "foreign_keys", "busy_timeout", "synchronous")
        }
    assert values == {
        "journal_mode": "wal",
        "foreign_keys": 1,
        "busy_timeout": 5000,
        "synchronous": 2,
    }
