"""Runs a server and the signer that holds its keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from tests.support.daemons import (
    OUR_SERVER,
    OUR_SIGNER,
    Daemon,
    Server,
    bootstrap,
    free_port,
    remote_trust,
    server_config,
    serving_config,
    signer_config,
    signing_config,
)

if TYPE_CHECKING:
    # Plugins of pytest, which imports them first.
    from tests.support.mariadb import MariaDB
    from tests.support.postgres import Postgres


@attrs.frozen
class Pair:
    """A server and its signer, both running."""

    server: Server
    signer: Daemon


@attrs.frozen
class Plan:
    """What a pair is to be like.

    Attributes:
        directory: holds its files.
        server: the server's configuration.
        server_port: where that listens.
        signer: the signer's configuration.
        signer_port: where that listens.
    """

    directory: Path
    server: Mapping[str, Any]
    server_port: int
    signer: Mapping[str, Any]
    signer_port: int

    @contextmanager
    def run(
        self, server: str | Path = OUR_SERVER, signer: str | Path = OUR_SIGNER
    ) -> Iterator[Pair]:
        """Run both, by default our own, until the block ends."""
        with self.run_signer(signer) as signing, self.run_server(server) as serving:
            yield Pair(serving, signing)

    @contextmanager
    def run_signer(self, program: str | Path = OUR_SIGNER, **how: Any) -> Iterator[Daemon]:
        """Run the signer until the block ends, as `signing_config` does."""
        port = self.signer_port
        with signing_config(program, self.directory, self.signer, port, **how) as signer:
            yield signer

    @contextmanager
    def run_server(self, program: str | Path = OUR_SERVER) -> Iterator[Server]:
        """Run the server until the block ends."""
        with serving_config(program, self.directory, self.server, self.server_port) as server:
            yield server


def plan_pair(
    directory: Path,
    *,
    algorithm: str = "ecdsa",
    databases: MariaDB | Postgres | None = None,
    rights: str | None = None,
    level: str = "info",
    workers: int = 1,
) -> Plan:
    """Plan a pair whose databases have their tables, or get them when SQLite is first used.

    Args:
        directory: for its files.
        algorithm: of the keys.
        databases: where the databases are made, None for SQLite.
        rights: what the signer's user may do there; the server's may do everything but change
            tables. None for everything.
        level: of the logs.
        workers: processes of each daemon.
    """
    storages = {
        daemon: {"backend": "sqlite3", "db_url": str(directory / f"{daemon}.db")}
        for daemon in ("server", "signer")
    }
    names = {}
    if databases is not None:
        for daemon in storages:
            database = databases.create_database()
            names[daemon] = database.name
            storages[daemon] = {"backend": databases.backend, "db_url": database.dsn}
    plan = plan_for(directory, storages, algorithm=algorithm, level=level, workers=workers)
    if databases is not None:
        bootstrap(OUR_SERVER, directory, plan.server)
        bootstrap(OUR_SIGNER, directory, plan.signer, "signer.json")
        if rights is not None:
            databases.grant(names["server"], "SELECT, INSERT, UPDATE, DELETE")
            databases.grant(names["signer"], rights)
    return plan


def plan_for(
    directory: Path,
    storages: Mapping[str, Mapping[str, str]],
    *,
    algorithm: str = "ecdsa",
    level: str = "info",
    workers: int = 1,
) -> Plan:
    """Plan a pair whose databases are there.

    Args:
        directory: for its files.
        storages: the sections ``storage`` of ``server`` and ``signer``.
        algorithm: of the keys.
        level: of the logs.
        workers: processes of each daemon.
    """
    trust = remote_trust(signer_port := free_port(), algorithm)
    server = server_config(server_port := free_port(), storages["server"], trust_service=trust)
    signer = signer_config(signer_port, storages["signer"])
    for config in (server, signer):
        config["logging"]["level"] = level
        if workers > 1:  # which the Go daemons know nothing of
            config["server"]["workers"] = workers
    return Plan(directory, server, server_port, signer, signer_port)


@contextmanager
def run_pair(directory: Path, **plan: Any) -> Iterator[Pair]:
    """Run our own pair, as `plan_pair` says, until the block ends."""
    with plan_pair(directory, **plan).run() as pair:
        yield pair
