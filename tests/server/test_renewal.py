"""Renewal of what the server signs: who waits for it, who does not, and what happens without."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from twisted.internet.defer import Deferred

from notary.server.renewal import Renewal
from notary.storage.interfaces import StoreUnavailableError
from tests.server.harness import GUN, Service, base, log_lines, result_of
from tests.support.fakes import HeldSigner
from tests.support.forge import DAY, rfc3339

TIMESTAMP = f"{base()}timestamp.json"
SNAPSHOT = f"{base()}snapshot.json"
NEAR_ITS_END = 13
EXPIRED = 15
SNAPSHOT_NEAR_ITS_END = 3 * 365 - 150
SNAPSHOT_EXPIRED = 3 * 365 + 1


def pass_days(service: Service, days: float) -> None:
    service.clock.advance(days * DAY.total_seconds())


def signatures(service: Service) -> list[str]:
    """The roles that the signer was asked to sign for, since this was called last."""
    roles = [role for method, role in service.signer.asked if method == "sign"]
    service.signer.asked.clear()
    return roles


@pytest.fixture
def service() -> Service:
    """A server with one collection, all of whose server files are new."""
    service = Service.make(HeldSigner)
    service.published()
    signatures(service)
    return service


@pytest.fixture
def signer(service: Service) -> HeldSigner:
    assert isinstance(service.outermost, HeldSigner)
    return service.outermost


def test_what_is_good_is_served_without_asking_the_signer(service: Service) -> None:
    first = service.get(TIMESTAMP).body
    pass_days(service, 11.9)
    assert service.get(TIMESTAMP).body == first
    assert service.version("snapshot") == 1
    assert signatures(service) == []


@pytest.mark.parametrize("path", [TIMESTAMP, SNAPSHOT])
def test_near_its_end_is_served_at_once_and_renewed_behind(
    service: Service, signer: HeldSigner, path: str
) -> None:
    first = service.get(path).body
    pass_days(service, NEAR_ITS_END)
    signer.holding = True
    assert service.get(path).body == first
    assert len(signer.waiting) == 1
    signer.let_go()
    assert service.version("timestamp") == 2
    assert signatures(service) == ["timestamp"]
    assert service.version("snapshot") == 1


def test_a_snapshot_is_renewed_long_before_its_end(service: Service) -> None:
    pass_days(service, SNAPSHOT_NEAR_ITS_END)
    service.get(TIMESTAMP)
    assert (service.version("timestamp"), service.version("snapshot")) == (2, 2)
    assert signatures(service) == ["snapshot", "timestamp"]


@pytest.mark.parametrize(("path", "days"), [(TIMESTAMP, EXPIRED), (SNAPSHOT, SNAPSHOT_EXPIRED)])
def test_what_has_expired_is_waited_for(
    service: Service, signer: HeldSigner, path: str, days: int
) -> None:
    pass_days(service, days)
    signer.holding = True
    connection = service.start("GET", path)
    assert connection.answers() == []
    signer.let_go()
    now = datetime.fromtimestamp(service.clock.seconds(), timezone.utc)
    signed = connection.answer.json["signed"]
    assert signed["version"] == 2
    assert signed["expires"] > rfc3339(now)


def test_a_new_snapshot_names_what_the_old_one_did(service: Service) -> None:
    old = service.get(SNAPSHOT).json["signed"]["meta"]
    targets = service.get(f"{base()}targets.json").body
    pass_days(service, SNAPSHOT_EXPIRED)
    assert service.get(SNAPSHOT).json["signed"]["meta"] == old
    assert service.get(f"{base()}targets.json").body == targets


def test_a_renewal_is_told_in_the_changefeed(service: Service) -> None:
    pass_days(service, EXPIRED)
    service.get(TIMESTAMP)
    changes = result_of(service.store.changes(GUN, None, 10))
    assert [change.version for change in changes] == [1, 2]


def test_concurrent_readers_share_one_renewal(service: Service, signer: HeldSigner) -> None:
    pass_days(service, EXPIRED)
    signer.holding = True
    readers = [service.start("GET", TIMESTAMP) for _ in range(3)]
    assert len(signer.waiting) == 1
    readers[0].go_away()
    signer.let_go()
    assert signatures(service) == ["timestamp"]
    assert readers[1].answer.body == readers[2].answer.body
    assert service.version("timestamp") == 2


def test_collections_are_renewed_apart(service: Service, signer: HeldSigner) -> None:
    service.published("other")
    pass_days(service, EXPIRED)
    signer.holding = True
    readers = [service.start("GET", f"{base(gun)}timestamp.json") for gun in (GUN, "other")]
    assert len(signer.waiting) == 2
    signer.let_go()
    assert [reader.answer.status for reader in readers] == [200, 200]


def test_without_the_signer_what_is_good_is_served(service: Service) -> None:
    service.signer.away = True
    first = service.get(TIMESTAMP).body
    pass_days(service, NEAR_ITS_END)
    with log_lines() as lines:
        assert service.get(TIMESTAMP).body == first
    assert f"the timestamp of {GUN} could not be renewed ahead of time: the signer is away" in lines


def test_a_renewal_that_failed_is_tried_again_a_minute_later(service: Service) -> None:
    pass_days(service, NEAR_ITS_END)
    service.signer.away = True
    service.get(TIMESTAMP)
    service.signer.away = False
    signatures(service)
    service.clock.advance(59)
    service.get(TIMESTAMP)
    assert signatures(service) == []
    service.clock.advance(1)
    service.get(TIMESTAMP)
    assert service.version("timestamp") == 2


@pytest.mark.parametrize(("path", "days"), [(TIMESTAMP, EXPIRED), (SNAPSHOT, SNAPSHOT_EXPIRED)])
def test_without_the_signer_what_has_expired_is_not_served(
    service: Service, path: str, days: int
) -> None:
    pass_days(service, days)
    service.signer.away = True
    answer = service.get(path)
    assert (answer.status, answer.error["code"]) == (503, "SIGNER_UNAVAILABLE")
    assert answer.headers["Retry-After"] == "5"
    service.signer.away = False
    assert service.get(path).status == 200


def test_a_store_that_fails_in_a_renewal_is_an_outage(service: Service) -> None:
    pass_days(service, EXPIRED)

    def fail() -> None:
        service.store.failure = StoreUnavailableError("the database is away")

    service.store.before_publish.append(fail)
    assert service.get(TIMESTAMP).error["code"] == "STORE_UNAVAILABLE"


def test_without_the_timestamp_key_the_stored_one_is_served(service: Service) -> None:
    first = service.get(TIMESTAMP).body
    pass_days(service, EXPIRED)
    service.keys._keys.clear()
    with log_lines() as lines:
        assert service.get(TIMESTAMP).body == first
    assert any(line.startswith(f"the timestamp of {GUN} is not renewed") for line in lines)


def test_without_the_snapshot_key_the_signer_is_asked_once() -> None:
    service = Service.make()
    collection = service.collection(server_snapshot=False)
    files = {"root": collection.root(), "targets": collection.targets()}
    soon = rfc3339(datetime.now(timezone.utc) + DAY)
    files["snapshot"] = collection.snapshot(meta_of=files, expires=soon)
    assert service.publish(files).status == 200
    signatures(service)
    pass_days(service, 2)
    for _ in range(3):
        assert service.get(SNAPSHOT).body == files["snapshot"]
    assert signatures(service) == ["snapshot"]
    pass_days(service, EXPIRED)
    assert service.version("timestamp") == 2
    assert service.get(SNAPSHOT).body == files["snapshot"]


def test_who_loses_a_race_serves_the_file_of_the_winner(service: Service) -> None:
    pass_days(service, EXPIRED)
    winner: list[bytes] = []

    def another_server_is_faster() -> None:
        service.clock.advance(5)
        renewal = Renewal(service.store.inner, service.keys, service.clock)
        winner.append(result_of(Deferred.fromCoroutine(renewal.timestamp(GUN))).data)

    service.store.before_publish.append(another_server_is_faster)
    assert service.get(TIMESTAMP).body == winner[0]
    assert service.version("timestamp") == 2
    assert len(result_of(service.store.changes(GUN, None, 10))) == 2


def test_who_is_late_finds_nothing_to_do(service: Service, signer: HeldSigner) -> None:
    """Between reading and renewing, another server may have done it."""
    pass_days(service, EXPIRED)
    renewal = Renewal(service.store, signer, service.clock)
    expired = result_of(service.store.newest(GUN, "timestamp"))
    assert service.version("timestamp") == 2
    signatures(service)
    found = result_of(Deferred.fromCoroutine(renewal._renew(GUN)))
    assert found.version == expired.version + 1
    assert signatures(service) == []


def test_files_that_do_not_say_when_they_expire_have_expired(service: Service) -> None:
    stored = service.get(TIMESTAMP).json
    del stored["signed"]["expires"]
    service.store.replaced["timestamp"] = str(stored).replace("'", '"').encode()
    service.signer.away = True
    assert service.get(TIMESTAMP).status == 503
