"""From what an operator writes to a database that can be used."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine
from twisted.application.service import MultiService

from notary.storage.bootstrap import Migrations, bootstrap, check_schema
from notary.storage.dsn import SQLITE, engine_url
from notary.storage.engines import create_engine_for
from notary.storage.threads import WorkerThreads

CONNECTIONS = 4
"""Connections of a daemon to its database: with more of them, writes only get slower."""


def open_database(
    backend: str, db_url: str, migrations: Migrations, reactor: Any, services: MultiService
) -> tuple[Engine, WorkerThreads]:
    """Return a database whose tables are up to date, and the threads to use it in. Blocks.

    Args:
        backend: ``storage.backend``; the tables of ``sqlite3`` are made if need be.
        db_url: ``storage.db_url``.
        migrations: what makes the tables.
        reactor: where the results of the threads are delivered; the connections end with it.
        services: get the threads.

    Raises:
        StorageError: it cannot be used; the message says why and what to do.
    """
    engine = create_engine_for(engine_url(backend, db_url), CONNECTIONS)
    if backend == SQLITE:
        bootstrap(engine, migrations)
    check_schema(engine, migrations)
    reactor.addSystemEventTrigger("after", "shutdown", engine.dispose)
    threads = WorkerThreads(reactor, "database", CONNECTIONS)
    threads.setServiceParent(services)
    return engine, threads


def bootstrap_database(backend: str, db_url: str, migrations: Migrations) -> None:
    """Make the tables of a database, or bring them up to date. Blocks.

    Raises:
        StorageError: that is not possible, since there is no database or for another reason.
    """
    bootstrap(create_engine_for(engine_url(backend, db_url)), migrations)
