"""A connection that is kept for small queries, so that each is one round trip."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, event

from notary.storage.engines import STATEMENTS
from notary.storage.transactions import run_query, with_retries

_T = TypeVar("_T")

_RECYCLE = 1800
"""Seconds after which it is replaced, as those of an engine are."""


class StandingConnection:
    """Runs queries of one statement, one at a time, on a connection of its own.

    Neither is the connection tried before, nor is there a transaction to end afterwards. A query
    that comes while another one runs, and each one on SQLite, which has no round trips to save,
    gets a connection of the engine's instead.

    Args:
        engine: makes the connection.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._in_use = Lock()
        self._connection: Connection | None = None
        self._replace_at = 0.0
        event.listen(engine, "engine_disposed", self._engine_disposed)

    def run(self, query: Callable[[Connection], _T]) -> _T:
        """Do as `notary.storage.transactions.run_query`. Blocks."""
        if self._engine.dialect.name == "sqlite" or not self._in_use.acquire(blocking=False):
            return run_query(self._engine, query)
        try:
            return with_retries(self._engine, lambda: self._run(query))
        finally:
            self._in_use.release()

    def _run(self, query: Callable[[Connection], _T]) -> _T:
        if time.monotonic() >= self._replace_at:
            self._close()
        if self._connection is None:
            self._connection = self._connect()
            self._replace_at = time.monotonic() + _RECYCLE
        try:
            return query(self._connection)
        except BaseException:
            self._close()
            raise

    def _connect(self) -> Connection:
        connection = self._engine.connect().execution_options(**{STATEMENTS: True})
        connection.detach()
        # Not as an option of the connection: the pool would undo that later, on another one.
        driver: Any = connection.connection.dbapi_connection
        self._engine.dialect.set_isolation_level(driver, "AUTOCOMMIT")
        return connection

    def _engine_disposed(self, _engine: Engine) -> None:
        self._replace_at = 0.0
        if self._in_use.acquire(blocking=False):
            try:
                self._close()
            finally:
                self._in_use.release()

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()
