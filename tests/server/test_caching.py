"""Cache headers and conditional requests."""

from __future__ import annotations

from hashlib import sha256

import pytest

from notary.server.caching import CacheControl
from tests.server.harness import Answer, Service, base

CURRENT = f"{base()}targets.json"
VERSION = f"{base()}1.targets.json"
OTHER = "0" * 64


def checksum_path(service: Service) -> str:
    return f"{base()}targets.{sha256(service.get(CURRENT).body).hexdigest()}.json"


def conditional(service: Service, etags: str | bytes, path: str = CURRENT) -> Answer:
    return service.get(path, If_None_Match=etags)


@pytest.fixture
def service() -> Service:
    service = Service.make()
    service.published()
    return service


@pytest.fixture
def checksum(service: Service) -> str:
    return sha256(service.get(CURRENT).body).hexdigest()


@pytest.mark.parametrize("role", ["root", "targets", "snapshot", "timestamp"])
def test_current_files_must_be_asked_for_again_soon(service: Service, role: str) -> None:
    headers = service.get(f"{base()}{role}.json").headers
    assert headers["Cache-Control"] == "public, max-age=300, s-maxage=300, must-revalidate"
    assert "Pragma" not in headers


def test_other_files_never_change(service: Service) -> None:
    for path in (VERSION, checksum_path(service)):
        headers = service.get(path).headers
        assert headers["Cache-Control"] == "public, max-age=2592000, s-maxage=2592000"


def test_caches_of_others_can_be_shut_out() -> None:
    service = Service.make(
        current=CacheControl(300, must_revalidate=True, shared=False),
        consistent=CacheControl(2_592_000, shared=False),
    )
    service.published()
    assert service.get(CURRENT).headers["Cache-Control"] == "private, max-age=300, must-revalidate"
    for path in (VERSION, checksum_path(service)):
        assert service.get(path).headers["Cache-Control"] == "private, max-age=2592000"


def test_no_age_at_all_forbids_caches() -> None:
    service = Service.make(
        current=CacheControl(0, must_revalidate=True), consistent=CacheControl(0)
    )
    service.published()
    for path in (CURRENT, VERSION, checksum_path(service)):
        headers = service.get(path).headers
        assert headers["Cache-Control"] == "max-age=0, no-cache, no-store"
        assert headers["Pragma"] == "no-cache"


@pytest.mark.parametrize("path", [CURRENT, VERSION])
def test_a_file_says_which_it_is_and_since_when(service: Service, checksum: str, path: str) -> None:
    service.clock.advance(1_900_000_000 - service.clock.seconds())
    service.published("later")
    headers = service.get(path.replace(base(), base("later"))).headers
    assert headers["Last-Modified"] == "Sun, 17 Mar 2030 17:46:40 GMT"
    assert service.get(path).headers["ETag"] == f'"{checksum}"'


@pytest.mark.parametrize(
    "etags",
    [
        '"{}"',
        'W/"{}"',
        "*",
        '"{}", "x"',
        '"x", W/"y" ,"{}"',
        '"x","{}"',
    ],
)
def test_who_has_the_file_does_not_get_it_again(
    service: Service, checksum: str, etags: str
) -> None:
    full = service.get(CURRENT)
    for method in ("GET", "HEAD"):
        answer = service.ask(method, CURRENT, If_None_Match=etags.format(checksum))
        assert (answer.status, answer.body) == (304, b"")
        for name in ("ETag", "Cache-Control", "Last-Modified"):
            assert answer.headers[name] == full.headers[name]
        assert "Content-Type" not in answer.headers
        assert answer.headers["Content-Length"] in (None, str(len(full.body)))


@pytest.mark.parametrize(
    "etags",
    ["", '""', f'"{OTHER}"', '"*"', ",", '"', "W/", f'W/"{OTHER}", "x"', b"\xff\xfe", "a" * 4000],
)
def test_who_has_another_file_gets_this_one(service: Service, etags: str | bytes) -> None:
    answer = conditional(service, etags)
    assert answer.status == 200
    assert answer.body == service.get(CURRENT).body


def test_a_new_publish_is_seen_by_who_has_the_old_file() -> None:
    service = Service.make()
    collection = service.published()
    old = service.get(CURRENT).headers["ETag"]
    assert service.publish({"targets": collection.targets(2)}).status == 200
    answer = conditional(service, old)
    assert answer.status == 200
    assert answer.headers["ETag"] != old
    assert conditional(service, old, VERSION).status == 304


def test_nothing_is_decided_by_a_time(service: Service) -> None:
    assert service.get(CURRENT, If_Modified_Since="Fri, 01 Jan 2100 00:00:00 GMT").status == 200


def test_files_behind_checksums_may_be_asked_for_conditionally(
    service: Service, checksum: str
) -> None:
    for path in (VERSION, checksum_path(service)):
        assert conditional(service, f'"{checksum}"', path).status == 304


def test_what_is_not_there_does_not_match(service: Service) -> None:
    answer = conditional(service, "*", f"{base()}7.targets.json")
    assert answer.status == 404
    assert "Cache-Control" not in answer.headers
