"""Connections that are lost, databases that keep silent, and transactions in each other's way."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from threading import Barrier, Event
from typing import Any

import attrs
import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred
from sqlalchemy import Connection, Engine, insert, select, text, update
from sqlalchemy.engine import URL
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList, gatherResults
from twisted.internet.task import Clock

from notary.storage import drivers, engines
from notary.storage.bootstrap import SERVER, bootstrap
from notary.storage.engines import create_engine_for
from notary.storage.interfaces import (
    DatabaseUnreachableError,
    NewFile,
    StoredFile,
    StoreUnavailableError,
)
from notary.storage.schema import changefeed, tuf_files
from notary.storage.sql import SQLMetadataStore
from notary.storage.threads import QueueLimits, WorkerThreads
from notary.storage.transactions import run_query, run_transaction
from tests.support.mariadb import MariaDB
from tests.support.postgres import Postgres

GUN = "host/app"
CONNECTIONS = 3


@attrs.frozen
class Kind:
    """What differs between the databases.

    Attributes:
        me: a query for the number of a connection.
        end: a statement that ends the connection of a number.
        others: a query for how many connections a user has.
    """

    me: str
    end: str
    others: str


KINDS = {
    "mysql": Kind(
        "SELECT CONNECTION_ID()",
        "KILL {}",
        "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = '{}'",
    ),
    "postgresql": Kind(
        "SELECT pg_backend_pid()",
        "SELECT pg_terminate_backend({})",
        "SELECT COUNT(*) FROM pg_stat_activity WHERE usename = '{}'",
    ),
}


@attrs.frozen
class Outage:
    """A database, and what can be done to it."""

    server: MariaDB | Postgres
    engine: Engine

    @property
    def kind(self) -> Kind:
        return KINDS[self.engine.dialect.name]

    def number(self, connection: Connection) -> int:
        found: int = connection.execute(text(self.kind.me)).scalar_one()
        return found

    def end(self, number: int) -> None:
        self.server.execute(self.kind.end.format(number))

    def connections(self) -> int:
        question = self.kind.others.format(self.engine.url.username)
        [(number,)] = self.server.execute(question)
        return int(number)


def outage(server: MariaDB | Postgres, url: URL) -> Iterator[Outage]:
    engine = create_engine_for(url, CONNECTIONS)
    bootstrap(engine, SERVER)
    yield Outage(server, engine)
    engine.dispose()


@pytest.fixture(params=["mariadb", "postgres"])
def shared(request: pytest.FixtureRequest) -> Iterator[Outage]:
    """A database of its own in a server that other tests use too."""
    server = request.getfixturevalue(request.param)
    yield from outage(server, server.create_database().url)


@pytest.fixture(params=["own_mariadb", "own_postgres"])
def own(request: pytest.FixtureRequest, quick: None) -> Iterator[Outage]:
    """A database in a server that nobody else uses."""
    server = request.getfixturevalue(request.param)
    server.start()
    yield from outage(server, server.create_database().url)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Less patience with what does not answer."""
    timeouts = {"connect_timeout": 2, "read_timeout": 5, "write_timeout": 5}
    monkeypatch.setattr(engines, "_TIMEOUTS", timeouts)
    monkeypatch.setattr(drivers, "PING_SECONDS", 1)


@pytest.fixture
def bounded() -> Iterator[WorkerThreads]:
    """As many threads as there are connections, and a short queue."""
    threads = WorkerThreads(reactor, "test", CONNECTIONS, QueueLimits(jobs=20, seconds=1.5))
    threads.startService()
    yield threads
    pytest_twisted.blockon(threads.stopService())


def add_two(connection: Connection) -> None:
    connection.execute(insert(changefeed), [{"gun": g, "version": 1} for g in ("a", "b")])


def count_up(gun: str) -> Callable[[Connection], object]:
    return lambda c: c.execute(
        update(changefeed).where(changefeed.c.gun == gun).values(version=changefeed.c.version + 1)
    )


def versions(engine: Engine) -> list[int]:
    rows = run_query(engine, lambda c: c.execute(select(changefeed.c.version)).all())
    return sorted(row.version for row in rows)


class TestLostConnections:
    def test_within_a_transaction(self, shared: Outage) -> None:
        lost: list[int] = []

        def transaction(connection: Connection) -> None:
            connection.execute(insert(changefeed).values(gun=GUN, version=7))
            if not lost:
                lost.append(shared.number(connection))
                shared.end(lost[0])
            connection.execute(select(changefeed)).all()

        run_transaction(shared.engine, transaction)
        assert lost
        assert versions(shared.engine) == [7]

    def test_within_a_query(self, shared: Outage) -> None:
        lost: list[int] = []

        def query(connection: Connection) -> int:
            if not lost:
                lost.append(shared.number(connection))
                shared.end(lost[0])
            return shared.number(connection)

        assert run_query(shared.engine, query) not in lost

    def test_while_they_were_idle(self, shared: Outage) -> None:
        idle = run_query(shared.engine, shared.number)
        shared.end(idle)
        assert run_query(shared.engine, shared.number) != idle


