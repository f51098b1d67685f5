"""Publishing and reading go on while the database of a pair comes and goes."""

from __future__ import annotations

import http.client
import json
import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Event

import attrs
import pytest

from tests.support.api_client import ApiClient, Reply
from tests.support.forge import Collection, Files, file_meta
from tests.support.mariadb import MariaDB
from tests.support.pairs import Pair, plan_pair
from tests.support.processes import files_of, memory_of
from tests.support.publishers import (
    Publisher,
    Reader,
    acknowledged,
    assert_unavailable,
    assert_whole,
    wait_for,
)

pytestmark = pytest.mark.integration

CLIENTS = 16
COLLECTIONS = 48
VERSIONS = 15
OUTAGES = 10
AWAY_SECONDS = [0.2, 1, 2]
LONGEST_ANSWER = 60
"""Seconds: two calls of five of the signer, or the queue and a connection, on a busy machine."""
LONGEST_SILENCE = 60
"""Seconds: the queue's ten, five for a ping and five for a new connection, on a busy machine."""
FIRST_SUCCESS = 60
"""Seconds after which a database that is back is used again."""
GROWTH = 64 * 1024 * 1024
GUN = "registry.example.com/calm"
RIGHTS = "SELECT, INSERT, UPDATE, DELETE"


@pytest.mark.parametrize("workers", [1, 2])
def test_what_is_acknowledged_survives_crashes(
    own_mariadb: MariaDB, tmp_path: Path, workers: int
) -> None:
    own_mariadb.start()
    plan = plan_pair(tmp_path, databases=own_mariadb, rights=RIGHTS, level="error", workers=workers)
    guns = [f"registry.example.com/outage/{number}" for number in range(COLLECTIONS)]
    stopped = Event()
    with ExitStack() as stack:
        pair = stack.enter_context(plan.run())
        pool = stack.enter_context(ThreadPoolExecutor(2 * CLIENTS))
        stack.callback(stopped.set)
        publishers = [Publisher(pair.server.port, guns[n::CLIENTS], VERSIONS) for n in range(16)]
        readers = [Reader(pair.server.port, guns[n::CLIENTS]) for n in range(CLIENTS)]
        jobs: list[Future[None]] = [pool.submit(publisher.work) for publisher in publishers]
        reading = [pool.submit(reader.work, stopped) for reader in readers]
        seconds = []
        sizes, files = [], []
        for outage in range(OUTAGES):
            wait_for(publishers, jobs, (outage + 1) * COLLECTIONS * VERSIONS // (OUTAGES + 2))
            sizes.append(memory_of(pair.server.pid) + memory_of(pair.signer.pid))
            files.append(files_of(pair.server.pid) + files_of(pair.signer.pid))
            own_mariadb.kill()
            time.sleep(AWAY_SECONDS[outage % len(AWAY_SECONDS)])
            own_mariadb.start()
            seconds.append(first_success(publishers, jobs, readers))
        for job in jobs:
            job.result()
        stopped.set()
        for reader in reading:
            reader.result()
        with closing(ApiClient(pair.server.port)) as client:
            for publisher in publishers:
                for gun in publisher.guns:
                    assert len(publisher.acknowledged[gun]) == VERSIONS
                    assert_whole(client, gun, publisher.acknowledged[gun])
            changes = json.loads(client.ask("GET", "/v2/_trust/changefeed?records=1000").body)
        sizes.append(memory_of(pair.server.pid) + memory_of(pair.signer.pid))
        files.append(files_of(pair.server.pid) + files_of(pair.signer.pid))
    everybody: list[Publisher | Reader] = [*publishers, *readers]
    refused = sum((each.refused for each in everybody), Counter())
    slowest = max(each.slowest for each in everybody)
    print(
        f"{acknowledged(publishers)} publishes acknowledged, "
        f"{sum(publisher.unconfirmed for publisher in publishers)} of them found stored after 503; "
        f"{sum(reader.served for reader in readers)} collections read; refused meanwhile: "
        f"{dict(refused)}; slowest answer {slowest:.1f} s; seconds from the database's first "
        f"answer to the first publish and the first read: {seconds}; memory "
        f"{[size >> 20 for size in sizes]} MiB; open files {files}"
    )
    per_gun = Counter(change["GUN"] for change in changes["records"])
    assert per_gun == dict.fromkeys(guns, VERSIONS)
    assert set(refused) <= {"STORE_UNAVAILABLE", "SIGNER_UNAVAILABLE"}
    assert refused
    assert slowest < LONGEST_ANSWER
    assert max(max(pair) for pair in seconds) < FIRST_SUCCESS
    assert max(sizes) - sizes[0] < GROWTH
    assert max(files) <= files[0] + 2 * CLIENTS


def first_success(
    publishers: list[Publisher], jobs: list[Future[None]], readers: list[Reader]
) -> tuple[float, float]:
    """Seconds until something is published and something is read."""
    begun = time.monotonic()
    served = sum(reader.served for reader in readers)
    wait_for(publishers, jobs, acknowledged(publishers) + 1)
    published = time.monotonic() - begun
    while sum(reader.served for reader in readers) == served:
        time.sleep(0.01)
        assert time.monotonic() - begun < FIRST_SUCCESS
    return round(published, 2), round(time.monotonic() - begun, 2)


@attrs.define
class Calm:
    """A pair with one published collection, and how to go on with it."""

    mariadb: MariaDB
    pair: Pair
    client: ApiClient
    collection: Collection
    version: int = 1

    def files(self) -> Files:
        targets = self.collection.targets(
            self.version, targets={f"v{self.version}": file_meta(b"content")}
        )
        first = self.collection.first() if self.version == 1 else {}
        return {**first, "targets": targets}

    def publish(self) -> Reply:
        """Publish the next version; the one after that comes next if it was stored."""
        reply = self.client.publish(GUN, self.files())
        self.version += reply.status == http.client.OK
        return reply

    def health(self) -> dict[str, str]:
        found: dict[str, str] = json.loads(self.client.ask("GET", "/_notary_server/health").body)
        return found


@pytest.fixture
def calm(own_mariadb: MariaDB, tmp_path: Path) -> Iterator[Calm]:
    own_mariadb.start()
    plan = plan_pair(tmp_path, databases=own_mariadb, rights=RIGHTS)
    with plan.run() as pair, closing(ApiClient(pair.server.port)) as client:
        keys = [json.loads(client.get(GUN, f"{r}.key").body) for r in ("timestamp", "snapshot")]
        calm = Calm(own_mariadb, pair, client, Collection(GUN, *keys))
        assert calm.publish().status == http.client.OK
        yield calm


def test_a_read_only_database_is_read(calm: Calm) -> None:
    calm.mariadb.execute("SET GLOBAL read_only = 1")
    for name in ("root.json", "timestamp.json", "snapshot.json", "targets.json", "timestamp.key"):
        assert calm.client.get(GUN, name).status == http.client.OK
    reply = calm.publish()
    assert_unavailable(reply)
    assert reply.code == "STORE_UNAVAILABLE"
    assert_unavailable(calm.client.get(f"{GUN}/new", "timestamp.key"))
    failing = calm.health()
    assert set(failing) == {"DB writable", "Trust operational"}
    for reason in failing.values():
        assert "is read-only: 1290" in reason
    calm.mariadb.execute("SET GLOBAL read_only = 0")
    assert calm.health() == {}
    assert calm.publish().status == http.client.OK


def test_a_silent_database_is_cut_off(calm: Calm) -> None:
    port = calm.pair.server.port
    files = files_of(calm.pair.server.pid), files_of(calm.pair.signer.pid)
    calm.mariadb.send(signal.SIGSTOP)

    def ask(number: int) -> float:
        begun = time.monotonic()
        with closing(ApiClient(port)) as client:
            if number % 4:
                assert_unavailable(client.get(GUN, "timestamp.json"))
            else:
                assert_unavailable(client.publish(GUN, calm.files()))
        return time.monotonic() - begun

    with ThreadPoolExecutor(CLIENTS) as pool:
        waits = list(pool.map(ask, range(CLIENTS)))
    assert "DB operational" in calm.health()
    calm.mariadb.send(signal.SIGCONT)
    begun = time.monotonic()
    while calm.health():
        assert time.monotonic() - begun < LONGEST_SILENCE
        time.sleep(0.1)
    seconds = time.monotonic() - begun
    assert calm.publish().status == http.client.OK
    assert calm.client.get(GUN, "2.targets.json").status == http.client.OK
    left = files_of(calm.pair.server.pid), files_of(calm.pair.signer.pid)
    print(
        f"answers of a silent database within {max(waits):.1f} s; healthy {seconds:.1f} s after it "
        f"spoke again; open files {files}, then {left}"
    )
    assert max(waits) < LONGEST_SILENCE
    assert left[0] <= files[0] + 4
    assert left[1] <= files[1] + 4
