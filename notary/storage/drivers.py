"""Connections of the drivers that wait for no answer without end, and ask nothing needlessly.

A database can be reached and keep silent all the same: stopped, swapping, or behind a firewall that
has forgotten the connection.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from math import inf
from typing import TYPE_CHECKING, Any, TypeVar

import pymysql
from pymysql.connections import Connection
from pymysql.constants import CR, FIELD_TYPE
from pymysql.converters import conversions, convert_datetime

if TYPE_CHECKING:
    import psycopg

_T = TypeVar("_T")

BEGIN = "BEGIN"
"""Begins a transaction of MySQL, where each statement is one of its own otherwise."""

PING_SECONDS = 5
"""Seconds until a database that is only asked whether it is there counts as silent."""

FRESH_SECONDS = 0.2
"""Seconds for which a connection that answered is not asked whether it is there.

One that is lost meanwhile is noticed by the statement that it is used for, which is then run again.
"""

_POLL_SECONDS = 0.1


def connect_mysql(**settings: Any) -> Any:
    """Return a connection of PyMySQL; ``connect_timeout`` bounds all of its making."""
    return _MySQLConnection(conv=_CONVERSIONS, **settings)


def connect_postgres(seconds: float, *args: Any, **settings: Any) -> Any:
    """Return a connection of psycopg that waits for each answer this long at the most."""
    connection = _postgres_connection_class().connect(*args, **settings)
    connection.patience = seconds
    return connection


def _to_datetime(text: str) -> datetime | str:
    """Do as PyMySQL, which takes longer; what is no time remains a text."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        result: datetime | str = convert_datetime(text)
        return result


_CONVERSIONS: dict[Any, Any] = {**conversions, FIELD_TYPE.TIMESTAMP: _to_datetime}


class _MySQLConnection(Connection):  # type: ignore[misc, unused-ignore]  # without stubs it is Any
    _read_timeout: float | None
    _answered_at = -inf
    _begun = False

    def connect(self, sock: Any = None) -> None:
        try:
            with self._waiting_at_most(self.connect_timeout):
                super().connect(sock)
        except pymysql.err.OperationalError as error:
            if error.args[0] != CR.CR_SERVER_LOST:
                raise
            raise pymysql.err.OperationalError(CR.CR_CONN_HOST_ERROR, *error.args[1:]) from error

    def ping(self, reconnect: Any = False) -> None:
        if not _is_fresh(self._answered_at):
            with self._waiting_at_most(PING_SECONDS):
                super().ping(reconnect)

    def query(self, sql: Any, unbuffered: Any = False) -> Any:
        self._begun = self._begun or sql == BEGIN
        result = super().query(sql, unbuffered)
        self._answered_at = time.monotonic()
        return result

    def commit(self) -> None:
        super().commit()
        self._begun = False

    def rollback(self) -> None:
        """End a transaction, if one was begun; SQLAlchemy asks for that after each use."""
        if self._begun:
            super().rollback()
            self._begun = False

    @contextmanager
    def _waiting_at_most(self, seconds: float | None) -> Iterator[None]:
        usual = self._read_timeout
        self._read_timeout = seconds
        try:
            yield
        finally:
            self._read_timeout = usual


def ping_postgres(ping: Callable[[Any], bool], connection: Any) -> bool:
    """Have a connection from `connect_postgres` pinged, with less patience than it has else."""
    if _is_fresh(connection.answered_at):
        return True
    usual = connection.patience
    connection.patience = PING_SECONDS
    try:
        return ping(connection)
    finally:
        connection.patience = usual


def _is_fresh(answered_at: float) -> bool:
    return time.monotonic() - answered_at < FRESH_SECONDS


@cache
def _postgres_connection_class() -> Any:
    import psycopg

    class PatientConnection(psycopg.Connection[Any]):
        """Closes itself when an answer takes too long.

        Attributes:
            patience: seconds, None for no bound.
            answered_at: when it answered last, by the monotonic clock.
        """

        patience: float | None = None
        answered_at = -inf

        def wait(self, gen: Any, *args: Any, **kwargs: Any) -> Any:
            if self.patience is None:
                return super().wait(gen, *args, **kwargs)
            answer = super().wait(_bounded(gen, self.patience, self), _POLL_SECONDS)
            self.answered_at = time.monotonic()
            return answer

    return PatientConnection


def _bounded(
    answer: Generator[Any, Any, _T], seconds: float, connection: psycopg.Connection[Any]
) -> Generator[Any, Any, _T]:
    """Go on with a generator of psycopg, which is resumed now and then, until time is up."""
    import psycopg

    deadline = time.monotonic() + seconds
    try:
        state = next(answer)
        while True:
            ready = yield state
            if not ready and time.monotonic() > deadline:
                connection.pgconn.finish()
                raise psycopg.OperationalError(f"no answer within {seconds} seconds")
            state = answer.send(ready)
    except StopIteration as done:
        result: _T = done.value
        return result
