"""What is set on each connection."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from notary.storage import transactions
from notary.storage.dsn import engine_url
from notary.storage.engines import create_engine_for
from notary.storage.interfaces import StoreUnavailableError
from notary.storage.transactions import run_query
from tests.support.daemons import ROOT_CA
from tests.support.mariadb import Database


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
