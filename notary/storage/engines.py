"""Connections to a database: what is set on each of them, so that no wait is without end."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.pool import ConnectionPoolEntry

from notary.storage.certificates import Certificates, tls_context
from notary.storage.drivers import BEGIN, connect_mysql, connect_postgres, ping_postgres

_TIMEOUTS = {"connect_timeout": 5, "read_timeout": 30, "write_timeout": 30}
"""Seconds until a server that keeps silent counts as down, unless the URL says otherwise."""

_LOCK_TIMEOUT = 5
"""Seconds until a transaction gives up waiting for another one."""

_UPGRADE_TIMEOUT = 24 * 3600
"""Seconds that a statement may take which changes a big table."""

_RECYCLE = 1800
"""Seconds after which a connection is replaced: less than what firewalls and servers allow."""

_POOL_TIMEOUT = 30
"""Seconds until a thread gives up waiting for a connection."""

_TLS_FILES = ("tls_ca", "tls_cert", "tls_key")
"""What names the files of `notary.storage.certificates.Certificates` in a MySQL URL."""

_NOT_TO_BE_SHOWN = ["options", "sslpassword"]
"""What of a PostgreSQL URL is handed to libpq apart, so that no message holds it."""

WRITING = "notary_writing"
"""Execution option of a connection whose transaction is going to write."""

STATEMENTS = "notary_statements"
"""Execution option of a connection whose statements are each for themselves.

A server need not be told of a transaction, nor that it is over. SQLite is told all the same.
"""


def create_engine_for(url: URL, connections: int = 4, *, upgrading: bool = False) -> Engine:
    """Return an engine for a URL from `notary.storage.dsn.engine_url`. It connects on first use.

    Args:
        url: which database.
        connections: how many there are at the most; as many as threads use the engine.
        upgrading: whether statements may take hours, as they do if they change a big table.
            Waiting for others is bounded nevertheless.
    """
    options: dict[str, Any] = {
        "pool_size": connections,
        "max_overflow": 0,
        "pool_timeout": _POOL_TIMEOUT,
        "hide_parameters": True,
    }
    match url.get_backend_name():
        case "mysql":
            engine = _create_mysql_engine(url, options, upgrading)
        case "postgresql":
            engine = _create_postgres_engine(url, options, upgrading)
        case _:
            engine = _create_sqlite_engine(url, options)
    # One statement for many rows: the drivers would send one for each.
    engine.dialect.use_insertmanyvalues = True
    engine.dialect.use_insertmanyvalues_wo_returning = True
    return engine


def _create_mysql_engine(url: URL, options: dict[str, Any], upgrading: bool) -> Engine:
    settings = f"SET SESSION innodb_lock_wait_timeout = {_LOCK_TIMEOUT}"
    timeouts = {name: int(str(url.query.get(name, _TIMEOUTS[name]))) for name in _TIMEOUTS}
    if upgrading:
        settings += f", SESSION lock_wait_timeout = {timeouts['read_timeout']}"
        timeouts["read_timeout"] = _UPGRADE_TIMEOUT
    if "time_zone" in url.query:
        settings += f", SESSION time_zone = '{url.query['time_zone']}'"
    engine = create_engine(
        url.difference_update_query(["tls", "time_zone", *_TLS_FILES]),
        pool_pre_ping=True,
        pool_recycle=_RECYCLE,
        connect_args={
            "charset": "utf8mb4",
            **timeouts,
            # What does not fit is to be an error, never to be cut off.
            "sql_mode": "STRICT_TRANS_TABLES",
            "init_command": settings,
            "autocommit": True,
            # PyMySQL would encode it as Latin-1; Go sends UTF-8.
            "password": (url.password or "").encode(),
            **_tls_options(url),
        },
        **options,
    )

    @event.listens_for(engine, "do_connect")
    def connect(_dialect: Any, _entry: Any, _args: Any, settings: dict[str, Any]) -> Any:
        return connect_mysql(**settings)

    event.listen(engine, "connect", _read_what_was_committed)
    event.listen(engine, "connect", _read_what_was_written)
    _begin_with(engine, BEGIN)
    return engine


def _begin_with(engine: Engine, statement: str) -> None:
    """Have transactions begun by us; the driver commits each statement for itself."""

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        if not options.get(STATEMENTS) and options.get("isolation_level") != "AUTOCOMMIT":
            connection.exec_driver_sql(statement)


def _read_what_was_committed(connection: Any, _entry: ConnectionPoolEntry) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")


def _read_what_was_written(connection: Any, _entry: ConnectionPoolEntry) -> None:
    """On a node of a Galera cluster, have reads wait for what other nodes have committed."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW SESSION VARIABLES LIKE 'wsrep_on'")
        if cursor.fetchone() == ("wsrep_on", "ON"):
            cursor.execute("SET SESSION wsrep_sync_wait = 1")


