"""Publishes: all of one or nothing, whatever happens in between."""

from __future__ import annotations

import json
from base64 import b64decode
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from twisted.internet.defer import Deferred

from notary.server.publishing import BIG_UPLOAD, HUGE_UPLOAD, TURN_SECONDS
from notary.server.upload import read_upload
from notary.storage.interfaces import NewFile, UnstorableError
from notary.tuf.files import Root
from tests.server.harness import GUN, MAX_BODY, Service, base, log_lines, result_of
from tests.support.fakes import HeldSigner, WrongSigner
from tests.support.forge import Collection, Files, Key, canonical, file_meta, multipart
from tests.support.stores import newest_versions

ROLES = ("root", "targets", "snapshot", "timestamp", "targets/a")


def assert_nothing_changed(service: Service, versions: dict[str, int] | None = None) -> None:
    found = result_of(Deferred.fromCoroutine(newest_versions(service.store.inner, GUN, ROLES)))
    assert found == (versions or {})
    changes = result_of(service.store.inner.changes(GUN, None, 10))
    assert len(changes) == (1 if versions else 0)


def held(service: Service) -> HeldSigner:
    assert isinstance(service.outermost, HeldSigner)
    return service.outermost


def test_stores_exactly_what_was_sent(service: Service) -> None:
    collection = service.collection()
    files = {"root": collection.root(indent=3), "targets": collection.targets(indent=1)}
    assert service.publish(files).status == 200
    for role, data in files.items():
        assert service.get(f"{base()}{role}.json").body == data


def test_tells_what_was_published(service: Service) -> None:
    with log_lines() as lines:
        service.published()
    checksum = sha256(service.get(f"{base()}timestamp.json").body).hexdigest()
    assert f"updated {GUN} to timestamp version 1, checksum {checksum}" in lines


@pytest.mark.parametrize("role", ["snapshot", "timestamp"])
def test_what_the_server_makes_verifies(service: Service, role: str) -> None:
    collection = service.published()
    file = service.get(f"{base()}{role}.json").json
    public = {"snapshot": collection.snapshot_key, "timestamp": collection.timestamp_key}[role]
    assert not isinstance(public, Key)
    (signature,) = file["signatures"]
    assert signature["method"] == "eddsa"
    assert signature["keyid"] == sha256(canonical(public)).hexdigest()
    key = Ed25519PublicKey.from_public_bytes(b64decode(public["keyval"]["public"]))
    key.verify(b64decode(signature["sig"]), canonical(file["signed"]))


def test_what_the_server_makes_names_the_files(service: Service) -> None:
    collection = service.collection()
    files = collection.first()
    service.publish(files)
    snapshot = service.get(f"{base()}snapshot.json")
    assert snapshot.json["signed"]["meta"] == {
        role: file_meta(data) for role, data in files.items()
    }
    timestamp = service.get(f"{base()}timestamp.json").json
    assert timestamp["signed"]["meta"] == {"snapshot": file_meta(snapshot.body)}


def test_versions_of_the_server_go_up_by_one(service: Service) -> None:
    collection = service.published()
    for version in (2, 5):
        assert service.publish({"targets": collection.targets(version)}).status == 200
    assert [service.version(role) for role in ("targets", "snapshot", "timestamp")] == [5, 3, 3]


def test_an_uploaded_timestamp_is_not_stored(service: Service) -> None:
    collection = service.collection()
    files = collection.first()
    mine = collection.timestamp(snapshot=b"", signers=[Key.generate()])
    assert service.publish({**files, "timestamp": mine}).status == 200
    assert service.get(f"{base()}timestamp.json").body != mine
    assert service.version("timestamp") == 1


def test_without_a_snapshot_key_the_client_has_to_send_one(service: Service) -> None:
    collection = service.collection(server_snapshot=False)
    files = collection.first()
    del files["snapshot"]
    answer = service.publish(files)
    assert (answer.status, answer.error["code"]) == (400, "INVALID_UPDATE")
    assert answer.error["detail"]["Name"] == "ErrBadHierarchy"
    assert answer.error["detail"]["Error"]["Missing"] == "snapshot"
    assert "no snapshot was included" in answer.error["detail"]["Error"]["Msg"]
    assert_nothing_changed(service)


UNREADABLE = {"keytype": "rsa-x509", "keyval": {"private": None, "public": "eA=="}}


