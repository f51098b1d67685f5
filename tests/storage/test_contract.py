"""What every metadata store has to do: each sentence of `IMetadataStore`."""

from __future__ import annotations

from datetime import datetime, timezone
from hashlib import sha256

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from notary.storage.interfaces import (
    Change,
    ConflictError,
    FileNotStoredError,
    IMetadataStore,
    Newest,
    NewFile,
    UnstorableError,
)
from tests.support.stores import newest_versions, publish_upon

GUN = "docker.io/library/alpine"

LOOKALIKES = [
    pytest.param("host/app", "host/APP", id="case"),
    pytest.param("host/app", "host/app.", id="dot"),
    pytest.param("host/app", "host/app/", id="slash"),
    pytest.param("host/app", "host/app2", id="prefix"),
    pytest.param("host/app", "host", id="parent"),
    pytest.param("host/app", "host/app\t", id="tab"),
    pytest.param("host/caf\u00e9", "host/cafe\u0301", id="composed"),
    pytest.param("host/stra\u00dfe", "host/strasse", id="sharp-s"),
    pytest.param("host/\U0001f433", "host/\U0001f40b", id="outside-the-bmp"),
    pytest.param("host/a_p", "host/app", id="like-wildcard"),
]


def collection(version: int, *more_roles: str, by: str = "") -> list[NewFile]:
    """What a publish stores: the same version of every role."""
    roles = ("root", "targets", *more_roles, "snapshot", "timestamp")
    return [NewFile(role, version, f"{role} {version} {by}".encode()) for role in roles]


def checksum(data: bytes) -> str:
    return sha256(data).hexdigest()


async def assert_empty(store: IMetadataStore, gun: str) -> None:
    assert await newest_versions(store, gun, ["root", "targets", "snapshot", "timestamp"]) == {}


