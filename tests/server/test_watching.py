"""What those see who watch over the server: readiness, and what it counts of its own work."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any, cast

import pytest
from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock

from notary.server.api import API
from notary.server.metrics import OPERATIONS, ServerMetrics
from notary.signing.interfaces import SignerUnavailableError
from notary.signing.local import LocalSigner
from notary.storage.interfaces import (
    ConflictError,
    FileNotStoredError,
    NewFile,
    StoreUnavailableError,
)
from notary.storage.memory import MemoryMetadataStore
from tests.server.harness import GUN, Service, base, result_of
from tests.support.fakes import SwitchedSigner, SwitchedStore

NEVER_PUBLISHED = NewFile("timestamp", 3, b"").stored_at(datetime.now(timezone.utc))
DAY = 24 * 3600
LIFE = "notary_server_served_metadata_life_seconds"


def served(service: Service, role: str, le: str = "+Inf") -> float | None:
    name = f"{LIFE}_bucket"
    return service.watching.registry.get_sample_value(name, {"role": role, "le": le})


def test_live_asks_nothing(service: Service) -> None:
    service.store.go_away()
    service.store.asked.clear()
    answer = service.get("/_notary_server/live")
    assert (answer.status, answer.json) == (200, {})
    assert service.store.asked == []


def test_ready(service: Service) -> None:
    path = "/_notary_server/ready"
    assert service.get(path).json == {"Checks": "not checked yet"}
    service.readiness.startService()
    answer = service.get(path)
    assert (answer.status, answer.json) == (200, {})
    service.signer.away = True
    service.clock.advance(5)
    answer = service.get(path)
    assert (answer.status, answer.json) == (503, {"Trust operational": "the signer is away"})
    service.readiness.stopService()
    assert list(service.get(path).json) == ["Stopping"]


def test_many_who_ask_for_health_at_once_share_one_run(service: Service) -> None:
    service.store.hangs = True
    connections = [service.start("GET", "/_notary_server/health") for _ in range(20)]
    assert service.signer.asked == [("check", "")]
    service.clock.advance(6)
    assert {connection.answer.status for connection in connections} == {503}


def test_operations_are_those_of_the_routes(service: Service) -> None:
    service.metrics_text()
    names = set()
    for rule in API.app.url_map.iter_rules():
        for method in sorted(rule.methods or ()):
            path = rule.rule.replace("<gun:gun>", GUN).replace("<server_role:role>", "timestamp")
            path = path.replace("<role:role>", "root").replace("<version:version>", "1")
            connection = service.start(method, path.replace("<checksum:checksum>", "0" * 64))
            names |= {request.operation for request in connection.requests}
    text = service.metrics_text()
    for line in text.splitlines():
        if line.startswith("notary_server_http_requests_total"):
            names.add(line.split('operation="')[1].split('"')[0])
    assert names == set(OPERATIONS)


class TestInFlight:
    NAME = "notary_server_http_requests_in_flight"

    def value(self, service: Service) -> float | None:
        return service.watching.registry.get_sample_value(self.NAME)

    def test_counts_what_is_worked_upon(self, service: Service) -> None:
        service.store.hangs = True
        connection = service.start("GET", "/_notary_server/health")
        assert self.value(service) == 1
        service.clock.advance(6)
        assert connection.answer.status == 503
        assert self.value(service) == 0

    def test_goes_down_after_an_error(self, service: Service) -> None:
        assert service.get(f"{base()}root.json").status == 404
        assert self.value(service) == 0


class TestLifetimes:
    def test_current_files_are_counted_by_what_they_have_left(self, service: Service) -> None:
        service.published()
        for _ in range(3):
            service.get(f"{base()}timestamp.json")
        service.get(f"{base()}root.json")
        assert served(service, "timestamp") == 3
        assert served(service, "timestamp", str(7.0 * DAY)) == 0
        assert served(service, "timestamp", str(30.0 * DAY)) == 3
        assert served(service, "root") == 1
        assert served(service, "root", "0.0") == 0

    def test_expired_ones_are_found(self, service: Service) -> None:
        service.published()
        service.get(f"{base()}root.json")
        service.clock.advance(100 * 365 * DAY)
        service.get(f"{base()}root.json")
        assert served(service, "root") == 2
        assert served(service, "root", "0.0") == 1

    def test_old_files_are_not_counted(self, service: Service) -> None:
        service.published()
        service.get(f"{base()}1.root.json")
        assert served(service, "root") == 0


class TestCalls:
    @pytest.fixture
    def metrics(self) -> ServerMetrics:
        return ServerMetrics("1.2.3", cast(Any, Clock()), lambda *_: fail(AssertionError()))

    @pytest.mark.parametrize(("away", "result"), [(False, "ok"), (True, "unavailable")])
    def test_of_the_signer(self, metrics: ServerMetrics, away: bool, result: str) -> None:
        inner = SwitchedSigner(LocalSigner())
        inner.away = away
        signer = metrics.measure_signer(inner)
        asked: list[Deferred[Any]] = [signer.create_key("a", "timestamp"), signer.check()]
        for work in asked:
            try:
                result_of(work)
            except SignerUnavailableError:
                assert away
        for call in ("create_key", "check"):
            name = "notary_server_signer_calls_total"
            labels = {"call": call, "result": result}
            assert metrics.registry.get_sample_value(name, labels) == 1

    def test_of_the_store(self, metrics: ServerMetrics) -> None:
        inner = SwitchedStore(MemoryMetadataStore(cast(Any, Clock())))
        store = metrics.measure_store(inner)
        with pytest.raises(FileNotStoredError):
            result_of(store.newest("a", "root"))
        with pytest.raises(ConflictError):
            result_of(store.publish("a", [], NEVER_PUBLISHED))
        result_of(store.changes(None, None, 1))
        inner.go_away()
        with pytest.raises(StoreUnavailableError):
            result_of(store.check())
        for call, result in (
            ("newest", "not_stored"),
            ("publish", "conflict"),
            ("changes", "ok"),
            ("check", "unavailable"),
        ):
            name = "notary_server_store_calls_total"
            labels = {"call": call, "result": result}
            assert metrics.registry.get_sample_value(name, labels) == 1
