"""What the SQL stores have in common."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Connection,
    Engine,
    LargeBinary,
    String,
    Table,
    and_,
    bindparam,
    cast,
    false,
    insert,
    literal_column,
    select,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.visitors import InternalTraversal
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime

from notary.storage.threads import WorkerThreads
from notary.storage.transactions import run_query, run_statement, run_transaction

_P = ParamSpec("_P")
_T = TypeVar("_T")


class exactly(ColumnElement[bool]):  # noqa: N801 - reads as an operator
    """Compare a column with a name, byte by byte.

    MySQL ignores trailing spaces, and on tables that the Go daemons made upper case as well. There
    the bytes are compared too; the plain comparison is there for the index.
    """

    inherit_cache = True
    _traverse_internals = [
        ("plain", InternalTraversal.dp_clauseelement),
        ("bytes", InternalTraversal.dp_clauseelement),
    ]
    type = Boolean()

    def __init__(
        self,
        column: ColumnElement[str],
        name: str | ColumnElement[str],
        encoded: ColumnElement[bytes] | None = None,
    ) -> None:
        self.plain = column == name
        self.bytes = cast(column, LargeBinary) == (
            name.encode() if isinstance(name, str) else encoded
        )

    def self_group(self, against: object = None) -> exactly:
        """Stand for itself within AND and OR, whatever the database thinks of booleans."""
        return self


def is_named(column: ColumnElement[str], parameter: str) -> exactly:
    """Compare a column with a name that comes with each run of a statement, from `names`.

    SQLAlchemy takes ten times as long to put a statement together as to run one that it knows.
    """
    return exactly(
        column,
        bindparam(parameter, type_=String()),
        bindparam(f"{parameter}_bytes", type_=LargeBinary()),
    )


def is_constant(column: ColumnElement[str], name: str) -> exactly:
    """Compare a column with a name that stands in the statement itself, and needs no quoting.

    PyMySQL takes time for each parameter.
    """
    text: ColumnElement[Any] = literal_column(f"'{name}'", String())
    return exactly(column, text, text)


def names(**parameters: str) -> dict[str, Any]:
    """Return the values of parameters that `is_named` has made."""
    encoded = {f"{name}_bytes": value.encode() for name, value in parameters.items()}
    return {**parameters, **encoded}


@compiles(exactly)
def _compile_plain(element: exactly, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(element.plain, **options)


@compiles(exactly, "mysql", "mariadb")
def _compile_bytes(element: exactly, compiler: SQLCompiler, **options: Any) -> str:
    return compiler.process(and_(element.plain, element.bytes).self_group(), **options)


def _add_nothing(connection: Connection, table: Table) -> None:
    connection.execute(insert(table).from_select(list(table.columns), select(table).where(false())))


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

    def _execute(
        self,
        statement: Callable[Concatenate[Connection, _P], _T],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> Deferred[_T]:
        return self._threads.run(
            run_statement, self._engine, lambda c: statement(c, *args, **kwargs)
        )

    def check_writable(self, table: Table) -> Deferred[None]:
        """Fire with None if rows can be added to a table.

        Fails with `notary.storage.interfaces.StoreUnavailableError` if not; of SQLite, whose files
        only one can write to at a time, it is not asked.
        """
        if self._engine.dialect.name == "sqlite":
            return succeed(None)
        return self._execute(_add_nothing, table)

    def _now(self) -> datetime:
        """Whole seconds, UTC without a time zone: as the Go daemons store it."""
        now = datetime.fromtimestamp(int(self._clock.seconds()), timezone.utc)
        return now.replace(tzinfo=None)