@pytest.mark.parametrize("key", [Key.generate(), UNREADABLE])
def test_without_the_timestamp_key_nothing_is_stored(service: Service, key: Key) -> None:
    snapshot = service.collection().snapshot_key
    answer = service.publish(Collection(GUN, key, snapshot).first())
    assert answer.error["detail"] == {
        "Name": "ErrBadRoot",
        "Error": {"Msg": "no timestamp keys exist on the server"},
    }
    assert_nothing_changed(service)


def test_a_snapshot_key_that_cannot_be_read_is_not_held(service: Service) -> None:
    files = Collection(GUN, service.collection().timestamp_key, UNREADABLE).first()
    assert service.publish(files).error["detail"]["Name"] == "ErrBadHierarchy"


def test_keys_of_another_collection_are_not_used(service: Service) -> None:
    """Or whoever may publish here could have files signed that are good there."""
    other = service.collection("other")
    answer = service.publish(Collection(GUN, other.timestamp_key, other.snapshot_key).first())
    assert answer.error["detail"]["Name"] == "ErrBadHierarchy"
    assert_nothing_changed(service)


def test_without_the_signer_nothing_is_stored(service: Service) -> None:
    files = service.collection().first()
    service.signer.away = True
    answer = service.publish(files)
    assert (answer.status, answer.error["code"]) == (503, "SIGNER_UNAVAILABLE")
    assert answer.headers["Retry-After"] == "5"
    assert "detail" not in answer.error
    assert_nothing_changed(service)
    service.signer.away = False
    assert service.publish(files).status == 200


def test_wrong_signatures_are_not_stored() -> None:
    service = Service.make(WrongSigner)
    with log_lines() as lines:
        answer = service.publish(service.collection().first())
    assert (answer.status, answer.error["code"]) == (500, "UNKNOWN")
    assert any("valid signatures did not meet threshold for snapshot" in line for line in lines)
    assert_nothing_changed(service)


def test_without_the_store_nothing_is_stored(service: Service) -> None:
    files = service.collection().first()
    service.store.go_away()
    answer = service.publish(files)
    assert (answer.status, answer.error["code"]) == (503, "STORE_UNAVAILABLE")
    assert answer.headers["Retry-After"] == "5"
    assert b"database is away" not in answer.body
    assert_nothing_changed(service)


@pytest.mark.parametrize(
    ("failure", "code"),
    [(UnstorableError("the column secret_column"), "INVALID_UPDATE"), (OSError("x"), "UPDATING")],
)
def test_a_store_that_refuses(service: Service, failure: Exception, code: str) -> None:
    files = service.collection().first()
    service.store.before_publish.append(lambda: setattr(service.store, "failure", failure))
    answer = service.publish(files)
    assert answer.error["code"] == code
    assert str(failure).encode() not in answer.body
    assert_nothing_changed(service)


def delegating(collection: Collection) -> Files:
    names = ("targets/a", "targets/b")
    return collection.first(delegations=collection.delegations(*names))


def test_of_two_publishes_at_once_both_succeed_if_they_fit() -> None:
    service = Service.make(HeldSigner)
    collection = service.collection()
    assert service.publish(delegating(collection)).status == 200
    held(service).holding = True
    racers = [
        service.start_publish({name: collection.delegation(name)})
        for name in ("targets/a", "targets/b")
    ]
    assert [racer.answers() for racer in racers] == [[], []]
    held(service).let_go()
    assert [racer.answer.status for racer in racers] == [200, 200]
    held(service).holding = False
    meta = service.get(f"{base()}snapshot.json").json["signed"]["meta"]
    assert set(meta) == {"root", "targets", "targets/a", "targets/b"}
    assert service.version("timestamp") == 3


def test_of_two_publishes_at_once_the_first_wins_if_they_conflict() -> None:
    service = Service.make(HeldSigner)
    collection = service.published()
    held(service).holding = True
    uploads = [{"targets": collection.targets(2, indent=indent)} for indent in (1, 2)]
    racers = [service.start_publish(upload) for upload in uploads]
    held(service).let_go()
    assert racers[0].answer.status == 200
    assert (racers[1].answer.status, racers[1].answer.error["code"]) == (400, "VERSION")
    held(service).holding = False
    assert service.get(f"{base()}targets.json").body == uploads[0]["targets"]
    assert service.version("timestamp") == 2


def overtake(service: Service) -> None:
    """Another server makes the timestamp anew."""
    newest = result_of(service.store.inner.newest(GUN, "timestamp"))
    file = json.loads(newest.data)
    file["signed"]["version"] += 1
    version = file["signed"]["version"]
    next_one = NewFile("timestamp", version, json.dumps(file).encode())
    result_of(service.store.inner.publish(GUN, [next_one], newest))


