"""A pair over a Galera cluster of three nodes, one of which is killed and comes back."""

from __future__ import annotations

import json
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Event

import pytest

from tests.support.api_client import ApiClient
from tests.support.daemons import OUR_SERVER, OUR_SIGNER, bootstrap
from tests.support.galera import Galera
from tests.support.pairs import plan_for
from tests.support.publishers import Publisher, Reader, acknowledged, assert_whole, wait_for

pytestmark = pytest.mark.integration

CLIENTS = 16
COLLECTIONS = 48
VERSIONS = 12
LONGEST_ANSWER = 60


def test_a_node_is_killed_and_joins_again(galera: Galera, tmp_path: Path) -> None:
    first, _, last = galera.nodes
    storages = {}
    for daemon in ("server", "signer"):
        dsn = first.create_database().dsn.replace(f":{first.port})", f":{galera.port})")
        storages[daemon] = {"backend": "mysql", "db_url": dsn}
    plan = plan_for(tmp_path, storages, level="error")
    bootstrap(OUR_SERVER, tmp_path, plan.server)
    bootstrap(OUR_SIGNER, tmp_path, plan.signer, "signer.json")
    guns = [f"registry.example.com/galera/{number}" for number in range(COLLECTIONS)]
    stopped = Event()
    with ExitStack() as stack:
        pair = stack.enter_context(plan.run())
        pool = stack.enter_context(ThreadPoolExecutor(2 * CLIENTS))
        stack.callback(stopped.set)
        port = pair.server.port
        publishers = [Publisher(port, guns[n::CLIENTS], VERSIONS) for n in range(CLIENTS)]
        readers = [Reader(port, guns[n::CLIENTS]) for n in range(CLIENTS)]
        jobs: list[Future[None]] = [pool.submit(publisher.work) for publisher in publishers]
        reading = [pool.submit(reader.work, stopped) for reader in readers]
        number = COLLECTIONS * VERSIONS
        wait_for(publishers, jobs, number // 4)
        last.kill()
        begun, before = time.monotonic(), acknowledged(publishers)
        wait_for(publishers, jobs, before + 1)
        noticed = time.monotonic() - begun
        wait_for(publishers, jobs, number // 2)
        galera.join(last)
        for job in jobs:
            job.result()
        stopped.set()
        for reader in reading:
            reader.result()
        with closing(ApiClient(port)) as client:
            for publisher in publishers:
                for gun in publisher.guns:
                    assert_whole(client, gun, publisher.acknowledged[gun])
            changes = json.loads(client.ask("GET", "/v2/_trust/changefeed?records=1000").body)
    everybody: list[Publisher | Reader] = [*publishers, *readers]
    refused = sum((each.refused for each in everybody), Counter())
    slowest = max(each.slowest for each in everybody)
    name = storages["server"]["db_url"].rpartition("/")[2].partition("?")[0]
    rows = [node.execute(f"SELECT COUNT(*) FROM {name}.tuf_files") for node in galera.nodes]
    print(
        f"{acknowledged(publishers)} publishes acknowledged; next one {noticed:.1f} s after a node "
        f"was killed; refused: {dict(refused)}; slowest answer {slowest:.1f} s; rows {rows}"
    )
    assert Counter(each["GUN"] for each in changes["records"]) == dict.fromkeys(guns, VERSIONS)
    assert len(set(map(tuple, rows))) == 1
    assert set(refused) <= {"STORE_UNAVAILABLE", "SIGNER_UNAVAILABLE"}
    assert slowest < LONGEST_ANSWER
