"""Whose requests the debug server answers."""

from __future__ import annotations

import pytest
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.web.resource import Resource
from twisted.web.server import Request

from notary.observe.debug.site import DebugSite
from tests.observe.debug.harness import HOST, Visitor
from tests.server.harness import Answer


class Greeting(Resource):
    isLeaf = True

    def render_GET(self, request: Request) -> bytes:
        assert request.content is not None
        return b"hello" + bytes(request.content.read())


@pytest.fixture
def site() -> DebugSite:
    return DebugSite(Greeting(), Clock(), "localhost:8080")


def ask(site: DebugSite, method: str, *headers: tuple[str, str], body: str = "") -> Answer:
    visitor = Visitor(site)
    visitor.request(method, "/debug/vars", *headers, body=body)
    return visitor.answer


@pytest.mark.parametrize(
    "headers",
    [
        [HOST],
        [("Host", "[::1]:8080")],
        [HOST, ("Sec-Fetch-Site", "none")],
        [HOST, ("Sec-Fetch-Site", "same-origin"), ("User-Agent", "a browser")],
    ],
)
def test_this_machine_is_answered(site: DebugSite, headers: list[tuple[str, str]]) -> None:
    answer = ask(site, "GET", *headers)
    assert (answer.status, answer.body) == (200, b"hello")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert answer.headers["Server"] is None
    assert not [name for name in answer.headers if name.startswith("Access-Control-")]


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ([], "ask for localhost"),
        ([("Host", "evil.example")], "ask for localhost"),
        ([HOST, ("Host", "evil.example")], "ask for localhost"),
        ([HOST, ("Origin", "https://evil.example")], "other web pages"),
        ([HOST, ("Origin", "null")], "other web pages"),
        ([HOST, ("Origin", "http://localhost:8080")], "other web pages"),
        ([HOST, ("Sec-Fetch-Site", "cross-site")], "other web pages"),
        ([HOST, ("Sec-Fetch-Site", "same-site")], "other web pages"),
        ([HOST, ("Sec-Fetch-Site", "none"), ("Sec-Fetch-Site", "cross-site")], "other web"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS"])
def test_pages_of_other_sites_are_not(
    site: DebugSite, method: str, headers: list[tuple[str, str]], reason: str
) -> None:
    answer = ask(site, method, *headers)
    assert answer.status == 403
    assert b"hello" not in answer.body
    assert method == "HEAD" or reason in answer.body.decode()
    assert not [name for name in answer.headers if name.startswith("Access-Control-")]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "BREW"])
def test_there_is_only_get_and_head(site: DebugSite, method: str) -> None:
    answer = ask(site, method, HOST)
    assert answer.status == 405
    assert answer.headers["Allow"] == "GET, HEAD"
    assert ask(site, "HEAD", HOST).status == 200


@pytest.mark.parametrize("framing", [("Content-Length", "5"), ("Transfer-Encoding", "chunked")])
def test_bodies_are_thrown_away(site: DebugSite, framing: tuple[str, str]) -> None:
    body = "12345" if framing[0] == "Content-Length" else "5\r\n12345\r\n0\r\n\r\n"
    assert ask(site, "GET", HOST, framing, body=body).body == b"hello"


@pytest.mark.parametrize(
    ("peer", "let_in"), [("127.0.0.1", True), ("::1", True), ("192.0.2.7", False)]
)
def test_other_hosts_are_hung_up_on(site: DebugSite, peer: str, let_in: bool) -> None:
    assert Visitor(site, peer).let_in is let_in


def test_says_where_it_listens_and_what_is_asked(site: DebugSite) -> None:
    with capturedLogs() as events:
        site.doStart()
        ask(site, "GET", HOST)
        ask(site, "GET")
    assert [formatEvent(event) for event in events] == [
        "Debug server listening on localhost:8080",
        "debug server: GET /debug/vars: 200",
        "debug server: GET /debug/vars: 403",
    ]
