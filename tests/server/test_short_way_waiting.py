"""Connections with a request that goes the short way, while it is asked what is newest."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred

from notary.server.http import IDLE_TIMEOUT
from notary.storage.interfaces import NewFile, StoredFile
from tests.server.harness import GUN, Service, result_of
from tests.server.two_ways import CURRENT, Case, both_ways, counted, made


class Held:
    """A store whose newest timestamps are told when it is said so."""

    def __init__(self, service: Service) -> None:
        self._newest = service.store.newest
        self.waiting: list[Deferred[None]] = []
        service.store.newest = self.newest  # type: ignore[method-assign]

    def newest(self, gun: str, role: str) -> Deferred[StoredFile]:
        held: Deferred[None] = Deferred()
        self.waiting.append(held)
        return held.addCallback(lambda _: self._newest(gun, role))

    def let_go(self) -> None:
        while self.waiting:
            self.waiting.pop(0).callback(None)


class TestWaiting:
    """A request that goes the short way, while it is asked what is newest."""

    @pytest.fixture
    def service(self) -> Service:
        service = made()
        _, known = both_ways(service, Case(CURRENT))
        assert known.is_short
        return service

    @pytest.fixture
    def held(self, service: Service) -> Held:
        return Held(service)

    def test_others_wait_for_their_turn(self, service: Service, held: Held) -> None:
        connection = service.connect()
        for path in (CURRENT, "/v2/", CURRENT):
            connection.request("GET", path)
        assert connection.answers() == []
        held.let_go()
        held.let_go()
        assert [len(each.body) > 10 for each in connection.answers()] == [True, False, True]

    def test_it_is_in_flight(self, service: Service, held: Held) -> None:
        connection = service.connect()
        connection.request("GET", CURRENT)
        assert service.watching.requests.in_flight == 1
        held.let_go()
        assert service.watching.requests.in_flight == 0
        assert connection.answer.status == 200

    def test_a_client_that_goes_away_is_not_answered(self, service: Service, held: Held) -> None:
        before = counted(service), len(service.site.connections)
        connection = service.connect()
        connection.request("GET", CURRENT)
        connection.go_away()
        held.let_go()
        assert connection.answers() == []
        assert (counted(service), len(service.site.connections)) == before

    def test_it_is_the_last_one_if_the_server_stops(self, service: Service, held: Held) -> None:
        connection = service.connect()
        connection.request("GET", CURRENT)
        service.site.connections.stopService()
        service.clock.advance(2)
        assert not connection.closing
        held.let_go()
        assert connection.answer.headers["Connection"] == "close"
        assert connection.closing

    def test_it_is_not_idle(self, service: Service, held: Held) -> None:
        connection = service.connect()
        connection.request("GET", CURRENT)
        service.clock.advance(IDLE_TIMEOUT + 1)
        assert not connection.closing
        held.let_go()
        assert connection.answer.status == 200
        service.clock.advance(IDLE_TIMEOUT + 1)
        assert connection.closing

    def test_much_that_comes_meanwhile_is_held_back(self, service: Service, held: Held) -> None:
        connection = service.connect()
        connection.request("GET", CURRENT)
        connection.send(b"POST /v2/ HTTP/1.1\r\nContent-Length: 40000\r\n\r\n" + b"x" * 20_000)
        assert connection.transport.producerState == "paused"
        held.let_go()
        assert connection.transport.producerState == "producing"
        connection.send(b"x" * 20_000)
        assert [answer.status for answer in connection.answers()] == [200, 404]

    def test_what_was_found_out_is_not_asked_again(self, service: Service, held: Held) -> None:
        stored = result_of(service.store.inner.newest(GUN, "timestamp"))
        changed = stored.data.replace(b'"version":1', b'"version":2')
        connection = service.connect()
        connection.request("GET", CURRENT)
        files = [NewFile("timestamp", 2, changed)]
        result_of(service.store.inner.publish(GUN, files, stored))
        held.let_go()
        assert held.waiting == []
        assert connection.answer.body == changed

    def test_a_store_that_is_away_is_asked_once(self, service: Service) -> None:
        service.store.go_away()
        service.store.asked.clear()
        answer = service.get(CURRENT)
        assert answer.error["code"] == "STORE_UNAVAILABLE"
        assert service.store.asked == ["newest"]