@pytest.mark.parametrize(("times", "status"), [(1, 200), (3, 200), (4, 400)])
def test_who_is_overtaken_tries_again_a_few_times(
    service: Service, times: int, status: int
) -> None:
    collection = service.published()
    service.store.before_publish += [lambda: overtake(service)] * times
    answer = service.publish({"targets": collection.targets(2)})
    assert answer.status == status
    if status == 400:
        assert answer.error["code"] == "VERSION"
        assert service.version("targets") == 1


def test_judges_big_uploads_in_a_thread(service: Service) -> None:
    collection = service.collection()
    targets = {f"{number:04}": file_meta(b"") for number in range(200)}
    files = collection.first(targets=targets)
    assert BIG_UPLOAD < len(multipart(files)[1]) < MAX_BODY
    assert service.publish(files).status == 200
    assert service.threads[0] is read_upload
    assert len(service.threads) == 2


def test_judges_small_uploads_on_the_spot(service: Service) -> None:
    service.published()
    assert service.threads == []


def padded(files: dict[str, bytes]) -> dict[str, bytes]:
    return {**files, "targets": files["targets"].ljust(HUGE_UPLOAD)}


def test_judges_huge_uploads_one_at_a_time() -> None:
    service = Service.make(HeldSigner, max_body=2 * HUGE_UPLOAD)
    held(service).holding = True
    uploads = [
        service.start_publish(
            padded(service.collection(gun).first()),
            gun,
        )
        for gun in (GUN, "other", "third")
    ]
    small = service.start_publish(service.collection("small").first(), "small")
    assert service.threads.count(read_upload) == 1
    held(service).waiting.pop()()
    held(service).waiting.pop()()
    assert small.answer.status == 200
    assert uploads[0].answers() == []
    uploads[1].go_away()
    held(service).let_go()
    assert service.threads.count(read_upload) == 3
    assert [uploads[number].answer.status for number in (0, 2)] == [200, 200]
    held(service).holding = False
    assert service.version("targets", "other") == 1


def test_huge_uploads_wait_for_each_other_only_so_long() -> None:
    service = Service.make(HeldSigner, max_body=2 * HUGE_UPLOAD)
    held(service).holding = True
    first, second = (
        service.start_publish(padded(service.collection(gun).first()), gun)
        for gun in (GUN, "other")
    )
    service.clock.advance(TURN_SECONDS)
    assert second.answer.status == 503
    held(service).let_go()
    assert first.answer.status == 200
    held(service).holding = False
    assert service.publish(padded(service.collection("other").first()), "other").status == 200


def test_a_root_is_read_and_verified_once(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection = service.published()
    monkeypatch.setattr(Root, "read", None)
    for version in (2, 3):
        assert service.publish({"targets": collection.targets(version)}).status == 200


def test_a_certificate_of_a_root_that_was_read_may_expire(service: Service) -> None:
    collection = service.published()
    service.clock.advance(11 * 365 * 24 * 3600)
    answer = service.publish({"targets": collection.targets(2)})
    assert answer.status == 400
    assert "it expired on" in answer.body.decode()
    assert_nothing_changed(service, {"root": 1, "targets": 1, "snapshot": 1, "timestamp": 1})


def test_a_stored_version_is_stale(service: Service) -> None:
    collection = service.published()
    answer = service.publish({"targets": collection.targets(1, indent=1)})
    assert (answer.status, answer.error["code"]) == (400, "VERSION")
    assert "detail" not in answer.error
    assert_nothing_changed(service, dict.fromkeys(ROLES[:4], 1))


def test_a_broken_rule_changes_nothing(service: Service) -> None:
    collection = service.published()
    files = {"root": collection.root(2), "targets": collection.targets(2, signers=[Key.generate()])}
    assert service.publish(files).error["detail"]["Name"] == "ErrBadTargets"
    assert_nothing_changed(service, dict.fromkeys(ROLES[:4], 1))


def test_a_deleted_collection_can_be_made_again(service: Service) -> None:
    service.published()
    with log_lines() as lines:
        deleted = service.ask("DELETE", base())
    assert (deleted.status, deleted.body) == (200, b"")
    assert f"trust data deleted for {GUN}" in lines
    assert service.get(f"{base()}root.json").status == 404
    assert service.ask("DELETE", base()).status == 200
    service.published()
    changes = result_of(service.store.changes(GUN, None, 10))
    assert [change.category for change in changes] == ["update", "deletion", "update"]
