"""Transactions that have to be run again, and what is said when that is of no use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from threading import Barrier
from typing import Any, cast

import pytest
from pytest_twisted import ensureDeferred
from sqlalchemy import Connection, Engine, event, insert, text, update
from twisted.internet import reactor
from twisted.internet.defer import gatherResults
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.task import Clock

from notary.storage import engines, transactions
from notary.storage.bootstrap import SERVER, bootstrap
from notary.storage.dsn import engine_url
from notary.storage.engines import create_engine_for
from notary.storage.interfaces import (
    ConflictError,
    NewFile,
    StoreUnavailableError,
    UnstorableError,
)
from notary.storage.schema import change_category, changefeed
from notary.storage.sql import SQLMetadataStore
from notary.storage.threads import WorkerThreads
from notary.storage.transactions import run_query, run_transaction
from notary.storage.writing import publish_txn
from tests.support.daemons import free_port
from tests.support.mariadb import PASSWORD, Database, MariaDB
from tests.support.stores import newest_versions

GUN = "host/app"


def timestamp(version: int) -> list[NewFile]:
    return [NewFile("timestamp", version, f"timestamp {version}".encode())]


@contextmanager
def locked(path: Path) -> Iterator[Connection]:
    """Hold the write lock of an SQLite database."""
    engine = create_engine_for(engine_url("sqlite3", str(path)))
    with engine.connect().execution_options(**{engines.WRITING: True}) as holder:
        holder.execute(text("SELECT 1"))
        yield holder
    engine.dispose()


@pytest.fixture
def impatient_engine(sqlite_engine: Engine, tmp_path: Path) -> Engine:
    """The engine of the SQLite database, waiting for locks only for a moment."""

    @event.listens_for(sqlite_engine, "checkout")
    def wait_less(connection: Any, *_: object) -> None:
        connection.execute("PRAGMA busy_timeout = 1")

    return sqlite_engine


class TestRunAgain:
    @ensureDeferred
    async def test_after_a_deadlock(self, mariadb_engine: Engine, threads: WorkerThreads) -> None:
        with mariadb_engine.begin() as connection:
            connection.execute(insert(changefeed), [{"gun": g, "version": 1} for g in ("a", "b")])
        both_hold_one = Barrier(2, timeout=10)
        runs: list[str] = []

        def lock_both(first: str, second: str) -> None:
            def transaction(connection: Connection) -> None:
                runs.append(first)
                for gun in (first, second):
                    connection.execute(
                        update(changefeed)
                        .where(changefeed.c.gun == gun)
                        .values(version=changefeed.c.version + 1)
                    )
                    if gun == first and runs.count(first) == 1:
                        both_hold_one.wait()

            run_transaction(mariadb_engine, transaction)

        await gatherResults([threads.run(lock_both, "a", "b"), threads.run(lock_both, "b", "a")])
        assert len(runs) == 3
        with mariadb_engine.connect() as connection:
            versions = connection.execute(changefeed.select()).all()
        assert [row.version for row in versions] == [3, 3]

    def test_after_a_lost_connection(self, mariadb: MariaDB, mariadb_engine: Engine) -> None:
        lost: list[int] = []

        def transaction(connection: Connection) -> list[str]:
            connection.execute(insert(changefeed).values(gun=GUN, version=1))
            if not lost:
                lost.append(connection.execute(text("SELECT CONNECTION_ID()")).scalar_one())
                mariadb.execute(f"KILL {lost[0]}")
            return [row.gun for row in connection.execute(changefeed.select())]

        assert run_transaction(mariadb_engine, transaction) == [GUN]
        assert lost

    def test_connections_that_died_idle_are_not_noticed(
        self, mariadb: MariaDB, mariadb_engine: Engine
    ) -> None:
        idle = run_query(mariadb_engine, lambda c: c.scalar(text("SELECT CONNECTION_ID()")))
        mariadb.execute(f"KILL {idle}")
        fresh = run_query(mariadb_engine, lambda c: c.scalar(text("SELECT CONNECTION_ID()")))
        assert fresh != idle

    @ensureDeferred
    async def test_a_publish_whose_commit_went_unconfirmed_succeeds(
        self, mariadb: MariaDB, mariadb_engine: Engine, threads: WorkerThreads, clock: Clock
    ) -> None:
        store = SQLMetadataStore(mariadb_engine, threads, clock)
        [base] = await store.publish(GUN, timestamp(1), None)

        @event.listens_for(mariadb_engine, "commit", once=True)
        def commit_and_lose_the_connection(connection: Connection) -> None:
            driver: Any = connection.connection.dbapi_connection
            driver.commit()
            mariadb.execute(f"KILL {driver.thread_id()}")

        await store.publish(GUN, timestamp(2), base)
        assert [change.version for change in await store.changes(GUN, None, 10)] == [1, 2]

    @ensureDeferred
    async def test_a_publish_that_lost_while_it_was_run_again_conflicts(
        self, mariadb: MariaDB, mariadb_engine: Engine, threads: WorkerThreads, clock: Clock
    ) -> None:
        store = SQLMetadataStore(mariadb_engine, threads, clock)
        [base] = await store.publish(GUN, timestamp(1), None)

        @event.listens_for(mariadb_engine, "commit", once=True)
        def lose_the_connection_and_the_race(connection: Connection) -> None:
            driver: Any = connection.connection.dbapi_connection
            driver.rollback()
            mariadb.execute(f"KILL {driver.thread_id()}")
            rivals = [NewFile("timestamp", 2, b"rival")]
            run_transaction(
                mariadb_engine, lambda c: publish_txn(c, GUN, rivals, base, datetime(2026, 1, 1))
            )

        with pytest.raises(ConflictError):
            await store.publish(GUN, timestamp(2), base)
        assert (await store.newest(GUN, "timestamp")).data == b"rival"

    def test_until_another_writer_is_done(self, impatient_engine: Engine, tmp_path: Path) -> None:
        with locked(tmp_path / "server.db") as holder:
            event.listen(impatient_engine, "handle_error", lambda _: holder.rollback())
            run_transaction(
                impatient_engine,
                lambda c: c.execute(insert(change_category).values(category="new")),
            )
        rows = run_query(impatient_engine, lambda c: c.execute(change_category.select()).all())
        assert "new" in [row.category for row in rows]

    def test_not_for_ever(
        self, impatient_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(transactions, "_PAUSES", (0.001, 0.001))
        errors: list[object] = []
        event.listen(impatient_engine, "handle_error", errors.append)
        with (
            locked(tmp_path / "server.db"),
            pytest.raises(StoreUnavailableError, match=r"server\.db.*database is locked"),
        ):
            run_transaction(impatient_engine, lambda c: None)
        assert len(errors) == 3

    def test_not_after_all_patience_is_gone(
        self, impatient_engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(transactions, "_PATIENCE", -1)
        errors: list[object] = []
        event.listen(impatient_engine, "handle_error", errors.append)
        with locked(tmp_path / "server.db"), pytest.raises(StoreUnavailableError):
            run_transaction(impatient_engine, lambda c: None)
        assert len(errors) == 1


class TestErrors:
    def test_server_down(self) -> None:
        dsn = f"notary:{PASSWORD}@tcp(127.0.0.1:{free_port()})/notary"
        with pytest.raises(StoreUnavailableError, match=r"127\.0\.0\.1.*refused") as caught:
            run_query(create_engine_for(engine_url("mysql", dsn)), lambda c: None)
        assert PASSWORD not in str(caught.value)

    def test_wrong_password(self, database: Database) -> None:
        url = database.url.set(password="wrong-secret")
        with pytest.raises(
            StoreUnavailableError, match=f"Access denied.*{database.name}"
        ) as caught:
            bootstrap(create_engine_for(url), SERVER)
        assert "wrong-secret" not in str(caught.value)

    def test_no_such_directory(self, tmp_path: Path) -> None:
        engine = create_engine_for(engine_url("sqlite3", str(tmp_path / "none" / "server.db")))
        with pytest.raises(StoreUnavailableError, match=r"none/server\.db.*unable to open"):
            bootstrap(engine, SERVER)

    @ensureDeferred
    async def test_no_tables(self, tmp_path: Path, threads: WorkerThreads, clock: Clock) -> None:
        engine = create_engine_for(engine_url("sqlite3", str(tmp_path / "empty.db")))
        with pytest.raises(StoreUnavailableError, match="no such table: tuf_files"):
            await SQLMetadataStore(engine, threads, clock).check()

    def test_no_free_connection(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(engines, "_POOL_TIMEOUT", 0.01)
        engine = create_engine_for(database.url, connections=1)
        with engine.connect(), pytest.raises(StoreUnavailableError, match="QueuePool limit"):
            run_query(engine, lambda c: None)
        engine.dispose()

    @ensureDeferred
    async def test_threads_that_ended(self, sqlite_engine: Engine, clock: Clock) -> None:
        threads = WorkerThreads(cast(IReactorFromThreads, reactor), "store", 1)
        store = SQLMetadataStore(sqlite_engine, threads, clock)
        with pytest.raises(StoreUnavailableError, match="store threads are not running"):
            await store.check()


class TestBigFiles:
    @pytest.fixture
    def store(
        self, mariadb_engine: Engine, threads: WorkerThreads, clock: Clock
    ) -> SQLMetadataStore:
        return SQLMetadataStore(mariadb_engine, threads, clock)

    @pytest.fixture
    def packet_of_96_mib(self, mariadb: MariaDB) -> Iterator[None]:
        [(before,)] = mariadb.execute("SELECT @@GLOBAL.max_allowed_packet")
        mariadb.execute("SET GLOBAL max_allowed_packet = 100663296")
        yield
        mariadb.execute(f"SET GLOBAL max_allowed_packet = {before}")

    @pytest.mark.usefixtures("packet_of_96_mib")
    @ensureDeferred
    async def test_40_mb(self, store: SQLMetadataStore) -> None:
        data = b'{"name": "value"}, ' * 2_100_000
        files = [NewFile("targets", 1, data), NewFile("targets/a", 1, data[1:]), *timestamp(1)]
        await store.publish(GUN, files, None)
        assert (await store.newest(GUN, "targets")).data == data

    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(b"x" * 17_000_000, id="as-it-is"),
            pytest.param(b"x" * 8_386_000, id="as-it-is-sent"),
        ],
    )
    @ensureDeferred
    async def test_beyond_what_the_server_takes(self, store: SQLMetadataStore, data: bytes) -> None:
        files = [*timestamp(1), NewFile("targets", 1, data)]
        with pytest.raises(UnstorableError, match=r"'targets'.*max_allowed_packet.* is 16777216"):
            await store.publish(GUN, files, None)
        assert await newest_versions(store, GUN, ["targets", "timestamp"]) == {}
