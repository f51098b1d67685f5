"""The debug server as a whole."""

from __future__ import annotations

import json
import sys
import tracemalloc

import pytest

from notary import __version__
from notary.observe.debug.server import debug_site
from notary.observe.debug.site import DebugSite
from tests.observe.debug.harness import HOST, Reactor, Visitor
from tests.support.speedscope import Profiles


@pytest.fixture
def reactor() -> Reactor:
    return Reactor()


@pytest.fixture
def site(reactor: Reactor) -> DebugSite:
    return debug_site(reactor, "notary-server", "localhost:8080")


def test_variables(site: DebugSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTARY_SIGNER_TIMESTAMP_1", "an open sesame")
    answer = Visitor(site).get("/debug/vars")
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert answer.json["version"] == __version__
    assert answer.json["uptime_seconds"] >= 0
    assert answer.json["cmdline"] == sys.orig_argv
    assert answer.json["memstats"]["Alloc"] > 0
    assert answer.json["reactor"]["class"] == "Reactor"
    assert answer.json["reactor"]["pending_deferreds"] >= 1
    assert b"open sesame" not in answer.body


def test_command_line(site: DebugSite) -> None:
    answer = Visitor(site).get("/debug/pprof/cmdline")
    assert answer.body.decode().split("\0") == sys.orig_argv


def test_threads(site: DebugSite) -> None:
    assert Visitor(site).get("/debug/pprof/threads").body.endswith(b"\n")


def test_deferreds(site: DebugSite) -> None:
    assert b"Deferreds have not fired" in Visitor(site).get("/debug/pprof/deferreds").body


def test_every_page_is_in_the_index(site: DebugSite) -> None:
    index = Visitor(site).get("/debug/pprof/").body.decode()
    assert f"notary-server {__version__}" in index
    for name in ("vars", "pprof/cmdline", "pprof/profile", "pprof/threads", "pprof/heap"):
        assert f'href="/debug/{name}"' in index


def test_heap(site: DebugSite, reactor: Reactor) -> None:
    visitor = Visitor(site)
    visitor.request("GET", "/debug/pprof/heap", HOST)
    assert tracemalloc.is_tracing()
    reactor.advance(9.9)
    assert visitor.waits
    reactor.advance(0.1)
    assert b"its growth within 10 s" in visitor.answer.body
    assert not tracemalloc.is_tracing()


def test_profile(site: DebugSite, reactor: Reactor) -> None:
    visitor = Visitor(site)
    visitor.request("GET", "/debug/pprof/profile", HOST)
    reactor.advance(29.9)
    assert visitor.waits
    for _ in range(20):
        json.dumps([list(range(1000))] * 100)
    reactor.advance(0.1)
    answer = visitor.answer
    assert answer.headers["Content-Disposition"] == (
        'attachment; filename="notary-server.speedscope.json"'
    )
    found = Profiles.parse(answer.body)
    assert found.title.startswith("notary-server: 30 s, in which the reactor's thread used ")
    assert found.exporter == f"txnotary {__version__}"
    assert next(iter(found.threads)) == "reactor"
    assert "tests/observe/debug/test_server.py test_profile" in found.seen("reactor")


def test_a_profile_nobody_waits_for_is_ended(site: DebugSite, reactor: Reactor) -> None:
    interval = sys.getswitchinterval()
    visitor = Visitor(site)
    visitor.request("GET", "/debug/pprof/profile", HOST)
    assert sys.getswitchinterval() != interval
    visitor.go_away()
    assert sys.getswitchinterval() == interval
    assert reactor.getDelayedCalls() == []
