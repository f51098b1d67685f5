"""What the SQL stores have in common."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import ColumnElement, Connection, Engine, LargeBinary, and_, cast
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from notary.storage.threads import WorkerThreads
from notary.storage.transactions import run_query, run_transaction

_P = ParamSpec("_P")
_T = TypeVar("_T")


def exactly(column: ColumnElement[str], name: str) -> ColumnElement[bool]:
    """Compare byte by byte; the plain comparison is there for the index.

    MySQL ignores trailing spaces, and on tables that the Go daemons made upper case as well.
    """
    return and_(column == name, cast(column, LargeBinary) == name.encode())


class SQLStore:
    """Runs queries and transactions in threads.

    Args:
        engine: from `notary.storage.engines.create_engine_for`, its tables bootstrapped.
        threads: where transactions run.
        clock: tells when something is stored, in seconds since the epoch.
    """

    def __init__(self, engine: Engine, threads: WorkerThreads, clock: IReactorTime) -> None:
        self._engine = engine
        self._threads = threads
        self._clock = clock

    def _query(
        self,
        query: Callable[Concatenate[Connection, _P], _T],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> Deferred[_T]:
        return self._threads.run(run_query, self._engine, lambda c: query(c, *args, **kwargs))

    def _transact(
        self,
        transaction: Callable[Concatenate[Connection, _P], _T],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> Deferred[_T]:
        return self._threads.run(
            run_transaction, self._engine, lambda c: transaction(c, *args, **kwargs)
        )

    def _now(self) -> datetime:
        """Whole seconds, UTC without a time zone: as the Go daemons store it."""
        now = datetime.fromtimestamp(int(self._clock.seconds()), timezone.utc)
        return now.replace(tzinfo=None)
