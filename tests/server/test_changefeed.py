"""The changefeed: which page each form of its parameters gives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from notary.server.changefeed import DEFAULT_RECORDS, MAX_RECORDS
from notary.storage.interfaces import Change, NewFile, StoredFile
from notary.tuf.times import parse_time
from tests.server.harness import GUN, Service, result_of

WHOLE = "/v2/_trust/changefeed"
OF_GUN = f"/v2/{GUN}/_trust/changefeed"
CHANGES = 1200


def fill(service: Service, count: int, gun: str = GUN) -> None:
    base: StoredFile | None = None
    for version in range(1, count + 1):
        file = NewFile("timestamp", version, b"%d" % version)
        [base] = result_of(service.store.publish(gun, [file], base))


@pytest.fixture(scope="module")
def filled() -> Service:
    service = Service.make()
    fill(service, CHANGES)
    return service


def ids(service: Service, query: str, path: str = OF_GUN) -> list[int]:
    answer = service.get(f"{path}?{query}")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert answer.json["count"] == len(answer.json["records"])
    return [int(record["ID"]) for record in answer.json["records"]]


@pytest.mark.parametrize(
    ("query", "first", "last"),
    [
        ("records=5", 1, 5),
        ("records=%2B5", 1, 5),
        ("records=0", 1, DEFAULT_RECORDS),
        ("records=0005", 1, 5),
        ("records=5&change_id=", 1, 5),
        ("records=5&change_id=0", 1, 5),
        ("records=5&change_id=10", 11, 15),
        ("records=0&change_id=10", 11, 10 + DEFAULT_RECORDS),
        ("records=-5&change_id=10", 5, 9),
        ("records=-5", CHANGES - 4, CHANGES),
        ("records=-5&change_id=0", CHANGES - 4, CHANGES),
        ("records=-5&change_id=3", 1, 2),
        ("records=5&change_id=-1", CHANGES - 4, CHANGES),
        ("records=-5&change_id=-7", CHANGES - 4, CHANGES),
        ("records=0&change_id=-1", CHANGES - DEFAULT_RECORDS + 1, CHANGES),
        ("records=2147483647", 1, MAX_RECORDS),
        (f"records={MAX_RECORDS + 1}", 1, MAX_RECORDS),
        ("records=-2147483648", CHANGES - MAX_RECORDS + 1, CHANGES),
        ("records=5&change_id=1198", 1199, 1200),
        ("records=5&records=7", 1, 5),
        ("records=5&other=7", 1, 5),
    ],
)
def test_page(filled: Service, query: str, first: int, last: int) -> None:
    assert ids(filled, query) == list(range(first, last + 1))
    assert ids(filled, query, WHOLE) == list(range(first, last + 1))


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("", "records"),
        ("records", "records"),
        ("records=", "records"),
        ("records=a", "records"),
        ("records=+5", "records"),
        ("records=1.5", "records"),
        ("records=0x5", "records"),
        ("records=1_0", "records"),
        ("records=%D9%A3", "records"),
        ("records=%ff", "records"),
        ("records=5%0A", "records"),
        ("records=2147483648", "records"),
        ("records=-2147483649", "records"),
        ("records=99999999999", "records"),
        ("records=5&change_id=x", "change_id"),
        ("records=5&change_id=2147483648", "change_id"),
        ("change_id=5", "records"),
    ],
)
@pytest.mark.parametrize("path", [WHOLE, OF_GUN])
def test_refuses_what_is_no_32_bit_integer(
    service: Service, query: str, name: str, path: str
) -> None:
    answer = service.get(f"{path}?{query}")
    assert (answer.status, answer.error["code"]) == (400, "INVALID_PARAMETERS")
    assert answer.error["detail"].startswith(f"{name} must be a 32-bit integer, not ")


def test_shows_little_of_what_it_refuses(service: Service) -> None:
    answer = service.get(f"{WHOLE}?records={'9' * 5000}")
    assert answer.error["detail"].endswith(repr("9" * 40))


@pytest.mark.parametrize("path", [WHOLE, OF_GUN])
def test_is_empty_at_first(service: Service, path: str) -> None:
    assert service.get(f"{path}?records=5").json == {"count": 0, "records": []}


def test_tells_one_collection_from_the_others(service: Service) -> None:
    fill(service, 2, "other")
    fill(service, 1)
    fill(service, 1, f"{GUN}/more")
    assert ids(service, "records=9") == [3]
    assert ids(service, "records=9", WHOLE) == [1, 2, 3, 4]
    assert ids(service, "records=-1&change_id=4", WHOLE) == [3]


def test_a_record_holds_what_programs_expect(service: Service) -> None:
    service.published()
    service.ask("DELETE", f"/v2/{GUN}/_trust/tuf/")
    update, deletion = service.get(f"{WHOLE}?records=9").json["records"]
    times = {parse_time(record.pop("CreatedAt")).timestamp() for record in (update, deletion)}
    assert times == {service.clock.seconds()}
    checksum = update.pop("SHA256")
    assert len(bytes.fromhex(checksum)) == 32
    common: dict[str, Any] = {"GUN": GUN}
    assert update == {**common, "ID": "1", "Version": 1, "Category": "update"}
    assert deletion == {**common, "ID": "2", "Version": 0, "SHA256": "", "Category": "deletion"}


def test_without_the_store_there_is_no_page(service: Service) -> None:
    service.store.go_away()
    assert service.get(f"{WHOLE}?records=5").error["code"] == "STORE_UNAVAILABLE"


class TestSharing:
    """Requests for the same page at the same time."""

    @pytest.fixture
    def service(self) -> Service:
        service = Service.make()
        fill(service, 2)
        return service

    def test_one_that_comes_while_a_page_is_looked_up_gets_the_next(self, service: Service) -> None:
        held: list[Deferred[None]] = []
        changes = service.store.changes

        def hold(gun: str | None, start: int | None, limit: int) -> Deferred[Sequence[Change]]:
            found = result_of(changes(gun, start, limit))
            held.append(Deferred())
            return held[-1].addCallback(lambda _: found)

        service.store.changes = hold  # type: ignore[method-assign]
        connections = [service.connect() for _ in range(4)]
        for connection in connections[:3]:
            connection.request("GET", f"{OF_GUN}?records=9")
        fill(service, 1, "docker.io/other")
        connections[3].request("GET", f"{WHOLE}?records=9")
        assert len(held) == 2
        held[0].callback(None)
        assert len(held) == 3
        result_of(service.store.inner.delete(GUN))
        for waiting in held[1:]:
            waiting.callback(None)
        counts = [connection.answer.json["count"] for connection in connections]
        assert counts == [2, 2, 2, 3]
        held.clear()
        connections[0].request("GET", f"{OF_GUN}?records=9")
        held[0].callback(None)
        assert connections[0].answers()[1].json["count"] == 3

    def test_a_store_that_is_away(self, service: Service) -> None:
        service.store.go_away()
        answer = service.get(f"{OF_GUN}?records=9")
        assert answer.error["code"] == "STORE_UNAVAILABLE"
        service.store.failure = None
        assert service.get(f"{OF_GUN}?records=9").json["count"] == 2

    def test_many_pages(self, service: Service) -> None:
        for start in range(200):
            assert ids(service, f"records=9&change_id={start}") == [1, 2][start:]
