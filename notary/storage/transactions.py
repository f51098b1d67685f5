"""Running transactions: again if the database asks for it, and with errors in our own words."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, func, select, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from notary.storage import faults
from notary.storage.engines import STATEMENTS, WRITING
from notary.storage.faults import code_of, state_of
from notary.storage.interfaces import StoreUnavailableError

_T = TypeVar("_T")

_PAUSES = (0.02, 0.05, 0.1, 0.2, 0.4)
"""Seconds before each further run, give or take half."""

_PATIENCE = 10.0
"""Seconds after which a failed transaction is not run again."""

TURN_SECONDS = 20
"""How long to wait for others that have to be done first."""

_TRY_AGAIN_CODES = {
    1020,  # the row changed since it was read (MariaDB's snapshot isolation)
    1040,  # too many connections
    1047,  # a Galera node that is not ready
    1053,  # the server is shutting down
    1205,  # waited for a lock too long
    1213,  # deadlock
    1927,  # the connection was killed
    2006,  # the server has gone away
    2013,  # lost connection during query
}
_LOCK_NOT_AVAILABLE = "55P03"
_TRY_AGAIN_STATES = (
    "08",  # connection exceptions
    "40001",  # could not serialize
    "40P01",  # deadlock
    "53300",  # too many connections
    _LOCK_NOT_AVAILABLE,  # waited for a lock too long
    "57P",  # the server is shutting down or starting
)
"""What PostgreSQL's SQLSTATEs begin with."""


def run_transaction(engine: Engine, transaction: Callable[[Connection], _T]) -> _T:
    """Run a function in a transaction that may write, and commit it. Blocks.

    After a deadlock or a lost connection it is run again, so it must have no other effects. That
    may happen even after a commit whose confirmation got lost.

    Raises:
        StoreUnavailableError: the database refuses or cannot be reached; its subclasses in
            `notary.storage.interfaces` tell why.
        UnstorableError: the database cannot hold what it was given.
    """

    return with_retries(engine, partial(_run_and_commit, engine, {WRITING: True}, transaction))


def run_statement(engine: Engine, statement: Callable[[Connection], _T]) -> _T:
    """Run a function that executes one statement, which may write, else like `run_transaction`."""
    options = {WRITING: True, STATEMENTS: True}
    return with_retries(engine, partial(_run_and_commit, engine, options, statement))


def _run_and_commit(
    engine: Engine, options: dict[str, Any], transaction: Callable[[Connection], _T]
) -> _T:
    connection = engine.connect().execution_options(**options)
    with connection, connection.begin():
        return transaction(connection)


def run_query(engine: Engine, query: Callable[[Connection], _T]) -> _T:
    """Run a function that only reads, else like `run_transaction`."""

    def run() -> _T:
        with engine.connect().execution_options(**{STATEMENTS: True}) as connection:
            return query(connection)

    return with_retries(engine, run)


@contextmanager
def alone(engine: Engine, name: str) -> Iterator[None]:
    """Keep other processes that want the same out until the block ends; waits for them. Blocks.

    Args:
        engine: a database; needs a connection of its own. SQLite is left alone: there every
            transaction that writes keeps the others out.
        name: what is done.

    Raises:
        StoreUnavailableError: they take too long, or the database cannot be reached.
    """
    if engine.dialect.name == "sqlite":
        yield
        return
    connection = with_retries(engine, engine.connect)
    try:
        with in_our_words(engine):
            is_alone = _wait_for_turn(connection, name)
        if not is_alone:
            raise StoreUnavailableError(
                f"another {name} is at work in this database: try again when it is done"
            )
        yield
    finally:
        connection.invalidate()  # and the lock ends with it
        connection.close()


def _wait_for_turn(connection: Connection, name: str) -> bool:
    if connection.dialect.name == "mysql":
        # The names of locks are shared by all databases, and have 64 characters at the most.
        lock = func.concat(name, " ", func.md5(func.database()))
        return connection.execute(select(func.get_lock(lock, TURN_SECONDS))).scalar() == 1
    # The lock is one of a transaction, which a pooler between us and the database understands.
    connection.execute(text(f"SET LOCAL lock_timeout = '{TURN_SECONDS}s'"))
    connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
    try:
        connection.execute(select(func.pg_advisory_xact_lock(func.hashtext(name))))
    except DBAPIError as error:
        if state_of(error) == _LOCK_NOT_AVAILABLE:
            return False
        raise
    return True


def with_retries(engine: Engine, run: Callable[[], _T]) -> _T:
    """Call a function that uses an engine, again if the database asks for it. Blocks.

    Raises:
        StorageError: as `run_transaction`.
    """
    give_up_at = time.monotonic() + _PATIENCE
    reconnected = False
    with in_our_words(engine):
        for pause in _PAUSES:
            try:
                return run()
            except DBAPIError as error:
                if faults.is_read_only(error) and not reconnected:
                    # Since then it may have become writable, or its name stand for another one,
                    # which only new connections find out.
                    engine.dispose()
                    reconnected = True
                elif not _is_worth_another_try(error) or time.monotonic() > give_up_at:
                    raise
            time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311
        return run()


def _is_worth_another_try(error: DBAPIError) -> bool:
    return (
        error.connection_invalidated
        or code_of(error) in _TRY_AGAIN_CODES
        or state_of(error).startswith(_TRY_AGAIN_STATES)
        or "database is locked" in str(error.orig)
    )


@contextmanager
def in_our_words(engine: Engine) -> Iterator[None]:
    """Turn what SQLAlchemy raises into `StorageError`s that hold neither SQL nor a password."""
    try:
        yield
    except SQLAlchemyError as error:
        raise faults.in_our_words(error, engine.url) from error
