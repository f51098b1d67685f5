"""The short way answers, logs and counts as the ordinary way does."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from io import StringIO
from ipaddress import ip_network
from typing import Any
from unittest.mock import Mock

import pytest
from twisted.logger import globalLogPublisher

from notary.observe.levels import LogThreshold
from notary.observe.logs import FORMATS, log_observer
from notary.server.shortcuts import Shortcuts
from tests.server.harness import GUN, Service, base
from tests.server.test_changefeed import fill
from tests.server.two_ways import CURRENT, Case, both_ways, look, made
from tests.support.forge import DAY


def of_file(role: str) -> Callable[[Service], str]:
    """The path of a role's current file by its checksum."""

    def path(service: Service) -> str:
        body = service.get(f"{base()}{role}.json", If_Match="*").body
        return f"{base()}{role}.{sha256(body).hexdigest()}.json"

    return path


CASES = {
    "timestamp": Case(CURRENT),
    "snapshot": Case(f"{base()}snapshot.json"),
    "root": Case(f"{base()}root.json"),
    "targets": Case(f"{base()}targets.json"),
    "root by checksum": Case(of_file("root")),
    "timestamp by checksum": Case(of_file("timestamp")),
    "parameters": Case(f"{CURRENT}?a=%25&b"),
    "with an address before": Case(f"http://elsewhere{CURRENT}"),
    "no collection": Case(f"{base('docker.io/none')}timestamp.json"),
    "root of no collection": Case(f"{base('docker.io/none')}root.json"),
    "no route": Case("/v2/nothing%25"),
    "no role": Case(f"{base()}targets/none.json", is_short=False),
    "no prefix": Case(f"{base('elsewhere/x')}root.json", is_short=False),
    "no checksum": Case(f"{base()}root.{'0' * 64}.json"),
    "no checksum of no collection": Case(f"{base('docker.io/none')}root.{'0' * 64}.json"),
    "version": Case(f"{base()}1.root.json", is_short=False),
    "head": Case(CURRENT, is_short=False, method="HEAD"),
    "ping": Case("/v2/", is_short=False),
    "changefeed": Case("/v2/_trust/changefeed?records=-3"),
    "changefeed of one": Case(f"/v2/{GUN}/_trust/changefeed?records=9"),
    "changefeed of nothing": Case("/v2/docker.io/none/_trust/changefeed?records=9"),
    "changefeed of no number": Case("/v2/_trust/changefeed?records=x", is_short=False),
    "not text": Case("/v2/%ff", is_short=False),
    "agent": Case(CURRENT, {"User-Agent": 'docker/1 "x" \\ \x7f é', "Referer": "a\tb"}),
    "long agent": Case(CURRENT, {"User-Agent": "x" * 2000}),
    "broken agent": Case(CURRENT, {"User-Agent": b"\xff\xfe"}),
    "host and type": Case(CURRENT, {"Host": "other:1", "Content-Type": "text/x"}),
    "keep-alive": Case(CURRENT, {"Connection": "Keep-Alive"}),
    "close": Case(CURRENT, {"Connection": "close"}, is_short=False),
    "sane ID": Case(CURRENT, {"X-Request-ID": "mine"}),
    "sane ID in between": Case(CURRENT, {"x-request-id": " \t=/+@ ", "Accept": "*/*"}),
    "insane ID": Case(CURRENT, {"X-Request-ID": "a b"}, is_short=False),
    "long ID": Case(CURRENT, {"X-Request-ID": "x" * 129}, is_short=False),
    "no ID in it": Case(CURRENT, {"X-Request-ID": ""}),
    "two IDs": Case(CURRENT, {"X-Request-ID": "a", "x-request-id": "b"}, is_short=False),
    "ID that goes on": Case(CURRENT, {"X-Request-ID": "a\r\n b"}, is_short=False),
    "ID within another": Case(CURRENT, {"Cookie": "a\r\n X-Request-ID: b"}),
    "ID of another kind": Case(CURRENT, {"My-X-Request-ID": "a"}),
    "known tag": Case(CURRENT, {"If-None-Match": "*"}, is_short=False),
    "condition": Case(CURRENT, {"If-Modified-Since": "x"}, is_short=False),
    "expects": Case(CURRENT, {"Expect": "100-continue"}, is_short=False),
    "no body": Case(CURRENT, {"Content-Length": "0"}, is_short=False),
    "upgrade": Case(CURRENT, {"Upgrade": "h2c"}, is_short=False),
    "long head": Case(CURRENT, {"Cookie": "x" * 5000}, is_short=False),
    "forwarded": Case(CURRENT, {"X-Forwarded-For": "1.1.1.1, 192.0.2.7, 10.0.0.9"}),
    "forwarded nonsense": Case(CURRENT, {"X-Forwarded-For": "evil\\"}),
}


