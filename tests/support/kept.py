"""Clients that keep their connections, of whose requests none may fail."""

from __future__ import annotations

import http.client
import json
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from hashlib import sha256
from itertools import count

import attrs

from tests.support.api_client import ApiClient, Reply
from tests.support.forge import Collection, file_meta, multipart

PAUSE = 0.04
"""Seconds between two requests of a reader: eight of them ask 200 times in a second."""


@attrs.define
class Client:
    """Somebody who keeps a connection for as long as the server does.

    Attributes:
        answered: how many requests were.
    """

    api: ApiClient
    answered: int = 0
    _last: bool = False

    def ask(self, method: str, path: str, body: bytes = b"", content_type: str = "") -> Reply:
        """Ask on the same connection, if it is still kept."""
        assert not self._last
        reply = self.api.ask(method, path, body, content_type)
        assert reply.status == http.client.OK, reply
        self.answered += 1
        self._last = reply.headers["Connection"] == "close"
        return reply

    def read(self, paths: list[str]) -> None:
        """Ask for files in turn until told to go."""
        with closing(self.api):
            for number in count():
                self.ask("GET", paths[number % len(paths)])
                if self._last:
                    return
                time.sleep(PAUSE)

    def publish(self, collection: Collection) -> None:
        """Publish version after version until told to go."""
        with closing(self.api):
            for version in count(2):
                self.publish_version(collection, version)
                if self._last:
                    return

    def publish_version(self, collection: Collection, version: int) -> bytes:
        """Publish one version."""
        targets = collection.targets(version, targets={f"v{version}": file_meta(b"content")})
        files = {"targets": targets} if version > 1 else {**collection.first(), "targets": targets}
        content_type, body = multipart(files)
        self.ask("POST", f"/v2/{collection.gun}/_trust/tuf/", body, content_type)
        return targets


def begin(clients: list[Client], pool: ThreadPoolExecutor, gun: str) -> list[Future[None]]:
    """Have one of them publish, and all others read."""
    *readers, publisher = clients
    base = f"/v2/{gun}/_trust/tuf/"
    keys = [
        json.loads(publisher.ask("GET", f"{base}{role}.key").body)
        for role in ("timestamp", "snapshot")
    ]
    collection = Collection(gun, *keys)
    targets = publisher.publish_version(collection, 1)
    paths = [f"{base}timestamp.json", f"{base}targets.{sha256(targets).hexdigest()}.json"]
    return [
        *(pool.submit(reader.read, paths) for reader in readers),
        pool.submit(publisher.publish, collection),
    ]


def fail_early(jobs: list[Future[None]]) -> None:
    """Raise what one of them has failed with."""
    for job in jobs:
        assert not job.done() or job.result()
