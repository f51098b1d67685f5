"""A private PostgreSQL for the length of a test run: the fixture ``postgres``."""

from __future__ import annotations

import getpass
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

import attrs
import pytest
from sqlalchemy import URL, Connection, text

from notary.storage.dsn import engine_url
from tests.support.daemons import FIXTURES, find_program, free_port
from tests.support.mariadb import PASSWORD, USER

CERTIFIED = "certified"
"""The role of users who have to show a certificate."""

_ACCESS = f"""\
local all postgres trust
hostssl all +{CERTIFIED} 127.0.0.1/32 scram-sha-256 clientcert=verify-ca
hostssl all all 127.0.0.1/32 scram-sha-256
"""
_PROGRAMS = "/usr/lib/postgresql"
_START_SECONDS = 60.0
_STOP_SECONDS = 20.0
_POLL_SECONDS = 0.05


class PostgresError(Exception):
    """The database server did not start, or did not stop; the message holds its log."""


@attrs.frozen
class PostgresDatabase:
    """A database of its own for one test.

    Attributes:
        name: what it is called.
        address: how configuration files name it, without anything about TLS.
        dsn: the same, with it.
    """

    name: str
    address: str
    dsn: str

    @property
    def url(self) -> URL:
        """The URL that makes an engine."""
        return engine_url("postgres", self.dsn)


