"""The HTTP door: bounds of bodies, clients that go away, logs and counts."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from typing import Any
from unittest.mock import ANY

import pytest
from twisted.internet.defer import Deferred
from twisted.logger import LogLevel, capturedLogs

from notary.observe.levels import LogThreshold
from notary.observe.logs import log_observer
from notary.server.http import IDLE_TIMEOUT
from tests.server.harness import GUN, MAX_BODY, Connection, Service, base, log_lines
from tests.support.fakes import HeldSigner
from tests.support.forge import file_meta, multipart

HEAD = f"POST {base()} HTTP/1.1\r\nHost: localhost\r\n".encode()
TOO_LARGE = {
    "code": "UPLOAD_TOO_LARGE",
    "message": "The upload is larger than this server takes.",
    "detail": f"the limit is {MAX_BODY} bytes",
}


def declared(size: int) -> bytes:
    return HEAD + b"Content-Length: %d\r\n\r\n" % size


def chunks(data: bytes, size: int = 8192) -> bytes:
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)


CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def connection(service: Service) -> Connection:
    return service.connect()


def answered_requests(service: Service) -> dict[str, float]:
    """How many requests were counted, by operation, method and status."""
    counted = {}
    for line in service.metrics_text().splitlines():
        if line.startswith("notary_server_http_requests_total{"):
            labels, count = line.rsplit(" ", 1)
            values = dict(part.split("=") for part in labels.split("{")[1][:-1].split(","))
            name = " ".join(values[key].strip('"') for key in ("operation", "method", "code"))
            counted[name] = float(count)
    return counted


class TestBounds:
    @pytest.mark.parametrize("chunked", [False, True])
    def test_a_body_of_the_limit_is_read(
        self, service: Service, connection: Connection, chunked: bool
    ) -> None:
        content_type, body = multipart(service.collection().first())
        body = body.ljust(MAX_BODY)
        head = HEAD + f"Content-Type: {content_type}\r\n".encode()
        if chunked:
            connection.send(head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks(body))
            connection.send(b"0\r\n\r\n")
        else:
            connection.send(head + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        assert connection.answer.status == 200

    @pytest.mark.parametrize("size", [MAX_BODY + 1, 2 * MAX_BODY])
    @pytest.mark.parametrize("chunked", [False, True])
    def test_one_that_is_too_large_is_read_and_refused(
        self, connection: Connection, size: int, chunked: bool
    ) -> None:
        if chunked:
            connection.send(CHUNKED + chunks(b"x" * size))
            assert connection.answers() == []
            connection.send(b"0\r\n\r\n")
        else:
            connection.send(declared(size) + b"x" * (size - 1))
            assert connection.answers() == []
            connection.send(b"x")
        assert (connection.answer.status, connection.answer.error) == (413, TOO_LARGE)
        assert not connection.closing

    def test_the_connection_can_be_used_again(self, connection: Connection) -> None:
        connection.send(declared(MAX_BODY + 1) + b"x" * (MAX_BODY + 1))
        connection.send(b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert [answer.status for answer in connection.answers()] == [413, 200]

    def test_too_large_a_body_is_not_kept(self, connection: Connection) -> None:
        connection.send(declared(2 * MAX_BODY) + b"x" * MAX_BODY)
        (request,) = connection.requests
        assert request.content.tell() == 0

    def test_more_than_twice_too_large_is_cut_off_at_once(self, connection: Connection) -> None:
        connection.send(declared(2 * MAX_BODY + 1))
        assert connection.closing
        assert (connection.answer.status, connection.answer.error) == (413, TOO_LARGE)
        assert connection.answer.headers["Connection"] == "close"

    def test_more_than_twice_too_large_in_chunks_is_cut_off_once(
        self, connection: Connection
    ) -> None:
        connection.send(CHUNKED + chunks(b"x" * 3 * MAX_BODY) + b"0\r\n\r\n")
        assert connection.closing
        assert (connection.answer.status, connection.answer.error) == (413, TOO_LARGE)

    def test_refused_bodies_are_logged_and_counted(self, service: Service) -> None:
        with capturedLogs() as events:
            service.connect().send(declared(MAX_BODY + 1) + b"x" * (MAX_BODY + 1))
            service.connect().send(declared(2 * MAX_BODY + 1) + b"x" * (2 * MAX_BODY + 1))
            service.connect().send(CHUNKED + chunks(b"x" * 3 * MAX_BODY) + b"0\r\n\r\n")
        assert sum(answered_requests(service).values()) == 3
        assert [event["http.response.status"] for event in events] == [413] * 3
        assert all(event["http.response.written"] for event in events)

    def test_nothing_is_stored(self, service: Service, connection: Connection) -> None:
        connection.send(declared(MAX_BODY + 1) + b"x" * (MAX_BODY + 1))
        assert service.store.asked == []


def big_files(service: Service) -> dict[str, bytes]:
    targets = {f"{number:04}": file_meta(b"") for number in range(200)}
    return service.collection().first(targets=targets)


class TestGoingAway:
    @pytest.mark.parametrize("clean", [True, False])
    def test_in_the_middle_of_an_upload_changes_nothing(
        self, service: Service, clean: bool
    ) -> None:
        content_type, body = multipart(service.collection().first())
        head = HEAD + f"Content-Type: {content_type}\r\n".encode()
        connection = service.connect()
        connection.send(head + b"Content-Length: %d\r\n\r\n" % len(body) + body[:-1])
        connection.go_away(clean)
        assert service.store.asked == []
        assert service.get(f"{base()}root.json").status == 404

    def test_while_a_publish_is_signed_does_not_stop_it(self) -> None:
        service = Service.make(HeldSigner)
        assert isinstance(service.outermost, HeldSigner)
        service.outermost.holding = True
        connection = service.start_publish(service.collection().first())
        connection.go_away()
        service.outermost.let_go()
        service.outermost.holding = False
        assert [service.version(role) for role in ("root", "timestamp")] == [1, 1]
        assert connection.answers() == []

    def test_while_a_publish_is_read_in_a_thread_does_not_stop_it(self) -> None:
        service = Service.make()
        jobs: list[Callable[[], None]] = []

        def run_later(function: Callable[..., Any], *args: Any) -> Deferred[Any]:
            job: Deferred[Any] = Deferred()
            jobs.append(lambda: job.callback(function(*args)))
            return job

        service.publishing._run_in_thread = run_later
        connection = service.start_publish(big_files(service))
        connection.go_away()
        while jobs:
            jobs.pop(0)()
        assert service.version("targets") == 1

    def test_a_failure_that_nobody_waits_for_is_logged(self) -> None:
        service = Service.make(HeldSigner)
        assert isinstance(service.outermost, HeldSigner)
        service.outermost.holding = True
        connection = service.start_publish(service.collection().first())
        connection.go_away()
        service.store.go_away()
        with log_lines() as lines:
            service.outermost.let_go()
        assert lines == ["failed after its client had gone away the database is away"]


class TestConnections:
    def test_pipelined_requests_are_answered_in_order(self) -> None:
        service = Service.make(HeldSigner)
        service.published()
        assert isinstance(service.outermost, HeldSigner)
        service.clock.advance(15 * 86400)
        service.outermost.holding = True
        connection = service.connect()
        connection.request("GET", f"{base()}timestamp.json")
        connection.request("HEAD", f"{base()}root.json")
        connection.request("GET", "/nowhere")
        connection.request("GET", "/v2/")
        assert connection.answers() == []
        service.outermost.let_go()
        assert [answer.status for answer in connection.answers()] == [200, 200, 404, 200]
        assert connection.answers()[3].body == b"{}"

    def test_an_idle_connection_is_closed(self, service: Service, connection: Connection) -> None:
        service.clock.advance(IDLE_TIMEOUT - 1)
        assert not connection.closing
        connection.request("GET", "/v2/")
        service.clock.advance(IDLE_TIMEOUT - 1)
        assert not connection.closing
        service.clock.advance(1.1)
        assert connection.closing

    def test_an_upload_that_stalls_is_closed(
        self, service: Service, connection: Connection
    ) -> None:
        connection.send(declared(1000) + b"x")
        service.clock.advance(IDLE_TIMEOUT + 1)
        assert connection.closing

    def test_a_request_that_is_served_is_not_idle(self) -> None:
        service = Service.make(HeldSigner)
        assert isinstance(service.outermost, HeldSigner)
        service.outermost.holding = True
        connection = service.start_publish(service.collection().first())
        service.clock.advance(10 * IDLE_TIMEOUT)
        assert not connection.closing
        service.outermost.let_go()
        assert connection.answer.status == 200

    @pytest.mark.parametrize(
        "host", [b"", b"a..b", b"a" * 64 + b".com", b"\xff", b"[", b"localhost:99999"]
    )
    def test_what_clients_call_the_server_plays_no_part(
        self, connection: Connection, host: bytes
    ) -> None:
        connection.send(b"GET /v2/ HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")
        assert (connection.answer.status, connection.answer.body) == (200, b"{}")

    def test_http_1_0_is_served(self, connection: Connection) -> None:
        connection.send(b"GET /v2/ HTTP/1.0\r\n\r\n")
        assert connection.answer.status == 200
        assert connection.closing


class TestLog:
    def test_an_answer_is_logged_with_what_it_was_for(self, service: Service) -> None:
        service.published()
        with capturedLogs() as events:
            service.get(f"{base()}1.root.json?a=b", User_Agent="client/1.0")
        (event,) = events
        assert event["log_level"] is LogLevel.info
        assert event["log_format"] == "response completed"
        fields = {name: value for name, value in event.items() if name.startswith("http.")}
        written = fields.pop("http.response.written")
        assert written == len(service.get(f"{base()}root.json").body)
        assert fields == {
            "http.request.method": "GET",
            "http.request.uri": f"{base()}1.root.json?a=b",
            "http.request.remoteaddr": "192.168.1.1:54321",
            "http.request.useragent": "client/1.0",
            "http.request.host": "localhost",
            "http.request.id": ANY,
            "http.response.contenttype": "application/json; charset=utf-8",
            "http.response.duration": "0.000ms",
            "http.response.status": 200,
        }
        assert event["gun"] == GUN

    def test_the_duration_begins_with_the_end_of_the_headers(self) -> None:
        service = Service.make(HeldSigner)
        assert isinstance(service.outermost, HeldSigner)
        service.outermost.holding = True
        content_type, body = multipart(service.collection().first())
        connection = service.connect()
        service.clock.advance(3)
        connection.send(HEAD + f"Content-Type: {content_type}\r\n".encode())
        connection.send(b"Content-Length: %d\r\n\r\n" % len(body))
        service.clock.advance(1)
        connection.send(body)
        service.clock.advance(0.25)
        with capturedLogs() as events:
            service.outermost.let_go()
        assert events[-1]["http.response.duration"] == "1250.000ms"
        assert 'microseconds_sum{operation="UpdateTUF"} 1.25e+06' in service.metrics_text()

    def test_an_answer_that_is_about_no_collection_names_none(self, service: Service) -> None:
        with capturedLogs() as events:
            service.get("/v2/")
        assert "gun" not in events[0]

    @pytest.mark.parametrize(
        ("host", "shown"), [("::ffff:10.0.0.1", "10.0.0.1"), ("2001:db8::1", "[2001:db8::1]")]
    )
    def test_addresses_are_shown_as_people_know_them(
        self, service: Service, host: str, shown: str
    ) -> None:
        connection = service.connect(host)
        with capturedLogs() as events:
            connection.request("GET", "/v2/")
        assert events[0]["http.request.remoteaddr"] == f"{shown}:54321"

    @pytest.mark.parametrize("agent", [b"\xff\xfe", b"caf\xc3\xa9", b"a\tb", b"x" * 8000])
    def test_any_user_agent_gets_an_answer(self, service: Service, agent: bytes) -> None:
        with capturedLogs() as events:
            answer = service.get("/v2/", User_Agent=agent)
        assert answer.status == 200
        assert events[0]["http.request.useragent"] == agent.decode(errors="replace")

    def test_input_cannot_forge_a_line(self, service: Service) -> None:
        stream = StringIO()
        observer = log_observer(stream, "logfmt", LogThreshold("info"))
        evil = "a%0Alevel=fatal%0Dmsg=forged%C2%85%E2%80%A8b"
        with capturedLogs() as events:
            service.get(f"/v2/{evil}/_trust/tuf/root.json", User_Agent="a b=c")
        for event in events:
            observer({**event, "log_namespace": "notary"})
        lines = stream.getvalue().splitlines()
        assert len(lines) == len(events)
        assert all(line.startswith("level=info msg=") for line in lines)


class TestMetrics:
    def test_answers_are_counted_by_operation(self, service: Service) -> None:
        service.published()
        checksum = service.get(f"{base()}root.json").headers["ETag"].strip('"')
        for method, path in [
            ("GET", "/v2/"),
            ("HEAD", "/v2/"),
            ("GET", f"{base()}root.{checksum}.json"),
            ("GET", f"{base()}1.root.json"),
            ("GET", f"{base()}9.root.json"),
            ("GET", f"{base()}timestamp.key"),
            ("POST", f"{base()}timestamp.key"),
            ("GET", "/v2/_trust/changefeed?records=1"),
            ("GET", "/_notary_server/health"),
            ("GET", "/metrics"),
            ("DELETE", base()),
            ("GET", "/nowhere"),
        ]:
            service.ask(method, path)
        assert answered_requests(service) == {
            "UpdateTUF post 200": 1,
            "GetRole get 200": 1,
            "Ping get 200": 1,
            "Ping head 200": 1,
            "GetRoleByHash get 200": 1,
            "GetRoleByVersion get 200": 1,
            "GetRoleByVersion get 404": 1,
            "GetKey get 200": 1,
            "RotateKey post 200": 1,
            "Changefeed get 200": 1,
            "Health get 200": 1,
            "Metrics get 200": 1,
            "DeleteTUF delete 200": 1,
            "NotFound get 404": 1,
        }

    def test_methods_that_clients_make_up_are_counted_as_one(self, service: Service) -> None:
        for number in range(5):
            service.ask(f"BREW{number}", "/v2/")
        assert answered_requests(service) == {"NotFound unknown 404": 5}

    def test_sizes_are_summed_up(self, service: Service) -> None:
        _, body = multipart({})
        service.ask("POST", base(), body, Content_Type="text/plain")
        sent = len(service.ask("POST", base(), body, Content_Type="text/plain").body)
        text = service.metrics_text()
        assert f'request_size_bytes_sum{{operation="UpdateTUF"}} {2.0 * len(body)}' in text
        assert f'response_size_bytes_sum{{operation="UpdateTUF"}} {2.0 * sent}' in text


def test_the_site_keeps_no_log_file_and_no_timer(service: Service) -> None:
    service.site.doStart()
    assert service.clock.getDelayedCalls() == []
    service.site.doStop()