class TestMetadataStore:
    def test_provides_the_interface(self, store: IMetadataStore) -> None:
        verifyObject(IMetadataStore, store)

    @ensureDeferred
    async def test_holds_nothing_at_first(self, store: IMetadataStore) -> None:
        await assert_empty(store, GUN)
        with pytest.raises(FileNotStoredError, match=f"{GUN}.*root"):
            await store.newest(GUN, "root")
        with pytest.raises(FileNotStoredError, match=f"{GUN} has no version 1 of role root"):
            await store.by_version(GUN, "root", 1)
        with pytest.raises(FileNotStoredError, match=f"{GUN}.*root.*{checksum(b'')}"):
            await store.by_checksum(GUN, "root", checksum(b""))
        with pytest.raises(FileNotStoredError, match=f"{GUN} has no file of role timestamp"):
            await store.newest_with_versions(GUN, "timestamp", ["root"])
        assert await store.by_checksums(GUN, {"root": checksum(b"")}) == {}
        assert await store.by_checksums(GUN, {"root": checksum(b"")}, ["targets"]) == {}
        assert await store.changes(None, None, 10) == []

    @ensureDeferred
    async def test_can_serve(self, store: IMetadataStore) -> None:
        await store.check()

    @ensureDeferred
    async def test_gives_back_what_was_published(self, store: IMetadataStore) -> None:
        data = bytes(range(256)) * 3
        await store.publish(GUN, [NewFile("root", 7, data)], None)

        newest = await store.newest(GUN, "root")
        assert (newest.role, newest.version, newest.data) == ("root", 7, data)
        assert newest.sha256 == checksum(data)
        assert await store.by_version(GUN, "root", 7) == newest
        assert await store.by_checksum(GUN, "root", checksum(data)) == newest
        assert await store.by_checksums(GUN, {"root": checksum(data)}) == {"root": newest}
        assert await newest_versions(store, GUN, ["root"]) == {"root": 7}

    @ensureDeferred
    async def test_remembers_when_in_whole_seconds(
        self, store: IMetadataStore, clock: Clock
    ) -> None:
        await store.publish(GUN, collection(1), None)
        clock.advance(60)
        await publish_upon(store, GUN, collection(2), 1)
        first, second = [await store.by_version(GUN, "timestamp", v) for v in (1, 2)]
        assert first.created_at == datetime(2023, 11, 14, 22, 13, 20, tzinfo=timezone.utc)
        assert first.created_at.tzinfo == timezone.utc
        assert (second.created_at - first.created_at).total_seconds() == 60
        changes = await store.changes(GUN, None, 10)
        assert [c.created_at for c in changes] == [first.created_at, second.created_at]

    @ensureDeferred
    async def test_newest_is_the_highest_version(self, store: IMetadataStore) -> None:
        for base, version in [(0, 2), (2, 9), (9, 10), (10, 100)]:
            await publish_upon(store, GUN, collection(version), base)
        assert (await store.newest(GUN, "targets")).version == 100
        assert await newest_versions(store, GUN, ["targets", "targets/a"]) == {"targets": 100}
        assert (await store.by_version(GUN, "targets", 9)).data == b"targets 9 "

    @ensureDeferred
    async def test_a_checksum_belongs_to_its_gun_and_role(self, store: IMetadataStore) -> None:
        await store.publish(GUN, collection(1), None)
        await store.publish("other", collection(1, by="other"), None)
        root = (await store.newest(GUN, "root")).sha256
        for gun, role in [(GUN, "targets"), ("other", "root")]:
            with pytest.raises(FileNotStoredError):
                await store.by_checksum(gun, role, root)
            assert await store.by_checksums(gun, {role: root}) == {}

    @ensureDeferred
    async def test_finds_files_of_many_collections(self, store: IMetadataStore) -> None:
        stored = {}
        for number in range(20):
            gun = f"{GUN}/{number}"
            for file in await store.publish(gun, collection(1, by=gun), None):
                stored[gun, file.role, file.sha256] = file
        others = [(GUN, role, sha) for _, role, sha in stored] + [
            (gun, "elsewhere", sha) for gun, _, sha in stored
        ]
        assert await store.many_by_checksum([*others, *stored]) == stored
        assert await store.many_by_checksum([]) == {}

    @ensureDeferred
    async def test_finds_files_of_many_roles(self, store: IMetadataStore) -> None:
        names = [f"targets/{i}" for i in range(250)]
        files = collection(1, *names)
        await store.publish(GUN, files, None)

        wanted = {file.role: file.sha256 for file in files} | {"targets/none": checksum(b"")}
        found = await store.by_checksums(GUN, wanted)
        assert {role: file.data for role, file in found.items()} == {f.role: f.data for f in files}
        assert {file.role for file in found.values()} == set(found)
        newest = await store.newest_with_versions(GUN, "timestamp", [*names, "none"])
        assert newest.file == found["timestamp"]
        assert newest.versions == dict.fromkeys(names, 1)

    @ensureDeferred
    async def test_tells_the_highest_versions_of_other_roles(self, store: IMetadataStore) -> None:
        await store.publish(GUN, [*collection(2), NewFile("targets/a", 7, b"a")], None)
        files = [NewFile("targets", 10, b"t"), NewFile("timestamp", 9, b"")]
        await publish_upon(store, GUN, files, 2)
        await store.publish("other", collection(99), None)
        asked = frozenset({"targets", "root", "targets/a", "targets/b", "Root"})
        newest = await store.newest_with_versions(GUN, "timestamp", asked)
        assert newest.file == await store.newest(GUN, "timestamp")
        assert newest.versions == {"root": 2, "targets": 10, "targets/a": 7}
        assert await store.newest_with_versions(GUN, "timestamp", ()) == Newest(newest.file, {}, {})

    @ensureDeferred
    async def test_may_look_up_newest_files_along_with_it(self, store: IMetadataStore) -> None:
        await store.publish(GUN, collection(1), None)
        await publish_upon(store, GUN, collection(2), 1)
        ahead = ["root", "targets", "none", "timestamp"]
        newest = await store.newest_with_versions(GUN, "timestamp", ["root"], ahead)
        assert newest.file == await store.newest(GUN, "timestamp")
        assert newest.versions == {"root": 2}
        assert newest.ahead.keys() <= {"root", "targets"}
        for role, file in newest.ahead.items():
            assert file == await store.newest(GUN, role)

    @ensureDeferred
    async def test_tells_what_is_held_after_a_publish(self, store: IMetadataStore) -> None:
        stored = await store.publish(GUN, collection(1), None)
        assert [file.role for file in stored] == [file.role for file in collection(1)]
        for file in stored:
            assert file == await store.newest(GUN, file.role)

    @ensureDeferred
    async def test_adds_the_newest_files_of_roles_read_ahead(self, store: IMetadataStore) -> None:
        for version in (1, 2):
            await publish_upon(store, GUN, collection(version, "targets/a"), version - 1)
            await publish_upon(store, "other", collection(version, by="other"), version - 1)
        roles = ["root", "snapshot", "targets", "targets/a"]
        newest = {role: await store.newest(GUN, role) for role in roles}
        old = await store.by_version(GUN, "snapshot", 1)

        ahead = ["root", "snapshot", "targets/a", "targets/none"]
        found = await store.by_checksums(GUN, {"snapshot": old.sha256}, ahead)
        most = {"snapshot": old, "root": newest["root"], "targets/a": newest["targets/a"]}
        assert {"snapshot": old}.items() <= found.items() <= most.items()

    @ensureDeferred
    async def test_reads_ahead_even_if_a_checksum_is_unknown(self, store: IMetadataStore) -> None:
        await store.publish(GUN, collection(1), None)
        found = await store.by_checksums(GUN, {"snapshot": checksum(b"")}, ["root"])
        assert found == {"root": await store.newest(GUN, "root")}

    @ensureDeferred
    async def test_reads_ahead_what_looks_like_the_file_asked_for(
        self, store: IMetadataStore
    ) -> None:
        await store.publish(GUN, [NewFile("targets/a", 1, b"same")], None)
        await store.publish(GUN, [NewFile("targets/b", 1, b"same")], None)
        await store.publish(GUN, [NewFile("targets/b", 2, b"newer")], None)
        found = await store.by_checksums(GUN, {"targets/a": checksum(b"same")}, ["targets/b"])
        versions = {role: file.version for role, file in found.items()}
        assert (
            {"targets/a": 1}.items() <= versions.items() <= {"targets/a": 1, "targets/b": 2}.items()
        )

    @ensureDeferred
    async def test_roles_may_have_equal_files(self, store: IMetadataStore) -> None:
        twins = [NewFile("targets/a", 1, b"same"), NewFile("targets/b", 1, b"same")]
        await store.publish(GUN, twins, None)
        found = await store.by_checksums(GUN, {file.role: file.sha256 for file in twins})
        assert {role: file.role for role, file in found.items()} == {
            "targets/a": "targets/a",
            "targets/b": "targets/b",
        }


