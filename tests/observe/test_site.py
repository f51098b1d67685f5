"""The door for those who watch: a few pages, GET and HEAD, nothing else."""

from __future__ import annotations

from typing import cast

import pytest
from prometheus_client import CollectorRegistry
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from notary.observe.health import Health, Readiness
from notary.observe.pages import Pages, exposition_of
from notary.observe.site import IDLE_TIMEOUT, MAX_CONNECTIONS, watching_site
from notary.observe.tallies import Reading

ADDRESS = IPv4Address("TCP", "127.0.0.1", 1)


class Door:
    """A door, and what is behind it."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.reason = ""
        registry = CollectorRegistry()
        Reading(registry, "things", "Things.", lambda: 3.0)
        health = Health({"Keys": self._check}, cast(IReactorTime, self.clock))
        self.readiness = Readiness(health, cast(IReactorTime, self.clock))
        pages = Pages(health, self.readiness, exposition_of(registry))
        self.site = watching_site("daemon", pages, cast(IReactorTime, self.clock))

    def _check(self) -> Deferred[None]:
        return fail(ValueError(self.reason)) if self.reason else succeed(None)

    def connect(self) -> tuple[Protocol, StringTransport] | None:
        protocol = self.site.buildProtocol(ADDRESS)
        if protocol is None:
            return None
        transport = StringTransport(peerAddress=ADDRESS)
        protocol.makeConnection(transport)
        return protocol, transport

    def ask(self, request: str) -> tuple[str, str]:
        """The head and the body of an answer."""
        connected = self.connect()
        assert connected is not None
        protocol, transport = connected
        protocol.dataReceived(f"{request}\r\n\r\n".encode())
        head, _, body = transport.value().decode().partition("\r\n\r\n")
        assert "Server:" not in head
        return head, body

    def get(self, path: str) -> tuple[str, str]:
        head, body = self.ask(f"GET {path} HTTP/1.1\r\nHost: x")
        return head.split()[1], body


@pytest.fixture
def door() -> Door:
    return Door()


def test_pages(door: Door) -> None:
    assert door.get("/_daemon/live") == ("200", "{}")
    assert door.get("/_daemon/health") == ("200", "{}")
    assert door.get("/_daemon/ready") == ("503", '{"Checks": "not checked yet"}')
    assert door.get("/metrics") == (
        "200",
        "# HELP things Things.\n# TYPE things gauge\nthings 3.0\n",
    )
    door.readiness.startService()
    assert door.get("/_daemon/ready") == ("200", "{}")
    door.reason = "why"
    assert door.get("/_daemon/health") == ("503", '{"Keys": "why"}')
    assert door.get("/_daemon/live") == ("200", "{}")


@pytest.mark.parametrize("path", ["/", "/metrics/", "/_daemon/", "/_daemon/health/x", "/debug"])
def test_nothing_else_is_there(door: Door, path: str) -> None:
    assert door.get(path)[0] == "404"


def test_head_has_no_body(door: Door) -> None:
    head, body = door.ask("HEAD /_daemon/live HTTP/1.1\r\nHost: x")
    assert head.startswith("HTTP/1.1 200 ")
    assert body == ""


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "BREW"])
def test_other_methods_are_refused(door: Door, method: str) -> None:
    head, body = door.ask(f"{method} /metrics HTTP/1.1\r\nHost: x")
    assert head.startswith("HTTP/1.1 405 ")
    assert "Allow: GET, HEAD" in head.splitlines()
    assert body == ""


@pytest.mark.parametrize(
    ("header", "body"),
    [
        ("Content-Length: 99999999", ""),
        ("Content-Length: 5", "hello"),
        ("Transfer-Encoding: chunked", ""),
        ("Transfer-Encoding: chunked", "5\r\nhello\r\n0\r\n\r\n"),
    ],
)
def test_bodies_are_not_waited_for(door: Door, header: str, body: str) -> None:
    connected = door.connect()
    assert connected is not None
    protocol, transport = connected
    protocol.dataReceived(f"GET /metrics HTTP/1.1\r\nHost: x\r\n{header}\r\n\r\n{body}".encode())
    assert transport.value().startswith(b"HTTP/1.1 413 ")
    assert transport.value().count(b"HTTP/1.1") == 1
    assert transport.disconnecting


def test_connections_are_bounded(door: Door) -> None:
    for _ in range(MAX_CONNECTIONS):
        assert door.connect() is not None
    assert door.connect() is None


def test_idle_connections_are_closed(door: Door) -> None:
    connected = door.connect()
    assert connected is not None
    door.clock.advance(IDLE_TIMEOUT + 1)
    assert connected[1].disconnecting
