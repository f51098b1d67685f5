"""Fixtures that more than one directory of tests uses."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import cast

import pytest
import pytest_twisted
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from tests.support.daemons import (
    OUR_SERVER,
    REFERENCE_SERVER,
    Server,
    find_program,
    free_port,
    server_config,
    serving_config,
)
from tests.support.pairs import run_pair
from tests.support.reactor import reactor

pytest_plugins = [
    "tests.support.doors",
    "tests.support.mariadb",
    "tests.support.galera",
    "tests.support.postgres",
]

LEAST_RIGHTS = "SELECT, INSERT, UPDATE, DELETE"
PAIRS = {
    "pair-sqlite": ("ecdsa", None, None),
    "pair-ecdsa": ("ecdsa", "mariadb", LEAST_RIGHTS),
    "pair-ed25519": ("ed25519", "mariadb", LEAST_RIGHTS),
    "pair-rsa": ("rsa", "mariadb", LEAST_RIGHTS),
    "pair-no-update": ("ecdsa", "mariadb", "SELECT, INSERT, DELETE"),
    "pair-postgres": ("ecdsa", "postgres", LEAST_RIGHTS),
    "pair-workers": ("ecdsa", "mariadb", LEAST_RIGHTS),
}
"""Servers with a signer: the algorithm of its keys, its database, what its user may do there."""
WORKERS = {"pair-workers": 2}
"""Processes of each daemon, where there is more than one."""


@pytest.fixture(scope="session", autouse=True)
def no_child_handler() -> None:
    """Take the reactor's handler for ended children away: nobody here spawns them through it.

    On CPython 3.11.2, Debian 12's, a thread that is measured for coverage spins for ever if such a
    signal is pending while the main thread waits for it.
    """
    pytest_twisted.blockon(deferLater(cast(IReactorTime, reactor), 0))
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)


@pytest.fixture(scope="session", params=["reference", "memory", *PAIRS])
def trust_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server for clients: ours in all its forms, and the Go one, which proves the test.

    It is shared by all tests; each has to use GUNs of its own.
    """
    directory = tmp_path_factory.mktemp(f"server-{request.param}")
    with ExitStack() as stack:
        if request.param in PAIRS:
            algorithm, kind, rights = PAIRS[request.param]
            databases = request.getfixturevalue(kind) if kind else None
            pair = run_pair(
                directory,
                algorithm=algorithm,
                databases=databases,
                rights=rights,
                workers=WORKERS.get(request.param, 1),
            )
            yield stack.enter_context(pair).server
        else:
            program: str | Path = OUR_SERVER
            if request.param == "reference":
                program = find_program(REFERENCE_SERVER, "notary")
            config = server_config(port := free_port(), {"backend": "memory"})
            yield stack.enter_context(serving_config(program, directory, config, port))