class TestPublish:
    @pytest.mark.parametrize(
        ("files", "base"),
        [
            pytest.param(collection(3), 0, id="base-unknown"),
            pytest.param(collection(3), 1, id="base-old"),
            pytest.param(collection(4), 3, id="base-ahead"),
            pytest.param([NewFile("root", 3, b"")], 1, id="base-old-without-timestamp"),
            pytest.param([NewFile("root", 3, b"")], 0, id="base-unknown-without-timestamp"),
            pytest.param([NewFile("timestamp", 2, b"new")], 2, id="timestamp-not-newer"),
            pytest.param([NewFile("timestamp", 1, b"new")], 2, id="timestamp-older"),
            pytest.param([NewFile("root", 2, b"new"), *collection(3)[1:]], 2, id="same-version"),
            pytest.param([NewFile("root", 1, b"new"), *collection(3)[1:]], 2, id="old-version"),
            pytest.param([*collection(3)[:-2], NewFile("snapshot", 1, b"")], 2, id="last-role"),
        ],
    )
    @ensureDeferred
    async def test_conflict_stores_nothing(
        self, store: IMetadataStore, files: list[NewFile], base: int
    ) -> None:
        await store.publish(GUN, collection(1), None)
        await publish_upon(store, GUN, collection(2), 1)
        with pytest.raises(ConflictError, match=GUN):
            await publish_upon(store, GUN, files, base)
        roles = [file.role for file in collection(1)]
        assert await newest_versions(store, GUN, roles) == dict.fromkeys(roles, 2)
        assert (await store.newest(GUN, "root")).data == b"root 2 "
        assert len(await store.changes(None, None, 10)) == 2

    @ensureDeferred
    async def test_a_collection_that_is_made_again_is_another_one(
        self, store: IMetadataStore
    ) -> None:
        *_, base = await store.publish(GUN, collection(1, by="before"), None)
        await store.delete(GUN)
        await store.publish(GUN, collection(1, by="after"), None)
        with pytest.raises(ConflictError, match=GUN):
            await store.publish(GUN, collection(2), base)
        assert (await store.newest(GUN, "timestamp")).data == b"timestamp 1 after"

    @ensureDeferred
    async def test_a_collection_that_was_deleted_is_not_published_to(
        self, store: IMetadataStore
    ) -> None:
        *_, base = await store.publish(GUN, collection(1), None)
        await store.delete(GUN)
        with pytest.raises(ConflictError, match=GUN):
            await store.publish(GUN, collection(2), base)
        await assert_empty(store, GUN)

    @ensureDeferred
    async def test_only_a_timestamp_is_built_upon(self, store: IMetadataStore) -> None:
        """However much the file of another role looks like it."""
        [base] = await store.publish(GUN, [NewFile("timestamp", 2, b"")], None)
        await store.delete(GUN)
        await store.publish(GUN, [NewFile("targets", 2, b"")], None)
        files = [NewFile("targets", 1, b""), NewFile("timestamp", 3, b"")]
        with pytest.raises(ConflictError, match=GUN):
            await store.publish(GUN, files, base)

    @ensureDeferred
    async def test_a_gap_in_the_history_is_not_filled(self, store: IMetadataStore) -> None:
        await store.publish(GUN, collection(5), None)
        with pytest.raises(ConflictError):
            await publish_upon(store, GUN, [NewFile("timestamp", 4, b"")], 5)
        with pytest.raises(ConflictError):
            await publish_upon(store, GUN, [NewFile("root", 4, b"")], 5)

    @ensureDeferred
    async def test_conflicts_if_the_base_was_never_there(self, store: IMetadataStore) -> None:
        with pytest.raises(ConflictError):
            await publish_upon(store, GUN, collection(2), 1)
        await assert_empty(store, GUN)

    @ensureDeferred
    async def test_a_collection_keeps_its_other_roles(self, store: IMetadataStore) -> None:
        await store.publish(GUN, collection(1), None)
        await publish_upon(store, GUN, [NewFile("timestamp", 2, b"re-signed")], 1)
        assert await newest_versions(store, GUN, ["root", "timestamp"]) == {
            "root": 1,
            "timestamp": 2,
        }

    @ensureDeferred
    async def test_without_a_timestamp_nothing_is_announced(self, store: IMetadataStore) -> None:
        await store.publish(GUN, collection(1), None)
        await publish_upon(store, GUN, [NewFile("targets", 2, b"")], 1)
        assert await newest_versions(store, GUN, ["targets"]) == {"targets": 2}
        assert len(await store.changes(None, None, 10)) == 1

    @pytest.mark.parametrize(
        ("gun", "file", "reason"),
        [
            ("g" * 256, NewFile("root", 1, b""), "256 characters"),
            (GUN, NewFile("targets/" + "r" * 248, 1, b""), "256 characters"),
            ("host/app ", NewFile("root", 1, b""), "ends with a space"),
            (GUN, NewFile("targets/a ", 1, b""), "ends with a space"),
            (GUN, NewFile("root", 2**31, b""), "2147483647"),
        ],
    )
    @ensureDeferred
    async def test_refuses_what_not_every_store_can_hold(
        self, store: IMetadataStore, gun: str, file: NewFile, reason: str
    ) -> None:
        with pytest.raises(UnstorableError, match=reason):
            await store.publish(gun, [*collection(1)[1:], file], None)
        await assert_empty(store, gun)

    @ensureDeferred
    async def test_takes_the_longest_names_and_the_highest_version(
        self, store: IMetadataStore
    ) -> None:
        gun, role = "\U0001f433" * 255, "r" * 255
        await store.publish(gun, [NewFile(role, 2**31 - 1, b"data")], None)
        assert (await store.newest(gun, role)).version == 2**31 - 1

    @pytest.mark.parametrize("size", [400_000, 5_000_000])
    @ensureDeferred
    async def test_takes_more_than_a_statement_holds(
        self, store: IMetadataStore, size: int
    ) -> None:
        files = [NewFile(f"targets/{n}", 1, bytes([n]) * size) for n in range(4)]
        await store.publish(GUN, [*files, *collection(1)], None)
        for file in files:
            assert (await store.newest(GUN, file.role)).sha256 == file.sha256
        assert (await store.newest(GUN, "timestamp")).version == 1


