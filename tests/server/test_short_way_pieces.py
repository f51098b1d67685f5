"""However the bytes of requests arrive, the answers are those of a server without a short way."""

from __future__ import annotations

import itertools
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.server.harness import Connection, Service, base
from tests.server.two_ways import CURRENT

HOST = b"\r\nHost: localhost\r\n"
REQUESTS = [
    *(f"GET {path} HTTP/1.1".encode() + HOST + b"\r\n" for path in (CURRENT, "/v2/nothing")),
    f"GET {base()}root.json HTTP/1.1".encode() + HOST + b"Accept: */*\r\n\r\n",
    b"GET /v2/ HTTP/1.1" + HOST + b"\r\n",
    b"POST /v2/ HTTP/1.1" + HOST + b"Content-Length: 4\r\n\r\nGET ",
    b"GET " + CURRENT.encode() + b" HTTP/1.1" + HOST + b"Content-Length: 26\r\n\r\n"
    b"GET /v2/ HTTP/1.1\r\nA: b\r\n\r\n",
    b"POST /v2/ HTTP/1.1" + HOST + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
    b"\r\nGET " + CURRENT.encode() + b" HTTP/1.1" + HOST + b"\r\n",
    b"GET " + CURRENT.encode() + b" HTTP/1.0" + HOST + b"\r\n",
    b"GET " + CURRENT.encode() + b" HTTP/1.1" + HOST + b"Connection: close\r\n\r\n",
    b"GET " + CURRENT.encode() + b"\r\n\r\n",
    b"GET " + CURRENT.encode() + b" HTTP/1.1\nHost: x\n\n",
    b"GET " + CURRENT.encode() + b" HTTP/1.1" + HOST + b"A : b\r\n\r\n",
    b"GET " + CURRENT.encode() + b" HTTP/1.1" + HOST + b" folded\r\n\r\n",
    *(
        b"GET " + CURRENT.encode() + b" HTTP/1.1\r\n" + lines + b"\r\n\r\n"
        for lines in (
            b"X-Request-ID: a",
            b"X-Request-ID: b",
            b"X-Request-ID: ",
            b"X-Request-ID: c\r\n d",
            b"X-Request-ID: e\r\nX-Request-ID: f",
            b"X-Request-ID: g\r\nX-Request-ID: ",
            b"X-Request-ID: h\nContent-Length: 4",
            b"X-Request-ID: i\r\nContent-Length: 4",
            b"X-Request-ID : j",
            b"A: k\r\n X-Request-ID: l",
        )
    ),
]


@pytest.fixture(scope="module")
def services() -> list[Service]:
    """One with the short way and one without, with the same collection."""
    with_it = Service.make()
    with_it.published()
    without: Any = Service.make(has_short_way=False, make_store=lambda _: with_it.store.inner)
    without.clock.advance(with_it.clock.seconds() - without.clock.seconds())
    return [with_it, without]


OTHERS_EACH_TIME = re.compile(rb"\r\n(X-Request-ID: [0-9a-f]{32}|Date: [^\r]*)", re.IGNORECASE)
"""IDs that the server makes, and the time."""


def answered(connection: Connection) -> bytes:
    return OTHERS_EACH_TIME.sub(b"\r\n...", connection.transport.value())


@given(
    requests=st.lists(st.sampled_from(REQUESTS), min_size=1, max_size=6),
    cuts=st.lists(st.floats(0, 1), max_size=8),
    whole=st.booleans(),
)
def test_the_answers_are_the_same(
    services: list[Service], requests: list[bytes], cuts: list[float], whole: bool
) -> None:
    data = b"".join(requests)
    places = sorted({0, len(data), *(round(cut * len(data)) for cut in cuts)})
    pieces = requests if whole else [data[a:b] for a, b in itertools.pairwise(places)]
    both = [service.connect() for service in services]
    for connection in both:
        for piece in pieces:
            if not connection.closing:
                connection.send(piece)
    assert answered(both[0]) == answered(both[1])
    assert both[0].closing == both[1].closing
    for connection in both:
        connection.go_away()


def test_the_short_way_was_taken(services: list[Service]) -> None:
    assert services[0].short_way.answered > 0
    assert services[1].short_way.answered == 0
