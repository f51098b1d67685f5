"""From what an operator writes to a database that can be used."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ParamSpec, TypeVar, cast

import attrs
from sqlalchemy import Engine, QueuePool
from twisted.application.internet import backoffPolicy
from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from notary.storage.bootstrap import Migrations, bootstrap, check_schema
from notary.storage.certificates import Certificates
from notary.storage.dsn import SQLITE, engine_url, with_password
from notary.storage.engines import create_engine_for
from notary.storage.interfaces import DatabaseUnreachableError, StorageError
from notary.storage.threads import QueueLimits, WorkerThreads

CONNECTIONS = 4
"""Connections of a daemon to its database: with more of them, writes only get slower."""

QUEUE_LIMITS = QueueLimits(jobs=1000, seconds=10.0)
"""What may wait for one of them."""

_PAUSE = backoffPolicy(initialDelay=0.5, maxDelay=10.0)

_P = ParamSpec("_P")
_T = TypeVar("_T")


@attrs.frozen
class DatabaseSettings:
    """What ``storage`` says about a database.

    Attributes:
        backend: which kind; the tables of ``sqlite3`` are made if need be.
        db_url: where.
        certificates: for TLS.
        password: of the user in the URL, None if that has one itself or needs none.
    """

    backend: str
    db_url: str = attrs.field(repr=False)
    certificates: Certificates
    password: str | None = attrs.field(default=None, repr=False)

    def create_engine(self, *, upgrading: bool = False) -> Engine:
        """Return an engine that has not connected yet.

        Args:
            upgrading: whether statements may take hours.

        Raises:
            StorageError: the settings have a mistake.
        """
        url = engine_url(self.backend, self.db_url, self.certificates)
        if self.password is not None:
            url = with_password(url, self.password)
        return create_engine_for(url, CONNECTIONS, upgrading=upgrading)


def open_database(
    settings: DatabaseSettings,
    migrations: Migrations,
    reactor: Any,
    services: MultiService,
    give_up: Callable[[StorageError], None],
) -> tuple[Engine, WorkerThreads]:
    """Return a database whose tables are up to date, and the threads to use it in. Blocks.

    If the database cannot be reached, the threads refuse all work until it can be; `LateOpening`
    waits for that.

    Args:
        settings: which database.
        migrations: what makes the tables.
        reactor: where the results of the threads are delivered; the connections end with it.
        services: get the threads, and what waits for the database.
        give_up: ends the daemon, if the database turns out to be of no use once it can be reached.

    Raises:
        StorageError: it cannot be used, and waiting would not help; the message says why and what
            to do.
    """
    engine = settings.create_engine()
    if settings.backend == SQLITE:
        bootstrap(engine, migrations)
    threads = DatabaseThreads(reactor, "database", CONNECTIONS, QUEUE_LIMITS)
    threads.setServiceParent(services)
    reactor.addSystemEventTrigger("after", "shutdown", engine.dispose)
    try:
        check_schema(engine, migrations)
    except DatabaseUnreachableError as error:
        threads.closed_by = error
        opening = LateOpening(reactor, threads, partial(check_schema, engine, migrations), give_up)
        opening.setServiceParent(services)
    return engine, threads


def bootstrap_database(settings: DatabaseSettings, migrations: Migrations) -> None:
    """Make the tables of a database, or bring them up to date. Blocks.

    Raises:
        StorageError: that is not possible, since there is no database or for another reason.
    """
    engine = settings.create_engine(upgrading=True)
    try:
        bootstrap(engine, migrations)
    finally:
        engine.dispose()


def connections_in_use(engine: Engine) -> int:
    """Return how many connections to a database are in use at the moment."""
    return cast(QueuePool, engine.pool).checkedout()


class DatabaseThreads(WorkerThreads):
    """Threads that refuse work as long as it is not known whether the database is fit for it.

    Attributes:
        closed_by: what keeps the database from being used, None for nothing.
    """

    closed_by: StorageError | None = None

    def run(self, function: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> Deferred[_T]:
        """See `WorkerThreads.run`; also fails with what keeps the database from being used."""
        if self.closed_by is not None:
            return fail(self.closed_by)
        return super().run(function, *args, **kwargs)

    def run_first(self, function: Callable[[], _T]) -> Deferred[_T]:
        """Call a function in a thread although the database is not known to be fit."""
        return super().run(function)


class LateOpening(Service):
    """Tries to open a database until it can be reached.

    A database that then turns out to be of no use ends the daemon, since waiting would not help.

    Args:
        clock: tells when it is time for another try.
        threads: where the database is tried; they are opened with it.
        attempt: blocks, and raises what is wrong with the database.
        give_up: ends the daemon.
        pause: returns the seconds before the next attempt, after so many that failed.
    """

    _log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        threads: DatabaseThreads,
        attempt: Callable[[], None],
        give_up: Callable[[StorageError], None],
        pause: Callable[[int], float] = _PAUSE,
    ) -> None:
        self._clock = clock
        self._threads = threads
        self._attempt = attempt
        self._give_up = give_up
        self._pause = pause
        self._failures = 0
        self._next: IDelayedCall | None = None

    def startService(self) -> None:
        """Say what is waited for, and begin to."""
        super().startService()
        self._log.error("{reason}; waiting for it", reason=str(self._threads.closed_by))
        self._wait()

    def stopService(self) -> None:
        """Cease to wait."""
        super().stopService()
        if self._next is not None:
            self._next.cancel()
            self._next = None

    def _wait(self) -> None:
        self._next = self._clock.callLater(self._pause(self._failures), self._try)

    def _try(self) -> None:
        self._next = None
        self._threads.run_first(self._attempt).addCallbacks(
            lambda _: self._open(), lambda failure: self._judge(failure.value)
        )

    def _open(self) -> None:
        self._threads.closed_by = None
        self._log.info("the database can be used now")

    def _judge(self, error: StorageError) -> None:
        if not self.running:
            return
        if not isinstance(error, DatabaseUnreachableError):
            self._give_up(error)
            return
        if str(error) != str(self._threads.closed_by):
            self._log.error("{reason}; waiting for it", reason=str(error))
        self._threads.closed_by = error
        self._failures += 1
        self._wait()