class TestExactNames:
    @pytest.mark.parametrize(("one", "other"), LOOKALIKES)
    @ensureDeferred
    async def test_guns(self, store: IMetadataStore, one: str, other: str) -> None:
        await store.publish(one, collection(1, by="one"), None)
        await assert_empty(store, other)
        await store.delete(other)
        assert await store.changes(other, None, 10) == []

        await store.publish(other, collection(1, by="other"), None)
        assert (await store.newest(one, "root")).data == b"root 1 one"
        assert (await store.newest(other, "root")).data == b"root 1 other"
        assert [change.gun for change in await store.changes(one, None, 10)] == [one]

        await store.delete(other)
        await assert_empty(store, other)
        assert (await store.newest(one, "root")).data == b"root 1 one"

    @pytest.mark.parametrize(("one", "other"), LOOKALIKES)
    @ensureDeferred
    async def test_roles(self, store: IMetadataStore, one: str, other: str) -> None:
        await store.publish(GUN, [NewFile(one, 2, b"one")], None)
        assert await newest_versions(store, GUN, [one, other]) == {one: 2}
        with pytest.raises(FileNotStoredError):
            await store.newest(GUN, other)
        with pytest.raises(FileNotStoredError):
            await store.by_checksum(GUN, other, checksum(b"one"))
        await store.publish(GUN, [NewFile(other, 1, b"other")], None)
        assert (await store.newest(GUN, other)).data == b"other"

    @ensureDeferred
    async def test_trailing_spaces(self, store: IMetadataStore) -> None:
        await store.publish(GUN, collection(1), None)
        await assert_empty(store, GUN + " ")
        with pytest.raises(FileNotStoredError):
            await store.newest(GUN, "root ")
        assert await store.by_checksums(GUN, {"root ": checksum(b"root 1 ")}) == {}
        await store.delete(GUN + " ")
        assert await newest_versions(store, GUN, ["root"]) == {"root": 1}