class TestEachOthersWay:
    @ensureDeferred
    async def test_deadlock(self, shared: Outage, threads: WorkerThreads) -> None:
        run_transaction(shared.engine, add_two)
        both_hold_one = Barrier(2, timeout=10)
        runs: list[str] = []

        def lock_both(first: str, second: str) -> None:
            def transaction(connection: Connection) -> None:
                runs.append(first)
                count_up(first)(connection)
                if runs.count(first) == 1:
                    both_hold_one.wait()
                count_up(second)(connection)

            run_transaction(shared.engine, transaction)

        await gatherResults([threads.run(lock_both, "a", "b"), threads.run(lock_both, "b", "a")])
        assert len(runs) == 3
        assert versions(shared.engine) == [3, 3]

    @pytest.fixture
    def short_locks(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(engines, "_LOCK_TIMEOUT", 1)

    @pytest.mark.usefixtures("short_locks")
    @ensureDeferred
    async def test_waiting_for_a_lock_for_too_long(
        self, shared: Outage, threads: WorkerThreads
    ) -> None:
        run_transaction(shared.engine, add_two)
        is_held = Event()
        tries: list[int] = []

        def hold(connection: Connection) -> None:
            count_up("a")(connection)
            is_held.set()
            while len(tries) < 2:
                time.sleep(0.01)

        def wait(connection: Connection) -> None:
            tries.append(1)
            count_up("a")(connection)

        holding = threads.run(run_transaction, shared.engine, hold)
        await threads.run(is_held.wait, 10)
        await threads.run(run_transaction, shared.engine, wait)
        await holding
        assert len(tries) == 2
        assert versions(shared.engine) == [1, 3]

    @ensureDeferred
    async def test_many_writers_at_once(self, shared: Outage, threads: WorkerThreads) -> None:
        """Deletions and publishes of collections in turn, on as many connections as there are."""
        store = SQLMetadataStore(shared.engine, threads, reactor)
        guns = [f"host/{number}" for number in range(4)]

        async def publish_and_delete(gun: str) -> None:
            for _ in range(5):
                base: StoredFile | None = None
                for version in (1, 2, 3):
                    files = [
                        NewFile(role, version, f"{gun} {role} {version}".encode())
                        for role in ("targets", "snapshot", "timestamp")
                    ]
                    *_, base = await store.publish(gun, files, base)
                await store.delete(gun)

        await gatherResults([Deferred.fromCoroutine(publish_and_delete(gun)) for gun in guns])
        assert len(await store.changes(None, None, 1000)) == len(guns) * 5 * 4
        rows = run_query(shared.engine, lambda c: c.execute(select(tuf_files)).all())
        assert rows == []


class TestSilence:
    @ensureDeferred
    async def test_it_is_cut_off_and_everything_recovers(
        self, own: Outage, bounded: WorkerThreads, clock: Clock
    ) -> None:
        store = SQLMetadataStore(own.engine, bounded, clock)
        await store.publish(GUN, [NewFile("timestamp", 1, b"1")], None)
        for _ in range(2):
            own.server.send(signal.SIGSTOP)
            begun = time.monotonic()
            asked = [store.newest(GUN, "timestamp") for _ in range(10)]
            results: Any = await DeferredList(asked, consumeErrors=True)
            seconds = time.monotonic() - begun
            assert all(not succeeded for succeeded, _ in results)
            assert all(result.check(StoreUnavailableError) for _, result in results)
            assert any(result.check(DatabaseUnreachableError) for _, result in results)
            assert seconds < 9  # an answer that was waited for, and the making of a connection
            own.server.send(signal.SIGCONT)
            begun = time.monotonic()
            assert (await store.newest(GUN, "timestamp")).data == b"1"
            assert time.monotonic() - begun < 5
        asked = [store.newest(GUN, "timestamp") for _ in range(10)]
        assert len(await gatherResults(asked)) == 10
        assert own.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
        assert own.connections() <= CONNECTIONS

    @ensureDeferred
    async def test_in_the_middle_of_a_query(self, own: Outage, bounded: WorkerThreads) -> None:
        begun = Event()

        def query(connection: Connection) -> None:
            connection.execute(text("SELECT 1"))
            begun.set()
            for _ in range(100):
                connection.execute(text("SELECT 1"))
                time.sleep(0.01)

        asked = bounded.run(run_query, own.engine, query)
        await bounded.run(begun.wait, 10)
        own.server.send(signal.SIGSTOP)
        with pytest.raises(DatabaseUnreachableError):
            await asked
        own.server.send(signal.SIGCONT)
        await bounded.run(run_query, own.engine, query)

    def test_at_the_first_connection(self, own: Outage) -> None:
        own.engine.dispose()
        own.server.send(signal.SIGSTOP)
        begun = time.monotonic()
        with pytest.raises(DatabaseUnreachableError):
            run_query(own.engine, own.number)
        assert time.monotonic() - begun < 4
        own.server.send(signal.SIGCONT)
        run_query(own.engine, own.number)


def test_crashes_are_survived(own: Outage) -> None:
    run_transaction(own.engine, add_two)
    for _ in range(2):
        own.server.kill()
        with pytest.raises(DatabaseUnreachableError):
            run_query(own.engine, own.number)
        own.server.start()
        assert versions(own.engine) == [1, 1]
