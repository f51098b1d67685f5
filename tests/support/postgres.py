"""A private PostgreSQL for the length of a test run: the fixture ``postgres``."""

from __future__ import annotations

import getpass
import itertools
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

import attrs
import pytest
from sqlalchemy import URL

from notary.storage.dsn import engine_url
from tests.support.daemons import FIXTURES, find_program, free_port
from tests.support.mariadb import PASSWORD, USER

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
        dsn: how configuration files name it.
    """

    name: str
    dsn: str

    @property
    def url(self) -> URL:
        """The URL that makes an engine."""
        return engine_url("postgres", self.dsn)


@attrs.frozen
class Postgres:
    """A database server that runs.

    Attributes:
        backend: how configuration files name the kind.
        directory: holds its data, socket and log.
        port: the TCP port on 127.0.0.1.
        pid: its process.
    """

    backend: ClassVar[str] = "postgres"

    directory: Path
    port: int
    pid: int
    _numbers: Iterator[int] = attrs.field(factory=lambda: itertools.count(1), repr=False)

    def create_database(self, password: str = PASSWORD) -> PostgresDatabase:
        """Make an empty database and, of the same name, a user who owns it."""
        name = f"{USER}_{next(self._numbers)}"
        quoted = password.replace("'", "''")
        self.execute(f"CREATE ROLE {name} LOGIN PASSWORD '{quoted}'")
        self.execute(f"CREATE DATABASE {name} OWNER {name}")
        account = f"{name}:{quote(password, safe='')}"
        return PostgresDatabase(
            name=name,
            dsn=f"postgres://{account}@127.0.0.1:{self.port}/{name}?sslmode=verify-ca"
            f"&sslrootcert={FIXTURES / 'root-ca.crt'}",
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


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server, started once; tests share it and make databases of their own."""
    initdb, server = (_find(name) for name in ("initdb", "postgres"))
    with tempfile.TemporaryDirectory(prefix="postgres-") as name:
        directory = Path(name)
        for part in ("crt", "key"):
            shutil.copy(FIXTURES / f"notary-server.{part}", directory / f"server.{part}")
        (directory / "server.key").chmod(0o600)
        account = _account()
        if account:
            for path in (directory, *directory.iterdir()):
                shutil.chown(path, account)
        _run([initdb, "-D", directory / "data", "-U", "postgres", "-A", "trust"], account)
        hba = "local all postgres trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n"
        (directory / "data" / "pg_hba.conf").write_text(hba)
        process = _start(server, directory, port := free_port(), account)
        try:
            postgres = Postgres(directory, port, process.pid)
            _wait_until_it_answers(process, postgres)
            yield postgres
        finally:
            _stop(process, directory)


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


def _start(
    program: str, directory: Path, port: int, account: str | None
) -> subprocess.Popen[bytes]:
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": port,
        "unix_socket_directories": directory,
        "ssl": "on",
        "ssl_cert_file": directory / "server.crt",
        "ssl_key_file": directory / "server.key",
        "fsync": "off",
        "max_connections": 200,
    }
    with (directory / "log").open("wb") as log:
        return subprocess.Popen(
            [program, "-D", directory / "data", *(f"--{k}={v}" for k, v in settings.items())],
            user=account,
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
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise PostgresError(f"PostgreSQL did not stop:\n{_log(directory)}") from None


def _log(directory: Path) -> str:
    return (directory / "log").read_text(errors="replace")
