"""IDs of requests: in answers and in every line that is written for them, and in no other."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_network
from typing import Any

import pytest
from twisted.logger import capturedLogs

from notary import request_id
from notary.server.access.control import OpenAccess
from notary.server.access.interfaces import Scope
from notary.server.publishing import HUGE_UPLOAD
from tests.server.harness import GUN, MAX_BODY, Connection, Service, base
from tests.support.fakes import HeldSigner
from tests.support.forge import Collection, Files, file_meta, multipart
from tests.support.log_lines import written_lines

ID = "http.request.id"


@pytest.mark.parametrize("given", ["mine-1", "Root=1-5759e988-bd862e3fe1be46a9", "x" * 128])
def test_a_sane_one_is_taken_over(service: Service, given: str) -> None:
    with written_lines() as lines:
        answer = service.get("/v2/", X_Request_ID=given)
    assert answer.headers.get_all("X-Request-ID") == [given]
    assert [line[ID] for line in lines] == [given]


@pytest.mark.parametrize("given", [b"", b"a b", b"x" * 129, b"a\x1b[0m", b"caf\xc3\xa9", b"\xff"])
def test_others_are_replaced(service: Service, given: bytes) -> None:
    answer = service.get("/v2/", X_Request_ID=given)
    (made,) = answer.headers.get_all("X-Request-ID") or []
    assert request_id.is_sane(made)
    assert made.encode() != given


def test_those_of_requests_that_are_known_too(service: Service) -> None:
    service.published()
    for given in ("first", "second", "third"):
        with written_lines() as lines:
            answer = service.get(f"{base()}timestamp.json", X_Request_ID=given)
        assert answer.headers.get_all("X-Request-ID") == [given]
        assert [line[ID] for line in lines] == [given]
    assert service.short_way.answered == 2


def test_new_ones_differ_on_one_connection(service: Service) -> None:
    connection = service.connect()
    for _ in range(3):
        connection.request("GET", "/v2/")
    assert len({answer.headers["X-Request-ID"] for answer in connection.answers()}) == 3


def too_large(connection: Connection, size: int) -> None:
    head = f"POST {base()} HTTP/1.1\r\nX-Request-ID: mine\r\nContent-Length: {size}\r\n\r\n"
    connection.send(head.encode())


@pytest.mark.parametrize(
    ("ask", "status"),
    [
        (lambda one: one.request("GET", "/v2/", X_Request_ID="mine"), 200),
        (lambda one: one.request("GET", "/nowhere", X_Request_ID="mine"), 404),
        (lambda one: one.request("GET", "/v2/%ff", X_Request_ID="mine"), 400),
        (lambda one: one.request("PUT", "/v2/", X_Request_ID="mine"), 404),
        (lambda one: one.request("POST", base(), b"", X_Request_ID="mine"), 400),
        (lambda one: one.request("GET", f"{base()}root.json", X_Request_ID="mine"), 404),
        (lambda one: one.request("GET", f"{base('*')}root.json", X_Request_ID="mine"), 404),
        (lambda one: too_large(one, 3 * MAX_BODY), 413),
    ],
)
def test_every_answer_has_it(
    service: Service, ask: Callable[[Connection], Any], status: int
) -> None:
    connection = service.connect()
    with written_lines() as lines:
        ask(connection)
    assert connection.answer.status == status
    assert connection.answer.headers["X-Request-ID"] == "mine"
    assert lines[-1]["msg"] == "response completed"
    assert {line[ID] for line in lines} == {"mine"}


def test_a_failure_of_ours_too(service: Service) -> None:
    service.store.failure = RuntimeError("an inner matter")
    with written_lines() as lines:
        answer = service.get(f"{base()}root.json", X_Request_ID="mine")
    assert (answer.status, answer.headers["X-Request-ID"]) == (500, "mine")
    assert [(line["level"], line[ID]) for line in lines] == [("error", "mine"), ("info", "mine")]


def publish(connection: Connection, files: Files, gun: str, name: str) -> None:
    content_type, body = multipart(files)
    connection.request("POST", base(gun), body, Content_Type=content_type, X_Request_ID=name)


def by_id(lines: list[dict[str, Any]]) -> dict[str, list[str]]:
    """The GUNs that lines are about, by their IDs."""
    found: dict[str, list[str]] = {}
    for line in lines:
        found.setdefault(line.get(ID, "none"), []).append(line["gun"])
    return found


def test_requests_at_the_same_time_have_their_own_lines() -> None:
    service = Service.make(HeldSigner)
    assert isinstance(service.outermost, HeldSigner)
    names = [f"example.com/{number}" for number in range(3)]
    files = [service.collection(gun).first() for gun in names]
    service.outermost.holding = True
    connections = [service.connect() for _ in names]
    with written_lines() as lines:
        for connection, gun, each in zip(connections, names, files, strict=True):
            publish(connection, each, gun, gun)
        service.outermost.waiting.reverse()
        service.outermost.let_go()
    assert {connection.answer.status for connection in connections} == {200}
    assert by_id(lines) == {gun: [gun, gun] for gun in names}


def test_huge_uploads_that_wait_for_each_other_keep_theirs() -> None:
    service = Service.make(HeldSigner, max_body=4 * HUGE_UPLOAD)
    assert isinstance(service.outermost, HeldSigner)
    names = [f"example.com/{number}" for number in range(3)]
    connections = [service.connect() for _ in names]
    uploads = [huge(service.collection(gun)) for gun in names]
    service.outermost.holding = True
    with written_lines() as lines:
        for connection, gun, files in zip(connections, names, uploads, strict=True):
            publish(connection, files, gun, gun)
        service.outermost.let_go()
    assert {connection.answer.status for connection in connections} == {200}
    assert by_id(lines) == {gun: [gun, gun] for gun in names}


def huge(collection: Collection) -> Files:
    names = {"v" * 1000 + str(number): file_meta(b"x") for number in range(HUGE_UPLOAD // 1000)}
    return {**collection.first(), "targets": collection.targets(1, targets=names)}


def test_what_fails_after_its_client_has_gone_still_has_it() -> None:
    service = Service.make(HeldSigner)
    assert isinstance(service.outermost, HeldSigner)
    service.outermost.holding = True
    connection = service.connect()
    publish(connection, service.collection().first(), GUN, "mine")
    connection.go_away()
    service.signer.away = True
    with written_lines() as lines, request_id.serving("another's"):
        service.outermost.let_go()
    assert [line["msg"] for line in lines] == ["failed after its client had gone away"]
    assert lines[0][ID] == "mine"


class OfAlice(OpenAccess):
    """Takes every request for one of Alice's."""

    def check(self, request: Any, scope: Scope) -> str:
        return "alice"


