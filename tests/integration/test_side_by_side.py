"""A Go pair and one of ours at the same time, behind nothing but the same databases."""

from __future__ import annotations

import http.client
import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Lock
from typing import Any

import pytest

from tests.support.api_client import ApiClient, Reply
from tests.support.daemons import REFERENCE_SERVER, REFERENCE_SIGNER, find_program
from tests.support.forge import Collection, file_meta
from tests.support.mariadb import MariaDB
from tests.support.pairs import plan_for, plan_pair
from tests.support.publishers import assert_whole

pytestmark = pytest.mark.integration

CLIENTS = 8
VERSIONS = 40
GO_SERVER = Lock()
"""Held by whoever asks the Go server, which dies at times if several read at once."""


class CarefulClient(ApiClient):
    """Asks the Go server, one request at a time."""

    def ask(self, *request: Any, **more: Any) -> Reply:
        with GO_SERVER:
            return super().ask(*request, **more)


def publish_in_turn(clients: list[ApiClient], gun: str) -> list[bytes]:
    """Publish all versions of a collection, each to the next server, and return their bytes."""
    published = []
    with ExitStack() as stack:
        servers = [stack.enter_context(closing(client)) for client in clients]
        keys = [json.loads(servers[0].get(gun, f"{r}.key").body) for r in ("timestamp", "snapshot")]
        assert keys == [
            json.loads(servers[1].get(gun, f"{r}.key").body) for r in ("timestamp", "snapshot")
        ]
        collection = Collection(gun, *keys)
        for version in range(1, VERSIONS + 1):
            targets = collection.targets(version, targets={f"v{version}": file_meta(b"content")})
            files = {**(collection.first() if version == 1 else {}), "targets": targets}
            reply = servers[version % 2].publish(gun, files)
            assert reply.status == http.client.OK, reply
            published.append(targets)
            for server in servers:
                assert server.get(gun, "targets.json").body == targets
    return published


def test_publishing_to_both_in_turn(mariadb: MariaDB, tmp_path: Path) -> None:
    for name in ("ours", "go"):
        (tmp_path / name).mkdir()
    ours = plan_pair(tmp_path / "ours", databases=mariadb)
    storages = {
        "server": ours.server["storage"],
        "signer": {name: ours.signer["storage"][name] for name in ("backend", "db_url")},
    }
    go = plan_for(tmp_path / "go", storages)
    programs = find_program(REFERENCE_SERVER, "notary"), find_program(REFERENCE_SIGNER, "notary")
    guns = [f"registry.example.com/both/{number}" for number in range(CLIENTS)]
    with ours.run() as our_pair, go.run(*programs) as go_pair, ThreadPoolExecutor(CLIENTS) as pool:
        ports = [our_pair.server.port, go_pair.server.port]
        jobs = {}
        for number, gun in enumerate(guns):
            clients = [ApiClient(ports[0]), CarefulClient(ports[1])]
            jobs[gun] = pool.submit(publish_in_turn, clients[:: 1 if number % 2 else -1], gun)
        published = {gun: job.result() for gun, job in jobs.items()}
        for port in ports:
            with closing(ApiClient(port)) as client:
                for gun, targets in published.items():
                    assert_whole(client, gun, targets)
                page = client.ask("GET", "/v2/_trust/changefeed?records=1000").body
                records = json.loads(page)["records"]
                changes = Counter((record["GUN"], record["Version"]) for record in records)
                assert changes == Counter(
                    (gun, version) for gun in guns for version in range(1, VERSIONS + 1)
                )