@pytest.mark.parametrize("proxies", [(), (ip_network("10.0.0.0/8"),)], ids=["alone", "behind"])
@pytest.mark.parametrize("name", CASES)
def test_both_ways_are_the_same(name: str, proxies: Any) -> None:
    case = CASES[name]
    ordinary, other = both_ways(made(proxies=proxies), case)
    assert other == ordinary
    assert (ordinary.is_short, other.is_short) == (False, case.is_short)
    assert ordinary.log[0].count("response completed") == 1


@pytest.mark.parametrize("log_format", FORMATS)
def test_what_is_not_to_be_logged_is_not(log_format: str) -> None:
    service = made()
    stream = StringIO()
    observer = log_observer(stream, log_format, LogThreshold("error"))
    globalLogPublisher.addObserver(observer)
    try:
        _, other = both_ways(service, CASES["timestamp"])
    finally:
        globalLogPublisher.removeObserver(observer)
    assert other.is_short
    assert stream.getvalue() == ""


def test_the_journal_gets_its_priority() -> None:
    service = made()
    stream = StringIO()
    observer = log_observer(stream, "json", LogThreshold("info"), journal=True)
    globalLogPublisher.addObserver(observer)
    try:
        _, other = both_ways(service, CASES["timestamp"])
    finally:
        globalLogPublisher.removeObserver(observer)
    assert other.is_short
    *_, last = stream.getvalue().splitlines()
    assert last.startswith("<6>{")
    assert "time" not in json.loads(last[3:])


class TestChanges:
    """What is known is not served any more once something has changed."""

    def test_a_new_publish(self) -> None:
        service = Service.make()
        collection = service.published()
        for role in ("timestamp", "snapshot", "targets", "root"):
            both_ways(service, Case(f"{base()}{role}.json"))
        assert service.publish({"targets": collection.targets(2)}).status == 200
        for role, version in [("timestamp", 2), ("snapshot", 2), ("targets", 2), ("root", 1)]:
            assert service.version(role) == version

    def test_another_page(self, monkeypatch: pytest.MonkeyPatch) -> None:
        service = Service.make()
        collection = service.published()
        page = "/v2/_trust/changefeed?records=9"
        both_ways(service, Case(page))
        service.publish({"targets": collection.targets(2)})
        looked_up = Mock(wraps=service.store.changes)
        monkeypatch.setattr(service.store, "changes", looked_up)
        assert service.get(page).json["count"] == 2
        assert looked_up.call_count == 1
        assert look(service, service.connect(), Case(page)).is_short

    def test_a_deletion_and_a_new_collection(self) -> None:
        service = made()
        both_ways(service, Case(CURRENT))
        assert service.ask("DELETE", base()).status == 200
        ordinary, other = both_ways(service, Case(CURRENT))
        assert other == ordinary
        assert b" 404 " in other.answer
        assert other.is_short
        service.published()
        assert service.get(CURRENT).status == 200

    def test_the_time_of_a_renewal(self) -> None:
        service = made()
        _, known = both_ways(service, Case(CURRENT))
        assert known.is_short
        service.clock.advance(13 * DAY.total_seconds())
        seen = look(service, service.connect(), Case(CURRENT))
        assert not seen.is_short
        assert service.version("timestamp") == 2


def test_what_is_known_is_bounded() -> None:
    service = made()
    shortcuts = service.short_way.shortcuts
    for number in range(2000):
        service.get(f"/v2/nothing/{number}", User_Agent=f"agent {number}")
    assert len(shortcuts.lines) * 3072 < shortcuts.lines.maxsize
    assert shortcuts.lines.currsize <= shortcuts.lines.maxsize
    assert len(shortcuts.headers) == shortcuts.headers.maxsize


def test_a_page_that_takes_too_much_memory_is_not_known() -> None:
    service = Service.make()
    fill(service, 100)
    service.short_way.shortcuts = Shortcuts(8 * 4096)
    page = Case("/v2/_trust/changefeed?records=100", is_short=False)
    ordinary, other = both_ways(service, page)
    assert other == ordinary
    assert not other.is_short


def test_a_file_that_was_missing() -> None:
    service = made()
    files = service.collection("docker.io/x").first()
    path = f"{base('docker.io/x')}root.{sha256(files['root']).hexdigest()}.json"
    _, known = both_ways(service, Case(path))
    assert known.is_short
    assert service.publish(files, "docker.io/x").status == 200
    assert service.get(path).body == files["root"]