class TestRequestLine:
    def test_names_what_there_is(self, service: Service) -> None:
        with capturedLogs() as events:
            service.ask("POST", base(), b"x", Content_Type="text/x", Referer="http://example.com/")
        assert events[-1]["http.request.contenttype"] == "text/x"
        assert events[-1]["http.request.referer"] == "http://example.com/"
        assert events[-1]["operation"] == "UpdateTUF"

    def test_leaves_out_what_there_is_not(self, service: Service) -> None:
        with capturedLogs() as events:
            service.get("/v2/")
        absent = {"gun", "auth.user.name", "http.request.referer", "http.request.useragent"}
        assert not absent & set(events[-1])

    def test_names_the_user(self) -> None:
        service = Service.make(make_access=lambda _clock: OfAlice())
        with written_lines() as lines:
            service.get("/v2/")
        assert lines[-1]["auth.user.name"] == "alice"

    def test_holds_no_credentials(self, service: Service) -> None:
        with capturedLogs() as events:
            service.get("/v2/", Authorization="Bearer c2VjcmV0", Cookie="c2VjcmV0")
        assert "c2VjcmV0" not in repr({**events[-1], "log_source": None})

    def test_trusted_proxies_tell_the_address(self, service: Service) -> None:
        service.site._proxies = (ip_network("192.168.1.0/24"),)
        connection = service.connect()
        with capturedLogs() as events:
            connection.send(
                b"GET /v2/ HTTP/1.1\r\nX-Forwarded-For: 6.6.6.6\r\n"
                b"X-Forwarded-For: 1.2.3.4, 192.168.1.9\r\n\r\n"
            )
        assert events[-1]["http.request.remoteaddr"] == "1.2.3.4"
