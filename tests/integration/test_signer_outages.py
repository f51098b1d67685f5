"""Publishing goes on while the signer comes and goes."""

from __future__ import annotations

import http.client
import json
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from subprocess import Popen
from typing import Any

import attrs
import pytest

from notary.tuf.files import Root, Snapshot, Timestamp
from notary.tuf.metadata import Metadata
from tests.support.api_client import ApiClient, Reply
from tests.support.forge import Collection, file_meta
from tests.support.mariadb import MariaDB
from tests.support.pairs import plan_pair
from tests.support.processes import files_of, memory_of

pytestmark = pytest.mark.integration

CLIENTS = 16
COLLECTIONS = 50
VERSIONS = 20
OUTAGES = 5
AWAY_SECONDS = [0.5, 1, 2, 4, 6]
LONGEST_ANSWER = 15
"""Seconds: two calls of five at the most, and what a busy machine adds."""
GROWTH = 64 * 1024 * 1024
"""Bytes that a daemon's memory may grow by: caches fill, allocators keep."""


@attrs.define
class Publisher:
    """One person's collections, and how the server answered.

    Attributes:
        port: the server's.
        guns: the collections.
        acknowledged: the bytes of each targets file that was answered with 200, by GUN.
        refused: how often each other answer came.
        slowest: seconds of the longest wait for an answer.
    """

    port: int
    guns: list[str]
    acknowledged: dict[str, list[bytes]] = attrs.Factory(dict)
    refused: Counter[str] = attrs.Factory(Counter)
    slowest: float = 0.0

    def work(self) -> None:
        """Publish all versions of all collections, each until it is acknowledged."""
        with closing(ApiClient(self.port)) as client:
            collections = [
                Collection(
                    gun, self._key(client, gun, "timestamp"), self._key(client, gun, "snapshot")
                )
                for gun in self.guns
            ]
            for version in range(1, VERSIONS + 1):
                for collection in collections:
                    self._publish(client, collection, version)

    def _key(self, client: ApiClient, gun: str, role: str) -> Any:
        return json.loads(self._until_served(lambda: client.get(gun, f"{role}.key")).body)

    def _publish(self, client: ApiClient, collection: Collection, version: int) -> None:
        targets = collection.targets(version, targets={f"v{version}": file_meta(b"content")})
        files = {"targets": targets} if version > 1 else {**collection.first(), "targets": targets}
        self._until_served(lambda: client.publish(collection.gun, files))
        self.acknowledged.setdefault(collection.gun, []).append(targets)

    def _until_served(self, ask: Callable[[], Reply]) -> Reply:
        while True:
            begun = time.monotonic()
            reply = ask()
            self.slowest = max(self.slowest, time.monotonic() - begun)
            if reply.status == http.client.OK:
                return reply
            assert reply.status == http.client.SERVICE_UNAVAILABLE, reply
            assert reply.headers["Retry-After"] == "5"
            self.refused[reply.code] += 1
            time.sleep(0.1)


def check(client: ApiClient, gun: str, targets: list[bytes]) -> None:
    """A collection has what was acknowledged, all of it, nothing else, and signed."""
    root = Root.read(Metadata.parse(client.get(gun, "root.json").body))
    assert [client.get(gun, f"{n}.targets.json").body for n in range(1, VERSIONS + 1)] == targets
    for n in range(1, VERSIONS + 1):
        snapshot = Metadata.parse(client.get(gun, f"{n}.snapshot.json").body)
        timestamp = Metadata.parse(client.get(gun, f"{n}.timestamp.json").body)
        for role, file in (("snapshot", snapshot), ("timestamp", timestamp)):
            file.check_signatures(role, root.roles[role].keys, 1)
        assert Timestamp.read(timestamp).snapshot.describes(snapshot.data)
        assert Snapshot.read(snapshot).meta["targets"].describes(targets[n - 1])
    for role in ("targets", "snapshot", "timestamp"):
        missing = client.get(gun, f"{VERSIONS + 1}.{role}.json")
        assert missing.status == http.client.NOT_FOUND


def test_what_is_acknowledged_is_there_as_a_whole(mariadb: MariaDB, tmp_path: Path) -> None:
    """Every other outage is a crash."""
    rights = "SELECT, INSERT, UPDATE, DELETE"
    plan = plan_pair(tmp_path, databases=mariadb, rights=rights, level="error")
    guns = [f"registry.example.com/outage/{number}" for number in range(COLLECTIONS)]
    with plan.run_server() as server, ThreadPoolExecutor(CLIENTS) as pool:
        publishers = [Publisher(server.port, guns[n::CLIENTS]) for n in range(CLIENTS)]
        jobs: list[Future[None]] = []
        sizes, files = [], []
        for outage in range(OUTAGES):
            how = Popen.kill if outage % 2 else Popen.terminate
            with plan.run_signer(how_to_stop=how):
                jobs = jobs or [pool.submit(publisher.work) for publisher in publishers]
                wait_for(publishers, jobs, (outage + 1) * COLLECTIONS * VERSIONS // (OUTAGES + 1))
                sizes.append(memory_of(server.pid))
                files.append(files_of(server.pid))
            time.sleep(AWAY_SECONDS[outage])
        with plan.run_signer():
            for job in jobs:
                job.result()
            sizes.append(memory_of(server.pid))
            with closing(ApiClient(server.port)) as client:
                for publisher in publishers:
                    for gun in publisher.guns:
                        check(client, gun, publisher.acknowledged[gun])
            files.append(files_of(server.pid))
    refused = sum((publisher.refused for publisher in publishers), Counter())
    slowest = max(publisher.slowest for publisher in publishers)
    print(
        f"{len(guns) * VERSIONS} publishes acknowledged; refused meanwhile: {dict(refused)}; "
        f"slowest answer {slowest:.1f} s; memory {[size >> 20 for size in sizes]} MiB; "
        f"open files {files}"
    )
    assert set(refused) <= {"SIGNER_UNAVAILABLE"}
    assert slowest < LONGEST_ANSWER
    assert max(sizes) - sizes[0] < GROWTH
    assert max(files) <= files[0] + CLIENTS


def wait_for(publishers: list[Publisher], jobs: list[Future[None]], number: int) -> None:
    """Wait until so many publishes are acknowledged, or all of them."""
    while sum(len(each) for p in publishers for each in p.acknowledged.values()) < number:
        for job in jobs:
            if job.done():
                job.result()
        time.sleep(0.05)
