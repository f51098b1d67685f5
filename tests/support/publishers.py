"""People who publish and read a lot while parts of a pair come and go."""

from __future__ import annotations

import http.client
import json
import time
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing
from hashlib import sha256
from threading import Event
from typing import Any

import attrs

from notary.tuf.files import Root, Snapshot, Timestamp
from notary.tuf.metadata import Metadata
from tests.support.api_client import ApiClient, Reply
from tests.support.forge import Collection, file_meta


@attrs.define
class Publisher:
    """One person's collections, and how the server answered.

    Attributes:
        port: the server's.
        guns: the collections.
        versions: how many versions of each are published.
        acknowledged: the bytes of each targets file that was answered with 200, by GUN.
        refused: how often each other answer came.
        unconfirmed: how often a publish that was answered with 503 was found to be stored.
        slowest: seconds of the longest wait for an answer.
    """

    port: int
    guns: list[str]
    versions: int
    acknowledged: dict[str, list[bytes]] = attrs.Factory(dict)
    refused: Counter[str] = attrs.Factory(Counter)
    unconfirmed: int = 0
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
            for version in range(1, self.versions + 1):
                for collection in collections:
                    self._publish(client, collection, version)

    def _key(self, client: ApiClient, gun: str, role: str) -> Any:
        return json.loads(self._until_served(lambda: client.get(gun, f"{role}.key")).body)

    def _publish(self, client: ApiClient, collection: Collection, version: int) -> None:
        targets = collection.targets(version, targets={f"v{version}": file_meta(b"content")})
        files = {"targets": targets} if version > 1 else {**collection.first(), "targets": targets}

        def publish_unless_stored() -> Reply:
            reply = client.publish(collection.gun, files)
            if refused == self.refused or reply.status != http.client.BAD_REQUEST:
                return reply
            # An answer of 503 leaves open whether the publish was stored before all was lost.
            stored = self._until_served(lambda: client.get(collection.gun, name))
            assert stored.body == targets, reply
            self.unconfirmed += 1
            return stored

        refused = self.refused.copy()
        name = f"{version}.targets.json"
        self._until_served(publish_unless_stored)
        self.acknowledged.setdefault(collection.gun, []).append(targets)

    def _until_served(self, ask: Callable[[], Reply]) -> Reply:
        while True:
            begun = time.monotonic()
            reply = ask()
            self.slowest = max(self.slowest, time.monotonic() - begun)
            if reply.status == http.client.OK:
                return reply
            assert_unavailable(reply)
            self.refused[reply.code] += 1
            time.sleep(0.1)


@attrs.define
class Reader:
    """Somebody who follows collections from their timestamps down.

    Attributes:
        port: the server's.
        guns: the collections.
        served: how many times a whole collection was read.
        refused: how often each other answer came.
        slowest: seconds of the longest wait for an answer.
    """

    port: int
    guns: Sequence[str]
    served: int = 0
    refused: Counter[str] = attrs.Factory(Counter)
    slowest: float = 0.0

    def work(self, stopped: Event) -> None:
        """Read the collections in turn."""
        with closing(ApiClient(self.port)) as client:
            while not stopped.is_set():
                for gun in self.guns:
                    self._read(client, gun)
                    if stopped.wait(0.05):
                        return

    def _read(self, client: ApiClient, gun: str) -> None:
        timestamp = self._ask(client, gun, "timestamp.json")
        if timestamp is None:
            return
        snapshot = self._follow(client, gun, "snapshot", timestamp)
        if snapshot is None:
            return
        if self._follow(client, gun, "targets", snapshot) is not None:
            self.served += 1

    def _follow(self, client: ApiClient, gun: str, role: str, file: bytes) -> bytes | None:
        """Read what a file names: it has to be there."""
        meta: Mapping[str, Any] = json.loads(file)["signed"]["meta"][role]
        checksum = b64decode(meta["hashes"]["sha256"]).hex()
        found = self._ask(client, gun, f"{role}.{checksum}.json", may_be_missing=False)
        assert found is None or sha256(found).hexdigest() == checksum
        return found

    def _ask(
        self, client: ApiClient, gun: str, name: str, *, may_be_missing: bool = True
    ) -> bytes | None:
        begun = time.monotonic()
        reply = client.get(gun, name)
        self.slowest = max(self.slowest, time.monotonic() - begun)
        if reply.status == http.client.OK:
            return reply.body
        if reply.status == http.client.NOT_FOUND:
            assert may_be_missing, (name, reply)
            return None
        assert_unavailable(reply)
        self.refused[reply.code] += 1
        return None


def assert_unavailable(reply: Reply) -> None:
    """The answer asks its client to come again."""
    assert reply.status == http.client.SERVICE_UNAVAILABLE, reply
    assert reply.headers["Retry-After"] == "5"


def assert_whole(client: ApiClient, gun: str, targets: list[bytes]) -> None:
    """A collection has what was acknowledged, all of it, nothing else, and signed."""
    root = Root.read(Metadata.parse(client.get(gun, "root.json").body))
    versions = range(1, len(targets) + 1)
    assert [client.get(gun, f"{n}.targets.json").body for n in versions] == targets
    for n in versions:
        snapshot = Metadata.parse(client.get(gun, f"{n}.snapshot.json").body)
        timestamp = Metadata.parse(client.get(gun, f"{n}.timestamp.json").body)
        for role, file in (("snapshot", snapshot), ("timestamp", timestamp)):
            file.check_signatures(role, root.roles[role].keys, 1)
        assert Timestamp.read(timestamp).snapshot.describes(snapshot.data)
        assert Snapshot.read(snapshot).meta["targets"].describes(targets[n - 1])
    for role in ("targets", "snapshot", "timestamp"):
        missing = client.get(gun, f"{len(targets) + 1}.{role}.json")
        assert missing.status == http.client.NOT_FOUND


def acknowledged(publishers: Sequence[Publisher]) -> int:
    """How many publishes were."""
    return sum(len(each) for p in publishers for each in list(p.acknowledged.values()))


def wait_for(publishers: Sequence[Publisher], jobs: Sequence[Future[None]], number: int) -> None:
    """Wait until so many publishes are acknowledged, or all of them."""
    while acknowledged(publishers) < number:
        for job in jobs:
            if job.done():
                job.result()
        time.sleep(0.01)
