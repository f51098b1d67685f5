"""A deployment of the Go daemons moves over to ours, and back, with its files and databases."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import attrs
import pytest

from notary.storage.dsn import engine_url
from notary.storage.engines import create_engine_for
from tests.support.daemons import (
    OUR_SERVER,
    OUR_SIGNER,
    REFERENCE_SERVER,
    REFERENCE_SIGNER,
    DaemonError,
    Server,
    bootstrap,
    find_program,
)
from tests.support.delegations import RELEASES, enrol
from tests.support.go_tables import GoLevel, create_go_tables
from tests.support.notary_client import NotaryClient, Target
from tests.support.pairs import Plan, plan_for

pytestmark = pytest.mark.integration

COLLECTIONS = 20
AT_A_TIME = 4
"""Clients that work beside each other."""

T = TypeVar("T")

DIALECTS = {"mysql": "mysql", "postgres": "postgresql"}


@attrs.frozen
class Team:
    """Who works on one collection, all with trust directories of their own."""

    number: int
    gun: str
    publisher: NotaryClient
    delegate: NotaryClient
    reader: NotaryClient
    artefact: Path

    @classmethod
    def found(cls, server: Server, directory: Path, number: int) -> Team:
        directory.mkdir()
        (directory / "artefact").write_text(f"the content of {number}\n")
        return cls(
            number,
            f"registry.example.com/café/{number}",
            NotaryClient(server, directory / "publisher"),
            NotaryClient(server, directory / "delegate"),
            NotaryClient(server, directory / "reader"),
            directory / "artefact",
        )

    def begin(self) -> None:
        """Publish for the first time, and give a delegate a part in it."""
        self.publisher.run("init", "-p", self.gun)
        self.publisher.run("key", "rotate", self.gun, "snapshot", "-r")
        enrol(self.publisher, self.delegate, self.gun, RELEASES, paths="")
        self.go_on("first")

    def go_on(self, tag: str) -> None:
        """Publish with the keys that are there, and rotate one of the server's."""
        self.publisher.run("add", "-p", self.gun, tag, self.artefact)
        self.delegate.run("add", "-p", self.gun, f"{tag}-r", self.artefact, "--roles", RELEASES)
        role = ("timestamp", "snapshot")[self.number % 2]
        self.publisher.run("key", "rotate", self.gun, role, "-r")
        if self.number % 5 == 0:
            self.publisher.run("key", "rotate", self.gun, "targets")

    def look(self) -> dict[str, Target]:
        """Return what a reader finds; every other one verifies some of it."""
        if self.number % 2:
            verified = self.reader.run("verify", self.gun, "first", "-i", self.artefact)
            assert verified == self.artefact.read_text()
        return self.reader.targets(self.gun)


def all_at_work(teams: list[Team], work: Callable[[Team], T]) -> list[T]:
    with ThreadPoolExecutor(AT_A_TIME) as threads:
        return list(threads.map(work, teams))


def one_by_one(teams: list[Team], work: Callable[[Team], T]) -> list[T]:
    """Have all teams do something in turn: the Go server dies at times if several read at once."""
    return list(map(work, teams))


def names(*tags: str) -> set[str]:
    return {name for tag in tags for name in (tag, f"{tag}-r")}


@pytest.fixture(params=DIALECTS)
def plan(request: pytest.FixtureRequest, tmp_path: Path) -> Plan:
    """A pair that has the Go daemons' tables, of their last levels."""
    backend = request.param
    database_server = request.getfixturevalue("mariadb" if backend == "mysql" else "postgres")
    storages = {}
    for daemon in ("server", "signer"):
        dsn = database_server.create_database().dsn
        storages[daemon] = {"backend": backend, "db_url": dsn}
        engine = create_engine_for(engine_url(backend, dsn))
        create_go_tables(engine, GoLevel(daemon, DIALECTS[backend], 1).last)
        engine.dispose()
    return plan_for(tmp_path, storages)


def test_there_and_back(plan: Plan) -> None:
    go = (
        Path(find_program(REFERENCE_SERVER, "notary")),
        Path(find_program(REFERENCE_SIGNER, "notary")),
    )
    server = Server(plan.server_port, plan.directory / "server.log", pid=0)
    teams = [Team.found(server, plan.directory / f"{n}", n) for n in range(COLLECTIONS)]

    with plan.run(*go):
        one_by_one(teams, Team.begin)
        before = one_by_one(teams, Team.look)
        assert [set(found) for found in before] == [names("first")] * COLLECTIONS

    for run in (plan.run_server, plan.run_signer):
        with pytest.raises(DaemonError, match=r"taken over yet: run notary-\w+ -bootstrap"), run():
            pass
    bootstrap(OUR_SERVER, plan.directory, plan.server)
    bootstrap(OUR_SIGNER, plan.directory, plan.signer, "signer.json")

    with plan.run(OUR_SERVER, OUR_SIGNER):
        assert all_at_work(teams, Team.look) == before
        all_at_work(teams, lambda team: team.go_on("second"))
        after = all_at_work(teams, Team.look)
        assert [set(found) for found in after] == [names("first", "second")] * COLLECTIONS

    with plan.run(*go):
        assert one_by_one(teams, Team.look) == after
        one_by_one(teams, lambda team: team.go_on("third"))
        last = one_by_one(teams, Team.look)
        assert [set(found) for found in last] == [names("first", "second", "third")] * COLLECTIONS
