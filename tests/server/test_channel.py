"""Connections of clients end without loss when the server stops."""

from __future__ import annotations

from typing import Any

import pytest

from notary.draining import DRAIN_SECONDS, GRACE
from notary.server.channel import CLOSING_TIMEOUT
from tests.server.harness import Connection, Service

HEALTH = "/_notary_server/health"


@pytest.fixture
def connection(service: Service) -> Connection:
    return service.connect()


def stop(service: Service) -> list[object]:
    """Let the connections end; what is returned is no more empty when they have."""
    stopped: list[object] = []
    service.site.connections.stopService().addBoth(stopped.append)
    return stopped


def test_a_kept_connection_ends_with_its_next_answer(
    service: Service, connection: Connection
) -> None:
    connection.request("GET", "/v2/")
    stopped = stop(service)
    assert not connection.closing
    connection.request("GET", "/v2/")
    kept, last = connection.answers()
    assert (kept.status, kept.headers["Connection"]) == (200, None)
    assert (last.status, last.headers["Connection"]) == (200, "close")
    assert connection.closing
    assert not stopped
    connection.go_away()
    assert stopped


def test_a_refusal_is_the_last_answer_too(service: Service, connection: Connection) -> None:
    stop(service)
    connection.request("GET", "/nowhere")
    assert connection.answer.headers["Connection"] == "close"
    assert connection.closing


def test_an_idle_connection_is_closed_after_the_grace(
    service: Service, connection: Connection
) -> None:
    stopped = stop(service)
    service.clock.advance(GRACE - 0.1)
    assert not connection.closing
    service.clock.advance(0.1)
    assert connection.closing
    connection.go_away()
    assert stopped
    assert service.clock.getDelayedCalls() == []


def test_a_client_that_does_not_notice_is_left(service: Service, connection: Connection) -> None:
    stop(service)
    service.clock.advance(GRACE)
    service.clock.advance(CLOSING_TIMEOUT)
    assert connection.transport.disconnected


def test_an_upload_that_has_begun_is_taken(service: Service, connection: Connection) -> None:
    connection.send(b"POST /v2/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nab")
    stopped = stop(service)
    service.clock.advance(GRACE)
    service.clock.advance(DRAIN_SECONDS / 2)
    assert not connection.closing
    connection.send(b"cd")
    assert connection.answer.headers["Connection"] == "close"
    assert connection.closing
    assert not stopped


def test_an_upload_that_does_not_end_is_cut_off(service: Service, connection: Connection) -> None:
    connection.send(b"POST /v2/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nab")
    stopped = stop(service)
    service.clock.advance(GRACE)
    service.clock.advance(DRAIN_SECONDS - GRACE)
    assert connection.transport.disconnected
    assert stopped


def test_requests_wait_while_the_client_does_not_read(connection: Connection) -> None:
    """As many as there are, for answers would have to be kept."""
    channel: Any = connection.transport.producer
    write = connection.transport.write

    def write_and_pause(data: bytes) -> None:
        write(data)
        channel.pauseProducing()

    connection.transport.write = write_and_pause  # type: ignore[method-assign]
    connection.send(3 * b"GET /v2/ HTTP/1.1\r\nHost: localhost\r\n\r\n")
    for answers in (1, 2, 3):
        assert len(connection.answers()) == answers
        assert connection.transport.producerState == "paused"
        channel.resumeProducing()
    assert connection.transport.producerState == "producing"
