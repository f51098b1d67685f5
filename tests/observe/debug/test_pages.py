"""Pages: one at a time, for as long as is asked, for as long as somebody waits."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.logger import LogEvent, capturedLogs

from notary.observe.debug.pages import Page, tree
from notary.observe.debug.site import DebugSite
from tests.observe.debug.harness import HOST, Visitor

PROFILE = "/debug/pprof/profile"


class Maker:
    """Makes pages when it is told to.

    Attributes:
        asked: the seconds of each request.
        cancelled: how many pages are not wanted any more.
    """

    def __init__(self) -> None:
        self.asked: list[int] = []
        self.cancelled = 0
        self._waiting: list[Deferred[bytes]] = []

    async def make(self, seconds: int) -> bytes:
        self.asked.append(seconds)
        self._waiting.append(Deferred())
        try:
            return await self._waiting[-1]
        except CancelledError:
            self.cancelled += 1
            raise

    def finish(self, body: bytes = b"made") -> None:
        self._waiting.pop(0).callback(body)

    def fail(self) -> None:
        self._waiting.pop(0).errback(RuntimeError("a secret of the daemon"))


@pytest.fixture
def maker() -> Maker:
    return Maker()


@pytest.fixture
def site(maker: Maker) -> DebugSite:
    pages = [
        Page("/debug/vars", "What is <now>.", maker.make),
        Page(PROFILE, "What takes time.", maker.make, seconds=30, file_name="profile.json"),
    ]
    return DebugSite(tree("daemon & 1", pages), Clock(), "localhost:8080")


def test_the_index_lists_them(site: DebugSite) -> None:
    for path in ("/debug/pprof/", "/debug/pprof"):
        answer = Visitor(site).get(path)
        assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
        text = answer.body.decode()
        assert "daemon &amp; 1" in text
        assert '<a href="/debug/vars">/debug/vars</a></td><td>What is &lt;now&gt;.<' in text
        assert f'<a href="{PROFILE}">' in text


@pytest.mark.parametrize(
    "path",
    ["/", "/debug", "/debug/", "/vars", "/debug/pprof/vars", "/debug/profile", f"{PROFILE}/x"],
)
def test_there_is_nothing_else(site: DebugSite, maker: Maker, path: str) -> None:
    assert Visitor(site).get(path).status == 404
    assert maker.asked == []


@pytest.mark.parametrize(
    ("path", "seconds"),
    [
        ("/debug/vars", 0),
        ("/debug/vars?seconds=x", 0),
        (PROFILE, 30),
        (f"{PROFILE}?seconds=1", 1),
        (f"{PROFILE}?seconds=300", 300),
    ],
)
def test_is_made_when_asked_for(site: DebugSite, maker: Maker, path: str, seconds: int) -> None:
    visitor = Visitor(site)
    visitor.request("GET", path, HOST)
    assert maker.asked == [seconds]
    assert visitor.waits
    maker.finish()
    answer = visitor.answer
    assert (answer.status, answer.body) == (200, b"made")
    saved = answer.headers["Content-Disposition"]
    assert saved == ('attachment; filename="profile.json"' if seconds else None)


@pytest.mark.parametrize(
    "seconds", ["0", "-1", "301", "1.5", "", "x", "%b2", "1" * 5000, "1&seconds=2&seconds=x"]
)
def test_seconds_have_bounds(site: DebugSite, maker: Maker, seconds: str) -> None:
    visitor = Visitor(site)
    visitor.request("GET", f"{PROFILE}?seconds={seconds}", HOST)
    if seconds.startswith("1&"):
        assert maker.asked == [1]
        return
    answer = visitor.answer
    assert (answer.status, answer.body) == (400, b"seconds: a whole number from 1 to 300\n")
    assert maker.asked == []


def test_head_makes_nothing(site: DebugSite, maker: Maker) -> None:
    visitor = Visitor(site)
    visitor.request("HEAD", PROFILE, HOST)
    assert visitor.answer.status == 200
    assert maker.asked == []


def test_what_takes_time_is_made_once_at_a_time(site: DebugSite, maker: Maker) -> None:
    first, second = Visitor(site), Visitor(site)
    first.request("GET", PROFILE, HOST)
    refused = second.get(f"{PROFILE}?seconds=5")
    assert refused.status == 409
    assert refused.body.decode() == f"{PROFILE} is being made for somebody else\n"
    second.request("GET", "/debug/vars", HOST)
    assert maker.asked == [30, 0]
    maker.finish()
    assert first.answer.status == 200
    second.request("GET", "/debug/vars", HOST)
    first.request("GET", PROFILE, HOST)
    assert maker.asked == [30, 0, 30]


def test_ends_when_nobody_waits_any_more(site: DebugSite, maker: Maker) -> None:
    visitor = Visitor(site)
    visitor.request("GET", PROFILE, HOST)
    with capturedLogs() as events:
        visitor.go_away()
    assert maker.cancelled == 1
    assert not failures(events)
    Visitor(site).request("GET", PROFILE, HOST)
    assert maker.asked == [30, 30]


def test_a_failure_is_told_to_the_log_only(site: DebugSite, maker: Maker) -> None:
    visitor = Visitor(site)
    visitor.request("GET", PROFILE, HOST)
    with capturedLogs() as events:
        maker.fail()
    answer = visitor.answer
    assert (answer.status, answer.body) == (500, b"this failed; the log says why\n")
    assert failures(events) == ["a secret of the daemon"]
    visitor.request("GET", PROFILE, HOST)
    assert maker.asked == [30, 30]


def failures(events: Sequence[LogEvent]) -> list[str]:
    return [event["log_failure"].getErrorMessage() for event in events if "log_failure" in event]