@attrs.define(eq=False)
class Postgres:
    """A database server, running or not.

    Attributes:
        backend: how configuration files name the kind.
        directory: holds its data, socket and log.
        port: the TCP port on 127.0.0.1.
        options: settings besides the usual.
    """

    backend: ClassVar[str] = "postgres"

    directory: Path
    port: int
    options: Mapping[str, object] = attrs.field(factory=dict)
    _process: subprocess.Popen[bytes] | None = None
    _numbers: Iterator[int] = attrs.field(factory=lambda: itertools.count(1), repr=False)

    def start(self) -> None:
        """Start it, and wait until it answers.

        Raises:
            PostgresError: it does not.
        """
        self._process = _start(self.directory, self.port, self.options)
        _wait_until_it_answers(self._process, self)

    def stop(self) -> None:
        """Stop it in good order, if it runs.

        Raises:
            PostgresError: it did not end in time.
        """
        if self._process is not None:
            self.send(signal.SIGCONT)
            _stop(self._process, self.directory)
            self._process = None

    def kill(self) -> None:
        """Have it end at once, like ``kill -9``."""
        self.send(signal.SIGKILL)
        assert self._process is not None
        self._process.wait()
        self._process = None

    def send(self, number: signal.Signals) -> None:
        """Send a signal to all its processes, such as SIGSTOP, after which it keeps silent."""
        assert self._process is not None
        children = _children_of(self._process.pid)
        for pid in (self._process.pid, *children):
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def create_database(self, password: str = PASSWORD, encoding: str = "UTF8") -> PostgresDatabase:
        """Make an empty database and, of the same name, a user who owns it."""
        name = f"{USER}_{next(self._numbers)}"
        quoted = password.replace("'", "''")
        self.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{quoted}'")
        self.execute(
            f"CREATE DATABASE {name} OWNER {name} TEMPLATE template0 ENCODING '{encoding}' "
            "LC_COLLATE 'C' LC_CTYPE 'C'"
        )
        account = f"{name}:{quote(password, safe='')}"
        address = f"postgres://{account}@127.0.0.1:{self.port}/{name}"
        return PostgresDatabase(
            name=name,
            address=address,
            dsn=f"{address}?sslmode=verify-ca&sslrootcert={FIXTURES / 'root-ca.crt'}",
        )

    def grant(self, name: str, rights: str) -> None:
        """Take a database from its user, and let them only do this in it."""
        self.execute(f"ALTER DATABASE {name} OWNER TO postgres")
        self.execute(f"REASSIGN OWNED BY {name} TO postgres", name)
        self.execute(f"GRANT {rights} ON ALL TABLES IN SCHEMA public TO {name}", name)
        self.execute(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {name}", name)

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run a statement as the administrator and return its rows."""
        import psycopg

        with psycopg.connect(
            host=str(self.directory), port=self.port, user="postgres", dbname=database
        ) as connection:
            connection.autocommit = True
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []


def describe(connection: Connection, table: str) -> list[str]:
    """What makes up a table, in no order: columns, indexes and constraints."""
    queries = (
        "SELECT ordinal_position, column_name, data_type, is_nullable, "
        "CASE WHEN column_default NOT LIKE 'NULL::%' THEN column_default END, "
        "character_maximum_length FROM information_schema.columns WHERE table_name = :table",
        "SELECT indexdef FROM pg_indexes WHERE tablename = :table",
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE conrelid = CAST(:table AS regclass)",
    )
    found = (row for query in queries for row in connection.execute(text(query), {"table": table}))
    return sorted(map(str, found))


@contextmanager
def installed(**options: object) -> Iterator[Postgres]:
    """A server that does not run yet; it is stopped at the end."""
    with tempfile.TemporaryDirectory(prefix="postgres-") as name:
        directory = Path(name)
        for part in ("crt", "key"):
            shutil.copy(FIXTURES / f"notary-server.{part}", directory / f"server.{part}")
        shutil.copy(FIXTURES / "root-ca.crt", directory / "root.crt")
        (directory / "server.key").chmod(0o600)
        account = _account()
        if account:
            for path in (directory, *directory.iterdir()):
                shutil.chown(path, account)
        _run([_find("initdb"), "-D", directory / "data", "-U", "postgres", "-A", "trust"], account)
        (directory / "data" / "pg_hba.conf").write_text(_ACCESS)
        postgres = Postgres(directory, free_port(), options)
        try:
            yield postgres
        finally:
            postgres.stop()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server, started once; tests share it and make databases of their own."""
    with installed(fsync="off") as postgres:
        postgres.start()
        postgres.execute(f"CREATE ROLE {CERTIFIED}")
        yield postgres


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """A PostgreSQL server for one test, which starts it."""
    with installed() as postgres:
        yield postgres


def _find(name: str) -> str:
    found = sorted(Path(_PROGRAMS).glob(f"*/bin/{name}"))
    return str(found[-1]) if found else find_program(name, "postgresql")


def _account() -> str | None:
    """Whom the server runs as: it refuses to be root."""
    return "postgres" if getpass.getuser() == "root" else None


def _run(command: Sequence[str | Path], account: str | None) -> None:
    done = subprocess.run(
        [os.fspath(part) for part in command],
        user=account,
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_START_SECONDS,
    )
    if done.returncode:
        raise PostgresError(f"{command[0]} failed:\n{done.stdout}")


def _start(directory: Path, port: int, options: Mapping[str, object]) -> subprocess.Popen[bytes]:
    program = _find("postgres")
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": port,
        "unix_socket_directories": directory,
        "ssl": "on",
        "ssl_cert_file": directory / "server.crt",
        "ssl_key_file": directory / "server.key",
        "ssl_ca_file": directory / "root.crt",
        "max_connections": 200,
        **options,
    }
    with (directory / "log").open("ab") as log:
        return subprocess.Popen(
            [program, "-D", directory / "data", *(f"--{k}={v}" for k, v in settings.items())],
            user=_account(),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def _wait_until_it_answers(process: subprocess.Popen[bytes], postgres: Postgres) -> None:
    from psycopg import OperationalError

    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            postgres.execute("SELECT 1")
        except OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise PostgresError(
                    f"PostgreSQL does not answer:\n{_log(postgres.directory)}"
                ) from None
            time.sleep(_POLL_SECONDS)
        else:
            return


def _stop(process: subprocess.Popen[bytes], directory: Path) -> None:
    process.send_signal(signal.SIGINT)  # it waits for no client
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise PostgresError(f"PostgreSQL did not stop:\n{_log(directory)}") from None


def _children_of(parent: int) -> list[int]:
    """The processes that a process has started, of which each has a session of its own."""
    children = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(path.read_text().rpartition(")")[2].split()[1]) == parent:
                children.append(int(path.parent.name))
    return children


def _log(directory: Path) -> str:
    return (directory / "log").read_text(errors="replace")
