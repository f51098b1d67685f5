"""A private MariaDB for the length of a test run: the fixture ``mariadb``."""

from __future__ import annotations

import getpass
import itertools
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
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


@attrs.define(eq=False)
class MariaDB:
    """A database server, running or not.

    Attributes:
        backend: how configuration files name the kind.
        directory: holds its data, socket and log.
        port: the TCP port on 127.0.0.1.
        options: what it is started with besides the usual.
    """

    backend: ClassVar[str] = "mysql"

    directory: Path
    port: int
    options: Sequence[str] = ()
    _process: subprocess.Popen[bytes] | None = None
    _numbers: Iterator[int] = attrs.field(factory=lambda: itertools.count(1), repr=False)

    @property
    def socket(self) -> Path:
        return self.directory / "socket"

    def start(self) -> None:
        """Start it, and wait until it answers.

        Raises:
            MariaDBError: it does not.
        """
        self._process = _start(self.directory, self.port, self.options)
        _wait_until_it_answers(self._process, self)

    def stop(self) -> None:
        """Stop it in good order, if it runs.

        Raises:
            MariaDBError: it did not end in time.
        """
        if self._process is not None:
            _stop(self._process, self.directory)
            self._process = None

    def kill(self) -> None:
        """Have it end at once, like ``kill -9``."""
        self.send(signal.SIGKILL)
        assert self._process is not None
        self._process.wait()
        self._process = None

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, such as SIGSTOP, after which it keeps silent, and SIGCONT."""
        assert self._process is not None
        self._process.send_signal(number)

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


@contextmanager
def installed(*options: str) -> Iterator[MariaDB]:
    """A server that does not run yet; it is stopped at the end."""
    install = find_program("mariadb-install-db", "mariadb-server-core")
    # Not pytest's temporary directory: the path of a Unix socket has to be short.
    with tempfile.TemporaryDirectory(prefix="mariadb-") as name:
        directory = Path(name)
        _install(install, directory)
        mariadb = MariaDB(directory, free_port(), options)
        try:
            yield mariadb
        finally:
            mariadb.stop()


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDB]:
    """A MariaDB server, started once; tests share it and make databases of their own."""
    with installed("--innodb-flush-log-at-trx-commit=0") as mariadb:
        mariadb.start()
        yield mariadb


@pytest.fixture
def own_mariadb() -> Iterator[MariaDB]:
    """A MariaDB server for one test, which starts it; what it commits survives a crash."""
    with installed("--innodb-flush-log-at-trx-commit=1") as mariadb:
        yield mariadb


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
        env={**os.environ, "TMPDIR": str(directory)},  # or two at a time would share tables
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_START_SECONDS,
    )
    if done.returncode:
        raise MariaDBError(f"mariadb-install-db failed:\n{done.stdout}")


def _start(directory: Path, port: int, options: Sequence[str]) -> subprocess.Popen[bytes]:
    program = find_program("mariadbd", "mariadb-server-core")
    with (directory / "log").open("ab") as log:
        return subprocess.Popen(
            [
                program,
                "--no-defaults",
                f"--datadir={directory / 'data'}",
                f"--socket={directory / 'socket'}",
                f"--pid-file={directory / 'pid'}",
                f"--tmpdir={directory}",
                f"--port={port}",
                "--bind-address=127.0.0.1",
                "--skip-name-resolve",
                f"--ssl-cert={FIXTURES / 'notary-server.crt'}",
                f"--ssl-key={FIXTURES / 'notary-server.key'}",
                f"--ssl-ca={FIXTURES / 'root-ca.crt'}",
                "--innodb-buffer-pool-size=64M",
                "--innodb-log-file-size=256M",
                *options,
                f"--user={getpass.getuser()}",  # of several, the first counts
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
    process.send_signal(signal.SIGCONT)
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise MariaDBError(f"MariaDB did not stop:\n{_log(directory)}") from None


def _log(directory: Path) -> str:
    return (directory / "log").read_text(errors="replace")
