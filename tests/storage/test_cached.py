"""The bounded memory in front of a store: what it asks for, and what it forgets."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import pytest
import pytest_twisted
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from notary.storage.cached import CachedMetadataStore
from notary.storage.interfaces import FileName, FileNotStoredError, NewFile, StoredFile
from notary.storage.memory import MemoryMetadataStore

MAX_BYTES = 80_000
GUN = "example.com/app"


class CountingStore(MemoryMetadataStore):
    """Counts the files that it is asked for by checksum."""

    asked = 0

    def many_by_checksum(
        self, wanted: Collection[FileName]
    ) -> Deferred[Mapping[FileName, StoredFile]]:
        self.asked += len(wanted)
        return super().many_by_checksum(wanted)

    def by_checksums(
        self, gun: str, checksums: Mapping[str, str], ahead: Collection[str] = ()
    ) -> Deferred[Mapping[str, StoredFile]]:
        self.asked += len(checksums)
        return super().by_checksums(gun, checksums, ahead)


@pytest.fixture
def behind(clock: Clock) -> CountingStore:
    return CountingStore(clock)


@pytest.fixture
def store(behind: CountingStore, clock: Clock) -> CachedMetadataStore:
    return CachedMetadataStore(behind, MAX_BYTES, clock)


@pytest_twisted.ensureDeferred
async def test_a_file_is_asked_for_once(store: CachedMetadataStore, behind: CountingStore) -> None:
    root, targets = NewFile("root", 1, b"r"), NewFile("targets", 1, b"t")
    await behind.publish(GUN, [root, targets], None)
    first = await store.by_checksum(GUN, "root", root.sha256)
    assert await store.by_checksum(GUN, "root", root.sha256) == first
    assert behind.asked == 1
    both = await store.by_checksums(GUN, {"root": root.sha256, "targets": targets.sha256})
    assert {file.data for file in both.values()} == {b"r", b"t"}
    assert behind.asked == 2
    await store.by_checksum(GUN, "targets", targets.sha256)
    assert behind.asked == 2


@pytest_twisted.ensureDeferred
async def test_what_is_published_is_kept(store: CachedMetadataStore, behind: CountingStore) -> None:
    root, targets = NewFile("root", 1, b"r"), NewFile("targets", 1, b"t")
    await store.publish(GUN, [root, targets], None)
    for file in (root, targets):
        kept = await store.by_checksum(GUN, file.role, file.sha256)
        assert kept == await behind.newest(GUN, file.role)
    assert behind.asked == 0


@pytest_twisted.ensureDeferred
async def test_what_was_read_ahead_is_kept_too(
    store: CachedMetadataStore, behind: CountingStore
) -> None:
    root, targets = NewFile("root", 1, b"r"), NewFile("targets", 1, b"t")
    await behind.publish(GUN, [root, targets], None)
    first = await store.by_checksums(GUN, {"root": root.sha256}, ["targets"])
    assert set(first) == {"root", "targets"}
    assert await store.by_checksum(GUN, "targets", targets.sha256) == first["targets"]
    assert behind.asked == 1


@pytest_twisted.ensureDeferred
async def test_nothing_is_read_ahead_of_what_is_known(
    store: CachedMetadataStore, behind: CountingStore
) -> None:
    root, targets = NewFile("root", 1, b"r"), NewFile("targets", 1, b"t")
    await behind.publish(GUN, [root, targets], None)
    first = await store.by_checksum(GUN, "root", root.sha256)
    assert await store.by_checksums(GUN, {"root": root.sha256}, ["targets"]) == {"root": first}
    assert behind.asked == 1


@pytest_twisted.ensureDeferred
async def test_a_newer_file_is_no_substitute_for_a_known_one(
    store: CachedMetadataStore, behind: CountingStore
) -> None:
    old, new, other = NewFile("root", 1, b"1"), NewFile("root", 2, b"2"), NewFile("targets", 1, b"")
    await store.publish(GUN, [old, other], None)
    await store.publish(GUN, [new], None)
    first = await store.by_checksum(GUN, "root", old.sha256)
    wanted = {"root": old.sha256, "targets": other.sha256}
    assert (await store.by_checksums(GUN, wanted, ["root"]))["root"] == first


@pytest_twisted.ensureDeferred
async def test_names_and_roles_are_kept_apart(
    store: CachedMetadataStore, behind: CountingStore
) -> None:
    file = NewFile("root", 1, b"same bytes")
    await store.publish(GUN, [file], None)
    await store.by_checksum(GUN, "root", file.sha256)
    for gun, role in [(GUN, "targets"), (f"{GUN}/sub", "root")]:
        with pytest.raises(FileNotStoredError):
            await store.by_checksum(gun, role, file.sha256)


@pytest_twisted.ensureDeferred
async def test_a_deleted_collection_is_forgotten_and_no_other(
    store: CachedMetadataStore, behind: CountingStore
) -> None:
    file = NewFile("root", 1, b"r")
    for gun in (GUN, f"{GUN}/sub"):
        await store.publish(gun, [file], None)
        await store.by_checksum(gun, "root", file.sha256)
    await store.delete(GUN)
    with pytest.raises(FileNotStoredError):
        await store.by_checksum(GUN, "root", file.sha256)
    asked = behind.asked
    await store.by_checksum(f"{GUN}/sub", "root", file.sha256)
    assert behind.asked == asked


@pytest_twisted.ensureDeferred
async def test_what_is_too_large_is_not_kept(
    store: CachedMetadataStore, behind: CountingStore
) -> None:
    large = NewFile("root", 1, b"x" * (MAX_BYTES // 8))
    await store.publish(GUN, [large], None)
    for _ in range(2):
        assert (await store.by_checksum(GUN, "root", large.sha256)).data == large.data
    assert behind.asked == 2


@pytest_twisted.ensureDeferred
async def test_the_least_recently_used_goes_first(
    store: CachedMetadataStore, behind: CountingStore
) -> None:
    size = MAX_BYTES // 10
    files = [NewFile("root", n, bytes([n]) * size) for n in range(1, 13)]
    for file in files:
        await store.publish(GUN, [file], None)
        await store.by_checksum(GUN, "root", file.sha256)
    asked = behind.asked
    await store.by_checksum(GUN, "root", files[-1].sha256)
    assert behind.asked == asked
    await store.by_checksum(GUN, "root", files[0].sha256)
    assert behind.asked == asked + 1


@pytest_twisted.ensureDeferred
async def test_counts_what_it_finds_and_drops(
    store: CachedMetadataStore, behind: CountingStore
) -> None:
    files = [NewFile(f"targets/{number}", 1, bytes([number]) * 8_000) for number in range(9)]
    await behind.publish(GUN, files, None)
    for file in files:
        await store.by_checksum(GUN, file.role, file.sha256)
    assert (store.hits, store.misses, store.evictions, store.files_held) == (0, 9, 1, 8)
    assert 8 * 8_000 < store.bytes_held <= MAX_BYTES
    await store.by_checksum(GUN, files[-1].role, files[-1].sha256)
    await store.by_checksums(GUN, {each.role: each.sha256 for each in (files[0], files[-1])})
    assert (store.hits, store.misses) == (2, 10)


@pytest_twisted.ensureDeferred
async def test_that_there_is_no_file_is_not_remembered(
    store: CachedMetadataStore, behind: CountingStore
) -> None:
    file = NewFile("root", 1, b"r")
    for _ in range(2):
        with pytest.raises(FileNotStoredError, match=f"{GUN}.*root.*{file.sha256}"):
            await store.by_checksum(GUN, "root", file.sha256)
    await behind.publish(GUN, [file], None)
    assert (await store.by_checksum(GUN, "root", file.sha256)).data == b"r"


@pytest_twisted.ensureDeferred
async def test_files_that_are_asked_for_together_come_together(clock: Clock) -> None:
    store = CachedMetadataStore(behind := Slow(clock), MAX_BYTES, clock)
    files = [NewFile(f"targets/{number}", 1, bytes([number])) for number in range(20)]
    await behind.publish(GUN, files, None)
    asked = [store.by_checksum(GUN, file.role, file.sha256) for file in (*files, files[3])]
    for _ in range(3):
        behind.waiting.pop().callback(None)
    assert [(await file).data for file in asked] == [file.data for file in (*files, files[3])]
    assert behind.sizes == [1, 16, 3]


class Slow(MemoryMetadataStore):
    """Answers questions for several files when it is told to."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.sizes: list[int] = []
        self.waiting: list[Deferred[None]] = []

    def many_by_checksum(
        self, wanted: Collection[FileName]
    ) -> Deferred[Mapping[FileName, StoredFile]]:
        self.sizes.append(len(wanted))
        self.waiting.append(waiting := Deferred[None]())
        answer = super().many_by_checksum
        return waiting.addCallback(lambda _: answer(wanted))
