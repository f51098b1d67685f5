"""Waiting for a database that cannot be reached when the daemon starts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred
from twisted.application.service import MultiService
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.logger import LogLevel, capturedLogs

from notary.storage.bootstrap import SERVER, bootstrap
from notary.storage.certificates import NO_CERTIFICATES
from notary.storage.engines import create_engine_for
from notary.storage.interfaces import (
    DatabaseAccessError,
    DatabaseUnreachableError,
    NoSuchDatabaseError,
    StorageError,
)
from notary.storage.opening import (
    _PAUSE,
    DatabaseSettings,
    DatabaseThreads,
    LateOpening,
    open_database,
)
from notary.storage.schema import SchemaError
from tests.support.clocks import ClockWithThreads
from tests.support.daemons import free_port
from tests.support.mariadb import Database


@attrs.define
class Attempts:
    """Stands in for a database; each attempt raises the next of its errors."""

    errors: list[StorageError]
    made: int = 0

    def __call__(self) -> None:
        self.made += 1
        if self.errors:
            raise self.errors.pop(0)


@attrs.define
class Waiting:
    """A service that waits for a database, and what became of it."""

    clock: ClockWithThreads
    threads: DatabaseThreads
    attempts: Attempts
    services: MultiService
    given_up: list[StorageError]
    pauses: list[int]

    async def advance(self) -> None:
        """Have the next attempt made."""
        made = self.attempts.made
        self.clock.advance(1)
        while self.attempts.made == made:
            await deferLater(reactor, 0.001)
        await self.threads.run_first(lambda: None)


def away(reason: str = "cannot be reached") -> DatabaseUnreachableError:
    return DatabaseUnreachableError(f"the database {reason}")


@pytest.fixture
def waiting() -> Iterator[Waiting]:
    clock = ClockWithThreads()
    services = MultiService()
    threads = DatabaseThreads(clock, "database", 1)
    threads.closed_by = away()
    threads.setServiceParent(services)
    waiting = Waiting(clock, threads, Attempts([]), services, [], [])

    def pause(attempt: int) -> float:
        waiting.pauses.append(attempt)
        return 1.0

    opening = LateOpening(clock, threads, waiting.attempts, waiting.given_up.append, pause)
    opening.setServiceParent(services)
    yield waiting
    if services.running:
        pytest_twisted.blockon(services.stopService())


def said(logs: Any) -> list[tuple[Any, str]]:
    return [(e["log_level"], e.get("reason", e["log_format"])) for e in logs]


@ensureDeferred
async def test_refuses_work_until_the_database_can_be_used(waiting: Waiting) -> None:
    waiting.attempts.errors = [away()]
    waiting.services.startService()
    for _ in range(2):
        with pytest.raises(DatabaseUnreachableError, match="cannot be reached"):
            await waiting.threads.run(pytest.fail, "ran")
        await waiting.advance()
    assert await waiting.threads.run(len, "work") == 4
    assert waiting.clock.getDelayedCalls() == []
    assert waiting.pauses == [0, 1]
    assert not waiting.given_up


@ensureDeferred
async def test_the_reason_is_told_when_it_changes(waiting: Waiting) -> None:
    waiting.attempts.errors = [away(), away("starts"), away("starts"), away()]
    with capturedLogs() as logs:
        waiting.services.startService()
        for _ in range(5):
            await waiting.advance()
    assert said(logs) == [
        (LogLevel.error, "the database cannot be reached"),
        (LogLevel.error, "the database starts"),
        (LogLevel.error, "the database cannot be reached"),
        (LogLevel.info, "the database can be used now"),
    ]


@ensureDeferred
async def test_a_database_of_no_use_ends_the_daemon(waiting: Waiting) -> None:
    fatal = SchemaError("the tables are missing")
    waiting.attempts.errors = [away(), fatal]
    waiting.services.startService()
    for _ in range(2):
        await waiting.advance()
    assert waiting.given_up == [fatal]
    assert waiting.clock.getDelayedCalls() == []
    with pytest.raises(DatabaseUnreachableError):
        await waiting.threads.run(pytest.fail, "ran")


@ensureDeferred
async def test_waits_no_more_once_stopped(waiting: Waiting) -> None:
    waiting.services.startService()
    stopped: Deferred[None] = waiting.services.stopService()
    await stopped
    assert waiting.clock.getDelayedCalls() == []


@ensureDeferred
async def test_nothing_is_given_up_once_stopped(waiting: Waiting) -> None:
    waiting.attempts.errors = [SchemaError("the tables are missing")]
    waiting.services.startService()
    waiting.clock.advance(1)
    await waiting.services.stopService()
    assert waiting.attempts.made == 1
    assert not waiting.given_up


def test_pauses_grow_up_to_eleven_seconds() -> None:
    assert 0.5 <= _PAUSE(0) <= 1.5
    assert 10 <= _PAUSE(1000) <= 11
    assert len({_PAUSE(3) for _ in range(5)}) > 1


class TestOpenDatabase:
    @pytest.fixture
    def services(self) -> MultiService:
        return MultiService()

    def open(self, services: MultiService, db_url: str, backend: str = "mysql") -> DatabaseThreads:
        settings = DatabaseSettings(backend, db_url, NO_CERTIFICATES)
        engine, threads = open_database(
            settings, SERVER, reactor, services, lambda error: pytest.fail(str(error))
        )
        engine.dispose()
        assert isinstance(threads, DatabaseThreads)
        return threads

    def test_there(self, services: MultiService, database: Database) -> None:
        engine = create_engine_for(database.url)
        bootstrap(engine, SERVER)
        engine.dispose()
        assert self.open(services, database.dsn).closed_by is None
        assert len(services.services) == 1

    def test_away(self, services: MultiService) -> None:
        threads = self.open(services, f"notary:hidden@tcp(127.0.0.1:{free_port()})/server")
        assert isinstance(threads.closed_by, DatabaseUnreachableError)
        assert [type(service) for service in services.services] == [DatabaseThreads, LateOpening]

    def test_of_no_use(self, services: MultiService, database: Database) -> None:
        with pytest.raises(SchemaError, match="are missing: run notary-server -bootstrap"):
            self.open(services, database.dsn)
        with pytest.raises(DatabaseAccessError):
            self.open(services, database.dsn.replace("notary", "nobody", 1))
        with pytest.raises((NoSuchDatabaseError, DatabaseAccessError)):
            self.open(services, database.dsn.replace(f"/{database.name}", "/none"))

    def test_sqlite_is_made(self, services: MultiService, tmp_path: Path) -> None:
        threads = self.open(services, str(tmp_path / "server.db"), "sqlite3")
        assert threads.closed_by is None
        assert (tmp_path / "server.db").exists()


def test_settings_do_not_show_the_password() -> None:
    assert "hidden" not in repr(DatabaseSettings("mysql", "notary:hidden@/x", NO_CERTIFICATES))