class TestDelete:
    @ensureDeferred
    async def test_deletes_every_version_of_every_role(self, store: IMetadataStore) -> None:
        await store.publish(GUN, collection(1, "targets/a"), None)
        await publish_upon(store, GUN, collection(2, "targets/a"), 1)
        await store.delete(GUN)
        for file in collection(1, "targets/a") + collection(2, "targets/a"):
            with pytest.raises(FileNotStoredError):
                await store.by_version(GUN, file.role, file.version)

    @ensureDeferred
    async def test_is_announced_once(self, store: IMetadataStore) -> None:
        await store.publish(GUN, collection(1), None)
        await store.delete(GUN)
        await store.delete(GUN)
        await store.delete("never published")
        update, deletion = await store.changes(None, None, 10)
        assert update.category == "update"
        assert deletion == Change(
            id=deletion.id,
            created_at=update.created_at,
            gun=GUN,
            version=0,
            sha256="",
            category="deletion",
        )

    @ensureDeferred
    async def test_a_collection_can_begin_again(self, store: IMetadataStore) -> None:
        await store.publish(GUN, collection(1, by="before"), None)
        await store.delete(GUN)
        await store.publish(GUN, collection(1, by="after"), None)
        assert (await store.newest(GUN, "root")).data == b"root 1 after"


class TestChanges:
    @ensureDeferred
    async def test_tells_of_each_timestamp(self, store: IMetadataStore) -> None:
        await store.publish(GUN, collection(1), None)
        await publish_upon(store, GUN, collection(2), 1)
        first, second = await store.changes(GUN, None, 10)
        assert 1 <= first.id < second.id
        assert [(c.gun, c.version, c.category) for c in (first, second)] == [
            (GUN, 1, "update"),
            (GUN, 2, "update"),
        ]
        assert second.sha256 == checksum(b"timestamp 2 ")

    @pytest.mark.parametrize(
        ("gun", "start", "limit", "versions"),
        [
            (None, None, 100, [1, 2, 3, 4, 5, 6]),
            (None, None, 2, [1, 2]),
            (None, 0, 2, [1, 2]),
            (None, 2, 3, [3, 4, 5]),
            (None, 6, 3, []),
            (None, None, 0, []),
            (None, None, -2, [5, 6]),
            (None, None, -100, [1, 2, 3, 4, 5, 6]),
            (None, 4, -2, [2, 3]),
            (None, 4, -100, [1, 2, 3]),
            (None, 1, -1, []),
            (None, 0, -1, []),
            ("a", None, 100, [1, 3, 5]),
            ("a", None, 2, [1, 3]),
            ("a", 2, 1, [3]),
            ("a", None, -2, [3, 5]),
            ("a", 5, -1, [3]),
            ("none", None, 100, []),
        ],
    )
    @ensureDeferred
    async def test_pages(
        self,
        store: IMetadataStore,
        gun: str | None,
        start: int | None,
        limit: int,
        versions: list[int],
    ) -> None:
        """The version of each change is its place in the feed; ``start`` names a place too."""
        base = {"a": 0, "b": 0}
        for version, name in enumerate("ababab", 1):
            await publish_upon(store, name, [NewFile("timestamp", version, b"")], base[name])
            base[name] = version
        ids = [change.id for change in await store.changes(None, None, 100)]
        start_id = ids[start - 1] if start else start
        found = await store.changes(gun, start_id, limit)
        assert [change.version for change in found] == versions
