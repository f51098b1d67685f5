"""The Go server and ours on one database: what either stores, the other serves."""

from __future__ import annotations

import ssl
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from pytest_twisted import ensureDeferred
from sqlalchemy import Engine
from twisted.internet.task import Clock
from twisted.internet.threads import deferToThread

from notary.storage.interfaces import NewFile
from notary.storage.sql import SQLMetadataStore
from notary.storage.threads import WorkerThreads
from tests.support.daemons import (
    REFERENCE_SERVER,
    ROOT_CA,
    Server,
    find_program,
    free_port,
    server_config,
    serving_config,
)
from tests.support.mariadb import Database
from tests.support.notary_client import NotaryClient

pytestmark = pytest.mark.integration

GUN = "host/app"


def read(server: Server, name: str) -> bytes:
    context = ssl.create_default_context(cafile=ROOT_CA)
    url = f"{server.url}/v2/{GUN}/_trust/tuf/{name}"
    with urlopen(url, timeout=10, context=context) as response:
        body: bytes = response.read()
        return body


@ensureDeferred
async def test_share_a_database(
    database: Database,
    mariadb_engine: Engine,
    threads: WorkerThreads,
    clock: Clock,
    tmp_path: Path,
) -> None:
    store = SQLMetadataStore(mariadb_engine, threads, clock)
    program = find_program(REFERENCE_SERVER, "notary")
    config = server_config(port := free_port(), {"backend": "mysql", "db_url": database.dsn})
    with serving_config(program, tmp_path, config, port) as server:
        NotaryClient(server, tmp_path / "trust").run("init", "--publish", GUN)

        served = await deferToThread(read, server, "timestamp.json")
        stored = await store.newest(GUN, "timestamp")
        assert stored.data == served
        assert await store.by_checksum(GUN, "timestamp", stored.sha256) == stored
        [change] = await store.changes(GUN, None, 10)
        assert (change.version, change.sha256) == (stored.version, stored.sha256)

        ours = NewFile("timestamp", stored.version + 1, b"ours")
        await store.publish(GUN, [ours], stored)
        assert await deferToThread(read, server, f"{ours.version}.timestamp.json") == b"ours"

        await store.delete(GUN)
        with pytest.raises(HTTPError, match="404"):
            await deferToThread(read, server, "timestamp.json")