def _tls_options(url: URL) -> dict[str, Any]:
    match url.query.get("tls", "false"):
        case "true" | "skip-verify" as mode:
            files = (url.query.get(name) for name in _TLS_FILES)
            certificates = Certificates(*(Path(str(file)) if file else None for file in files))
            return {"ssl": tls_context(certificates, verify=mode == "true")}
        case "preferred":
            return {}  # PyMySQL's default: encrypted if the server can
        case _:
            return {"ssl_disabled": True}


def _create_postgres_engine(url: URL, options: dict[str, Any], upgrading: bool) -> Engine:
    timeouts = {
        "lock_timeout": _LOCK_TIMEOUT,
        "statement_timeout": _UPGRADE_TIMEOUT if upgrading else _TIMEOUTS["read_timeout"],
        "idle_in_transaction_session_timeout": _TIMEOUTS["read_timeout"],
    }
    settings = [f"-c {name}={seconds}s" for name, seconds in timeouts.items()]
    defaults: dict[str, Any] = {
        "application_name": "txnotary",
        # A database in SQL_ASCII would have the driver return bytes for texts.
        "client_encoding": "utf8",
        "connect_timeout": _TIMEOUTS["connect_timeout"],
        "tcp_user_timeout": _TIMEOUTS["write_timeout"] * 1000,
        # What the operator says comes last and counts.
        "options": " ".join([*settings, str(url.query.get("options", ""))]).strip(),
        # Prepared statements do not survive a pooler between us and the database.
        "prepare_threshold": None,
    }
    if "sslpassword" in url.query:
        defaults["sslpassword"] = str(url.query["sslpassword"])
    given = set(url.query).difference(_NOT_TO_BE_SHOWN)
    seconds = timeouts["statement_timeout"]
    engine = create_engine(
        url.difference_update_query(_NOT_TO_BE_SHOWN),
        pool_pre_ping=True,
        pool_recycle=_RECYCLE,
        connect_args={name: value for name, value in defaults.items() if name not in given},
        **options,
    )

    @event.listens_for(engine, "do_connect")
    def connect(_dialect: Any, _entry: Any, args: Any, settings: dict[str, Any]) -> Any:
        return connect_postgres(seconds, *args, **settings)

    @event.listens_for(engine, "connect")
    def let_us_begin(connection: Any, _entry: ConnectionPoolEntry) -> None:
        connection.autocommit = True

    _begin_with(engine, "BEGIN ISOLATION LEVEL READ COMMITTED")
    dialect: Any = engine.dialect
    dialect.do_ping = partial(ping_postgres, dialect.do_ping)
    return engine


def _create_sqlite_engine(url: URL, options: dict[str, Any]) -> Engine:
    engine = create_engine(url, **options)

    @event.listens_for(engine, "connect")
    def prepare(dbapi_connection: Any, _entry: ConnectionPoolEntry) -> None:
        dbapi_connection.isolation_level = None  # we say BEGIN, not the driver
        for pragma in (
            f"busy_timeout = {_LOCK_TIMEOUT * 1000}",
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
        ):
            dbapi_connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A transaction that reads first and then writes could not wait for another writer.
        writing = connection.get_execution_options().get(WRITING)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

    return engine
