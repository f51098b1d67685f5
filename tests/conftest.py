"""Fixtures that more than one directory of tests uses."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from tests.support.daemons import (
    OUR_SERVER,
    REFERENCE_SERVER,
    Server,
    bootstrap,
    find_program,
    free_port,
    server_config,
    serving_config,
)

pytest_plugins = ["tests.support.doors", "tests.support.mariadb"]


@pytest.fixture(scope="session", autouse=True)
def no_child_handler() -> None:
    """Take the reactor's handler for ended children away: nobody here spawns them through it.

    On CPython 3.11.2, Debian 12's, a thread that is measured for coverage spins for ever if such a
    signal is pending while the main thread waits for it.
    """
    pytest_twisted.blockon(deferLater(cast(IReactorTime, reactor), 0))
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)


@pytest.fixture(scope="session", params=["reference", "memory", "sqlite", "mariadb"])
def trust_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server for clients: ours on each of its stores, and the Go one, which proves the test.

    It is shared by all tests; each has to use GUNs of its own.
    """
    directory = tmp_path_factory.mktemp(f"server-{request.param}")
    port = free_port()
    program: str | Path = OUR_SERVER
    storage = {"backend": "memory"}
    if request.param == "reference":
        program = find_program(REFERENCE_SERVER, "notary")
    elif request.param == "sqlite":
        storage = {"backend": "sqlite3", "db_url": str(directory / "server.db")}
    elif request.param == "mariadb":
        database = request.getfixturevalue("mariadb").create_database()
        storage = {"backend": "mysql", "db_url": database.dsn}
    config = server_config(port, storage, ephemeral_keys=storage["backend"] != "memory")
    if request.param == "mariadb":
        bootstrap(program, directory, config)
    with serving_config(program, directory, config, port) as server:
        yield server
