"""Publishing goes on while the signer comes and goes."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from subprocess import Popen

import pytest

from tests.support.api_client import ApiClient
from tests.support.mariadb import MariaDB
from tests.support.pairs import plan_pair
from tests.support.processes import files_of, memory_of
from tests.support.publishers import Publisher, assert_whole, wait_for

pytestmark = pytest.mark.integration

CLIENTS = 16
COLLECTIONS = 50
VERSIONS = 20
OUTAGES = 5
AWAY_SECONDS = [0.5, 1, 2, 4, 6]
LONGEST_ANSWER = 60
"""Seconds: two calls of five at the most, and what a busy machine adds."""
GROWTH = 64 * 1024 * 1024
"""Bytes that a daemon's memory may grow by: caches fill, allocators keep."""


@pytest.mark.parametrize("workers", [1, 2])
def test_what_is_acknowledged_is_there_as_a_whole(
    mariadb: MariaDB, tmp_path: Path, workers: int
) -> None:
    """Every other outage is a crash."""
    rights = "SELECT, INSERT, UPDATE, DELETE"
    plan = plan_pair(tmp_path, databases=mariadb, rights=rights, level="error", workers=workers)
    guns = [f"registry.example.com/outage/{number}" for number in range(COLLECTIONS)]
    with plan.run_server() as server, ThreadPoolExecutor(CLIENTS) as pool:
        publishers = [Publisher(server.port, guns[n::CLIENTS], VERSIONS) for n in range(CLIENTS)]
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
                        assert_whole(client, gun, publisher.acknowledged[gun])
            files.append(files_of(server.pid))
    refused = sum((publisher.refused for publisher in publishers), Counter())
    slowest = max(publisher.slowest for publisher in publishers)
    print(
        f"{len(guns) * VERSIONS} publishes acknowledged; refused meanwhile: {dict(refused)}; "
        f"slowest answer {slowest:.1f} s; memory {[size >> 20 for size in sizes]} MiB; "
        f"open files {files}"
    )
    assert set(refused) <= {"SIGNER_UNAVAILABLE"}
    assert not any(publisher.unconfirmed for publisher in publishers)
    assert slowest < LONGEST_ANSWER
    assert max(sizes) - sizes[0] < GROWTH
    assert max(files) <= files[0] + CLIENTS
