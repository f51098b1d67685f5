"""Publishers and deletions at the same time, at every isolation level of the database."""

from __future__ import annotations

from typing import Any

import pytest
from pytest_twisted import ensureDeferred
from sqlalchemy import Engine
from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from notary.storage.interfaces import ConflictError, IMetadataStore, NewFile
from notary.storage.memory import MemoryMetadataStore
from notary.storage.sql import SQLMetadataStore
from tests.support.stores import base_of, newest_versions

ROLES = ["root", "snapshot", "targets", "targets/a", "targets/b", "timestamp"]
RACERS = 8
ROUNDS = 8

MARIADB = [
    pytest.param(level, id=f"mariadb-{level.lower().replace(' ', '-')}")
    for level in ("READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")
]


@pytest.fixture(params=["memory", "sqlite", *MARIADB])
def store(request: pytest.FixtureRequest, clock: Clock) -> IMetadataStore:
    if request.param == "memory":
        return MemoryMetadataStore(clock)
    engine: Engine
    if request.param == "sqlite":
        engine = request.getfixturevalue("sqlite_engine")
    else:
        engine = request.getfixturevalue("emptied_engine")
        engine = engine.execution_options(isolation_level=request.param)
    return SQLMetadataStore(engine, request.getfixturevalue("threads"), clock)


def files(version: int, publisher: object) -> list[NewFile]:
    """A publish of all roles. Its order is not that of any index."""
    return [
        NewFile(role, version, f"{role} {version} {publisher}".encode()) for role in reversed(ROLES)
    ]


async def finish(*racers: Deferred[Any]) -> list[bool]:
    """Wait for all racers and tell which of them won; a loser has met a conflict."""
    results = await DeferredList(racers, consumeErrors=True)
    for result in results:
        if isinstance(result[1], Failure):
            result[1].trap(ConflictError)
    return [won for won, _ in results]


@ensureDeferred
async def test_one_of_several_first_publishers_wins(store: IMetadataStore) -> None:
    for number in range(ROUNDS):
        gun = f"host/app{number}"
        won = await finish(*(store.publish(gun, files(1, i), None) for i in range(RACERS)))
        assert won.count(True) == 1
        for role in ROLES:
            newest = await store.newest(gun, role)
            assert newest.data == f"{role} 1 {won.index(True)}".encode()
        assert len(await store.changes(gun, None, 100)) == 1


@ensureDeferred
async def test_one_of_several_publishers_wins(store: IMetadataStore) -> None:
    gun = "host/app"
    await store.publish(gun, files(1, "first"), None)
    for base in range(1, ROUNDS):
        upon = await base_of(store, gun, base)
        won = await finish(*(store.publish(gun, files(base + 1, i), upon) for i in range(RACERS)))
        assert won.count(True) == 1
        for role in ROLES:
            newest = await store.newest(gun, role)
            assert newest.data == f"{role} {base + 1} {won.index(True)}".encode()
        assert len(await store.changes(gun, None, 100)) == base + 1


@ensureDeferred
async def test_publishers_of_different_roles_do_not_mix(store: IMetadataStore) -> None:
    gun = "host/app"
    await store.publish(gun, files(1, "first"), None)
    for base in range(1, ROUNDS):
        upon = await base_of(store, gun, base)
        won = await finish(
            *(
                store.publish(
                    gun,
                    [NewFile(f"targets/{i}", base, b""), NewFile("timestamp", base + 1, b"")],
                    upon,
                )
                for i in range(RACERS)
            )
        )
        assert won.count(True) == 1
        found = await newest_versions(store, gun, [f"targets/{i}" for i in range(RACERS)])
        assert [role for role, version in found.items() if version == base] == [
            f"targets/{won.index(True)}"
        ]


@ensureDeferred
async def test_publishers_of_different_collections_all_win(store: IMetadataStore) -> None:
    for base in range(ROUNDS):
        upon = [await base_of(store, f"host/{i}", base) for i in range(RACERS)]
        won = await finish(
            *(store.publish(f"host/{i}", files(base + 1, i), upon[i]) for i in range(RACERS))
        )
        assert all(won)
    assert len(await store.changes(None, None, 1000)) == RACERS * ROUNDS


@ensureDeferred
async def test_a_deletion_beats_publishers_of_what_it_deletes(store: IMetadataStore) -> None:
    for number in range(ROUNDS):
        gun = f"host/app{number}"
        await store.publish(gun, files(1, "first"), None)
        upon = await store.newest(gun, "timestamp")
        *won, deleted = await finish(
            *(store.publish(gun, files(2, i), upon) for i in range(3)), store.delete(gun)
        )
        assert deleted
        assert won.count(True) <= 1
        assert await newest_versions(store, gun, ROLES) == {}
        changes = await store.changes(gun, None, 100)
        assert [change.category for change in changes] == [
            "update",
            *["update"] * won.count(True),
            "deletion",
        ]


@ensureDeferred
async def test_a_deletion_leaves_a_first_publish_whole_or_nothing_of_it(
    store: IMetadataStore,
) -> None:
    for number in range(ROUNDS * 4):
        gun = f"host/app{number}"
        if number % 2:
            await store.publish(gun, files(1, "before"), None)
        published, *deleted = await finish(
            store.publish(gun, files(1, "new"), None), *(store.delete(gun) for _ in range(3))
        )
        assert all(deleted)
        left = await newest_versions(store, gun, ROLES)
        assert left in ({}, dict.fromkeys(ROLES, 1))
        categories = [change.category for change in await store.changes(gun, None, 100)]
        assert bool(left) == (categories[-1:] == ["update"])
        if left:
            assert published
            assert (await store.newest(gun, "root")).data == b"root 1 new"
