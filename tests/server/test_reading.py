"""Reads: from the newest timestamp down by checksum, and what is done about a damaged store."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from hashlib import sha256

import pytest
from twisted.internet.defer import Deferred

from notary.server.reading import DamagedFileError, read_current
from notary.storage.interfaces import FileNotStoredError, NewFile
from tests.server.harness import GUN, Service, base, log_lines, result_of
from tests.support.forge import DAY, rfc3339

ROLES = ("root", "targets", "snapshot", "timestamp")


@pytest.mark.parametrize("role", ROLES)
def test_serves_the_stored_bytes(service: Service, role: str) -> None:
    collection = service.collection(server_snapshot=False)
    files = collection.first()
    service.publish(files)
    current = service.get(f"{base()}{role}.json")
    assert current.status == 200
    assert current.headers["Content-Type"] == "application/json; charset=utf-8"
    if role in files:
        assert current.body == files[role]
    checksum = sha256(current.body).hexdigest()
    assert service.get(f"{base()}{role}.{checksum}.json").body == current.body
    assert service.get(f"{base()}{role}.{checksum.upper()}.json").body == current.body
    assert service.get(f"{base()}1.{role}.json").body == current.body


def test_serves_a_delegation(service: Service) -> None:
    collection = service.collection()
    files = {
        **collection.first(delegations=collection.delegations("targets/a")),
        "targets/a": collection.delegation("targets/a"),
    }
    assert service.publish(files).status == 200
    for path in (
        "targets/a.json",
        f"targets/a.{sha256(files['targets/a']).hexdigest()}.json",
        "1.targets/a.json",
    ):
        assert service.get(base() + path).body == files["targets/a"]


@pytest.mark.parametrize(
    "path",
    [
        "root.json",
        "timestamp.json",
        "snapshot.json",
        "targets/a.json",
        "1.root.json",
        f"root.{'0' * 64}.json",
    ],
)
def test_an_unknown_collection_is_not_there(service: Service, path: str) -> None:
    answer = service.get(base() + path)
    assert answer.status == 404
    assert answer.error["code"] == "METADATA_NOT_FOUND"
    assert "Cache-Control" not in answer.headers
    assert "ETag" not in answer.headers


@pytest.mark.parametrize(
    "path",
    [
        "targets/a.json",
        "2.root.json",
        "0.root.json",
        "9999999999.root.json",
        f"root.{'0' * 64}.json",
        f"root.{'0' * 96}.json",
        f"root.{'0' * 128}.json",
        f"root.{'0' * 65}.json",
    ],
)
def test_an_unknown_file_is_not_there(service: Service, path: str) -> None:
    service.published()
    assert service.get(base() + path).error["code"] == "METADATA_NOT_FOUND"


def add(service: Service, files: Sequence[NewFile]) -> None:
    """Store files that no snapshot names."""
    newest = result_of(service.store.newest(GUN, "timestamp"))
    result_of(service.store.publish(GUN, files, newest))


def test_finds_files_by_the_checksums_in_the_snapshot(service: Service) -> None:
    """A targets file that no snapshot names, however new, is not current."""
    collection = service.published()
    add(service, [NewFile("targets", 9, collection.targets(9))])
    assert service.version("targets") == 1
    assert service.get(f"{base()}9.targets.json").status == 200


def test_finds_the_snapshot_by_the_checksum_in_the_timestamp(service: Service) -> None:
    service.published()
    stray = service.get(f"{base()}snapshot.json").body.replace(b'"version":1', b'"version":7')
    add(service, [NewFile("snapshot", 7, stray)])
    assert service.version("snapshot") == 1


@pytest.mark.parametrize("role", ["root", "targets", "snapshot"])
def test_asks_twice_for_a_current_file(service: Service, role: str) -> None:
    service.published()
    service.store.asked.clear()
    result_of(Deferred.fromCoroutine(read_current(service.store, GUN, role)))
    assert service.store.asked == ["newest", "by_checksums"]


def test_a_file_that_was_read_ahead_is_not_served_if_another_is_current(service: Service) -> None:
    collection = service.published()
    add(service, [NewFile("targets", 9, collection.targets(9))])
    service.store.asked.clear()
    file = result_of(Deferred.fromCoroutine(read_current(service.store, GUN, "targets")))
    assert file.version == 1
    assert service.store.asked == ["newest", "by_checksums", "by_checksums"]


def test_a_file_of_no_snapshot_is_not_served_though_it_was_read_ahead(service: Service) -> None:
    service.published()
    add(service, [NewFile("targets/a", 1, b"{}")])
    with pytest.raises(FileNotStoredError, match=r"has no role targets/a"):
        result_of(Deferred.fromCoroutine(read_current(service.store, GUN, "targets/a")))


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"signed":{}}', b'{"signed":null}'])
@pytest.mark.parametrize(
    ("role", "asked"),
    [
        ("timestamp", "timestamp"),
        ("timestamp", "targets"),
        ("snapshot", "timestamp"),
        ("snapshot", "snapshot"),
        ("snapshot", "root"),
    ],
)
def test_a_damaged_file_on_the_way_is_an_error_of_the_server(
    service: Service, role: str, asked: str, damage: bytes
) -> None:
    service.published()
    service.store.replaced[role] = damage or b"\0"
    with log_lines() as lines:
        answer = service.get(f"{base()}{asked}.json")
    assert (answer.status, answer.error) == (
        500,
        {"code": "UNKNOWN", "message": "unknown error"},
    )
    assert any(f"stored {role} version 1 of '{GUN}' is damaged" in line for line in lines)


def test_a_missing_snapshot_is_an_error_of_the_server(service: Service) -> None:
    service.published()
    service.store.replaced["snapshot"] = None
    with log_lines() as lines:
        answer = service.get(f"{base()}timestamp.json")
    assert answer.error["code"] == "UNKNOWN"
    assert any(
        f"the snapshot that timestamp version 1 of '{GUN}' names is missing" in line
        for line in lines
    )


@pytest.mark.parametrize("role", ["root", "targets"])
def test_a_missing_file_is_an_error_of_the_server(service: Service, role: str) -> None:
    service.published()
    service.store.replaced[role] = None
    with log_lines() as lines:
        answer = service.get(f"{base()}{role}.json")
    assert answer.error["code"] == "UNKNOWN"
    assert any(
        f"the snapshot of '{GUN}' names files that are missing: {role}" in line for line in lines
    )


def test_a_damaged_root_is_an_error_for_a_publish(service: Service) -> None:
    collection = service.published()
    other = service.beside()
    other.store.replaced["root"] = b"nothing"
    with log_lines() as lines:
        answer = other.publish({"targets": collection.targets(2)})
    assert answer.error["code"] == "UNKNOWN"
    assert any(f"stored root version 1 of '{GUN}' is damaged" in line for line in lines)


def test_read_current_says_what_is_wrong(service: Service) -> None:
    service.published()

    def read(gun: str, role: str) -> object:
        return result_of(Deferred.fromCoroutine(read_current(service.store, gun, role)))

    with pytest.raises(FileNotStoredError, match=r"has no role targets/a"):
        read(GUN, "targets/a")
    with pytest.raises(FileNotStoredError):
        read("other", "root")
    service.store.replaced["timestamp"] = b"{}"
    with pytest.raises(DamagedFileError, match="timestamp"):
        read(GUN, "root")


def test_a_file_of_a_client_is_served_after_its_end(service: Service) -> None:
    """Clients judge expiry themselves."""
    collection = service.collection()
    soon = rfc3339(datetime.now(timezone.utc) + DAY)
    files = collection.first(expires=soon)
    assert service.publish(files).status == 200
    service.clock.advance(3 * DAY.total_seconds())
    assert service.get(f"{base()}targets.json").body == files["targets"]
