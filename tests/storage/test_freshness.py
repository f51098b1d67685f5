"""Two servers on one database: whoever reads after a publish was acknowledged gets it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, cast

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Clock, deferLater

from notary.storage.cached import CachedMetadataStore
from notary.storage.interfaces import FileNotStoredError, NewFile, StoredFile
from notary.storage.sql import SQLMetadataStore
from notary.storage.threads import WorkerThreads
from tests.storage.conftest import CACHED_BYTES

GUNS = [f"example.com/app{number}" for number in range(6)]
VERSIONS = 15
ANSWER_SECONDS = 0.02
READERS = 24


class SlowAnswers(SQLMetadataStore):
    """A store whose answers about timestamps are on their way for a while."""

    def newest_timestamps(self, guns: Collection[str]) -> Deferred[Mapping[str, str]]:
        found = super().newest_timestamps(guns)
        return found.addCallback(
            lambda answer: deferLater(cast(Any, reactor), ANSWER_SECONDS, lambda: answer)
        )


@pytest.fixture(params=["sqlite_engine", "emptied_engine", "postgres_engine"])
def servers(
    request: pytest.FixtureRequest, threads: WorkerThreads, clock: Clock
) -> Iterator[list[CachedMetadataStore]]:
    engine = request.getfixturevalue(request.param)
    yield [
        CachedMetadataStore(
            SlowAnswers(engine, threads, cast(IReactorTime, clock)),
            CACHED_BYTES,
            cast(IReactorTime, reactor),
        )
        for _ in range(2)
    ]
    engine.dispose()


class Hammer:
    """Publishes and reads at the same time, and compares.

    Attributes:
        acknowledged: the generation of a collection and the version that were stored last.
        reads: how many there were.
    """

    def __init__(self, servers: list[CachedMetadataStore]) -> None:
        self._servers = servers
        self.acknowledged: dict[str, tuple[int, int]] = {}
        self.publishing = len(GUNS)
        self.reads = 0

    async def publish(self, gun: str) -> None:
        number = 0
        base: StoredFile | None = None
        for generation in range(2):
            for version in range(1, VERSIONS + 1):
                number += 1
                file = NewFile("timestamp", version, f"{gun} {generation} {version}".encode())
                [base] = await self._servers[number % 2].publish(gun, [file], base)
                self.acknowledged[gun] = generation, version
            if generation == 0:
                await self._servers[number % 2].delete(gun)
                base = None
                self.acknowledged[gun] = 1, 0
        self.publishing -= 1

    async def read(self, number: int) -> None:
        while self.publishing:
            self.reads += 1
            gun = GUNS[(number + self.reads) % len(GUNS)]
            known = self.acknowledged.get(gun, (0, 0))
            assert await self._read(self._servers[self.reads % 2], gun) >= known, gun
            if self.reads % 50 == 0:  # where stores answer at once, others have to get a turn
                await deferLater(cast(Any, reactor), 0)

    async def _read(self, server: CachedMetadataStore, gun: str) -> tuple[int, int]:
        try:
            file = await server.newest(gun, "timestamp")
        except FileNotStoredError:
            # Nothing is there before the first publish, and between the two generations.
            return (1, 0) if self.acknowledged.get(gun, (0, 0)) >= (0, VERSIONS) else (0, 0)
        _, generation, version = file.data.decode().split()
        return int(generation), int(version)


@ensureDeferred
async def test_nobody_reads_what_is_older_than_was_acknowledged(
    servers: list[CachedMetadataStore],
) -> None:
    hammer = Hammer(servers)
    work = [
        *(hammer.publish(gun) for gun in GUNS),
        *(hammer.read(number) for number in range(READERS)),
    ]
    await gatherResults([Deferred.fromCoroutine(each) for each in work])
    assert hammer.acknowledged == dict.fromkeys(GUNS, (1, VERSIONS))
    assert hammer.reads > len(GUNS) * VERSIONS
