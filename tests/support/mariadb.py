"""A private MariaDB for the length of a test run: the fixture ``mariadb``."""

from __future__ import annotations

import getpass
import itertools
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar

import attrs
import pymysql
import pytest
from sqlalchemy import URL

from notary.storage.dsn import engine_url
from tests.support.daemons import FIXTURES, find_program, free_port

_START_SECONDS = 60.0
_STOP_SECONDS = 20.0
_POLL_SECONDS = 0.05

USER = "notary"
PASSWORD = "p@ss:w/örd?(1)"
"""Holds what has a meaning in a DSN, and what is not ASCII."""


class MariaDBError(Exception):
    """The database server did not start, or did not stop; the message holds its log."""


@attrs.frozen
class Database:
    """A database of its own for one test.

    Attributes:
        name: what it is called.
        dsn: how configuration files name it, over TCP.
        socket_dsn: the same over the Unix socket.
    """

    name: str
    dsn: str
    socket_dsn: str

    @property
    def url(self) -> URL:
        """The URL that makes an engine."""
        return engine_url("mysql", self.dsn)


@attrs.frozen
class MariaDB:
    """A database server that runs.

    Attributes:
        backend: how configuration files name the kind.
        directory: holds its data, socket and log.
        port: the TCP port on 127.0.0.1.
        pid: its process.
    """

    backend: ClassVar[str] = "mysql"

    directory: Path
    port: int
    pid: int
    _numbers: Iterator[int] = attrs.field(factory=lambda: itertools.count(1), repr=False)

    @property
    def socket(self) -> Path:
        return self.directory / "socket"

    def create_database(self, password: str = PASSWORD) -> Database:
        """Make an empty database and, of the same name, a user who may do everything in it."""
        name = f"{USER}_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        self.execute(f"CREATE USER {name} IDENTIFIED BY %s", password)
        self.grant(name, "ALL")
        account = f"{name}:{password}"
        return Database(
            name=name,
            dsn=f"{account}@tcp(127.0.0.1:{self.port})/{name}?parseTime=true",
            socket_dsn=f"{account}@unix({self.socket})/{name}?parseTime=true",
        )

    def grant(self, name: str, rights: str) -> None:
        """Let the user of a database do this in it, and nothing else."""
        self.execute(f"REVOKE ALL PRIVILEGES, GRANT OPTION FROM {name}")
        self.execute(f"GRANT {rights} ON {name}.* TO {name}")

    def execute(self, statement: str, *args: object) -> list[tuple[Any, ...]]:
        """Run a statement as the administrator and return its rows."""
        connection = pymysql.connect(
            unix_socket=str(self.socket), user="root", autocommit=True, charset="utf8mb4"
        )
        with closing(connection), connection.cursor() as cursor:
            cursor.execute(statement, args or None)
            return list(cursor.fetchall())


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDB]:
    """A MariaDB server, started once; tests share it and make databases of their own."""
    install = find_program("mariadb-install-db", "mariadb-server-core")
    server = find_program("mariadbd", "mariadb-server-core")
    # Not pytest's temporary directory: the path of a Unix socket has to be short.
    with tempfile.TemporaryDirectory(prefix="mariadb-") as name:
        directory = Path(name)
        _install(install, directory)
        process = _start(server, directory, port := free_port())
        try:
            mariadb = MariaDB(directory, port, process.pid)
            _wait_until_it_answers(process, mariadb)
            yield mariadb
        finally:
            _stop(process, directory)


def _install(program: str, directory: Path) -> None:
    done = subprocess.run(
        [
            program,
            "--no-defaults",
            f"--datadir={directory / 'data'}",
            f"--user={getpass.getuser()}",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_START_SECONDS,
    )
    if done.returncode:
        raise MariaDBError(f"mariadb-install-db failed:\n{done.stdout}")


def _start(program: str, directory: Path, port: int) -> subprocess.Popen[bytes]:
    with (directory / "log").open("wb") as log:
        return subprocess.Popen(
            [
                program,
                "--no-defaults",
                f"--datadir={directory / 'data'}",
                f"--socket={directory / 'socket'}",
                f"--pid-file={directory / 'pid'}",
                f"--port={port}",
                f"--user={getpass.getuser()}",
                "--bind-address=127.0.0.1",
                "--skip-name-resolve",
                f"--ssl-cert={FIXTURES / 'notary-server.crt'}",
                f"--ssl-key={FIXTURES / 'notary-server.key'}",
                "--innodb-flush-log-at-trx-commit=0",
                "--innodb-buffer-pool-size=64M",
                "--innodb-log-file-size=256M",
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def _wait_until_it_answers(process: subprocess.Popen[bytes], mariadb: MariaDB) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            mariadb.execute("SELECT 1")
        except pymysql.err.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise MariaDBError(f"MariaDB does not answer:\n{_log(mariadb.directory)}") from None
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
        raise MariaDBError(f"MariaDB did not stop:\n{_log(directory)}") from None


def _log(directory: Path) -> str:
    return (directory / "log").read_text(errors="replace")
