"""Two servers on one database, asked without a pause: nobody gets what was replaced before."""

from __future__ import annotations

import http.client
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Event

import attrs
import pytest

from tests.support.api_client import ApiClient
from tests.support.daemons import free_port
from tests.support.forge import Collection
from tests.support.mariadb import MariaDB
from tests.support.pairs import Plan, plan_pair

pytestmark = pytest.mark.integration

GUNS = [f"registry.example.com/fresh/{number}" for number in range(2)]
VERSIONS = 80
READERS = 8
READ_ROLES = ("timestamp", "snapshot", "targets")


@attrs.define
class Hammer:
    """Publishes and reads at the same time, at all servers in turn.

    Attributes:
        ports: the servers'.
        acknowledged: the versions whose publish was answered last, by GUN.
        reads: how often somebody looked.
    """

    ports: Sequence[int]
    acknowledged: dict[str, int] = attrs.Factory(lambda: dict.fromkeys(GUNS, 0))
    reads: int = 0

    def publish(self, gun: str) -> None:
        """Publish all versions of a collection, each to the next server."""
        with ExitStack() as stack:
            clients = [stack.enter_context(closing(ApiClient(port))) for port in self.ports]
            keys = [json.loads(clients[0].get(gun, f"{r}.key").body) for r in READ_ROLES[:2]]
            collection = Collection(gun, *keys)
            for version in range(1, VERSIONS + 1):
                files = {**collection.first(), "targets": collection.targets(version)}
                if version > 1:
                    del files["root"]
                reply = clients[version % len(clients)].publish(gun, files)
                assert reply.status == http.client.OK, reply
                self.acknowledged[gun] = version

    def read(self, number: int, stopped: Event) -> None:
        """Look at all collections, and at what of them was acknowledged before."""
        with ExitStack() as stack:
            clients = [stack.enter_context(closing(ApiClient(port))) for port in self.ports]
            turn = number
            while not stopped.is_set():
                turn += 1
                gun = GUNS[turn % len(GUNS)]
                role = READ_ROLES[turn // len(GUNS) % len(READ_ROLES)]
                known = self.acknowledged[gun]
                reply = clients[turn // 3 % len(clients)].get(gun, f"{role}.json")
                if reply.status == http.client.OK:
                    assert json.loads(reply.body)["signed"]["version"] >= known, (gun, role)
                else:
                    assert (reply.status, known) == (http.client.NOT_FOUND, 0)
                self.reads += 1


@pytest.mark.parametrize("workers", [1, 2])
def test_nobody_reads_what_is_older_than_was_acknowledged(
    mariadb: MariaDB, tmp_path: Path, workers: int
) -> None:
    plan = plan_pair(tmp_path, databases=mariadb, workers=workers, level="error")
    with plan.run() as pair, beside(plan).run_server() as other:
        hammer = Hammer([pair.server.port, other.port])
        stopped = Event()
        with ThreadPoolExecutor(READERS + len(GUNS)) as pool:
            reading = [pool.submit(hammer.read, number, stopped) for number in range(READERS)]
            try:
                for job in [pool.submit(hammer.publish, gun) for gun in GUNS]:
                    job.result()
            finally:
                stopped.set()
            for job in reading:
                job.result()
    print(f"{hammer.reads} reads beside {len(GUNS) * VERSIONS} publishes")
    assert hammer.acknowledged == dict.fromkeys(GUNS, VERSIONS)
    assert hammer.reads > len(GUNS) * VERSIONS


def beside(plan: Plan) -> Plan:
    """One more server, with the same database and signer."""
    directory = plan.directory / "beside"
    directory.mkdir()
    port = free_port()
    section = {**plan.server["server"], "http_addr": f"127.0.0.1:{port}"}
    server = {**plan.server, "server": section}
    return attrs.evolve(plan, directory=directory, server=server, server_port=port)
