"""Requests that are answered the ordinary way, and then the short way, and all that is seen."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from io import StringIO
from typing import Any

import attrs
from twisted.logger import globalLogPublisher

from notary.observe.levels import LogThreshold
from notary.observe.logs import log_observer
from tests.server.harness import Connection, Service, base

CURRENT = f"{base()}timestamp.json"
PROXY = "10.0.0.1"
OTHERS_EACH_TIME = re.compile(rb"\r\n(X-Request-ID|Date): [^\r]*", re.IGNORECASE)


@attrs.frozen
class Case:
    """A request, and whether it takes the short way when it is known."""

    path: str | Callable[[Service], str]
    headers: Mapping[str, str | bytes] = attrs.Factory(dict)
    is_short: bool = True
    method: str = "GET"


@contextmanager
def written(log_format: str) -> Iterator[StringIO]:
    stream = StringIO()
    observer = log_observer(stream, log_format, LogThreshold("info"))
    globalLogPublisher.addObserver(observer)
    try:
        yield stream
    finally:
        globalLogPublisher.removeObserver(observer)


def counted(service: Service) -> dict[str, float]:
    """All that is counted of requests and of what they are answered with."""
    pairs = (line.rsplit(" ", 1) for line in service.metrics_text().splitlines() if line[:1] != "#")
    names = ("notary_server_http_", "notary_server_served_")
    return {name: float(value) for name, value in pairs if name.startswith(names)}


@attrs.frozen
class Seen:
    """All that can be seen of a request.

    Attributes:
        answer: the bytes, without what is another's each time.
        log: the lines in both formats, likewise.
        counted: what the metrics rose by.
        is_short: whether it took the short way.
    """

    answer: bytes
    log: list[str]
    counted: dict[str, float]
    is_short: bool = attrs.field(eq=False)


def look(service: Service, connection: Connection, case: Case, **headers: Any) -> Seen:
    path = case.path if isinstance(case.path, str) else case.path(service)
    before, answered = counted(service), service.short_way.answered
    connection.transport.clear()
    with written("json") as in_json, written("logfmt") as in_logfmt:
        connection.request(case.method, path, None, **{**case.headers, **headers})
    answer = connection.transport.value()
    identity = re.search(rb"X-Request-ID: ([^\r]*)", answer, re.IGNORECASE)
    assert identity is not None
    log = [text.getvalue().replace(identity[1].decode(), "ID") for text in (in_json, in_logfmt)]
    after = counted(service)
    return Seen(
        OTHERS_EACH_TIME.sub(rb"\r\n\1: ...", answer),
        [re.sub(r'(time"?[=:] ?"?)[0-9TZ:-]+', r"\1...", text) for text in log],
        {name: after[name] - before.get(name, 0) for name in after},
        service.short_way.answered > answered,
    )


def made(**how: Any) -> Service:
    service = Service.make(gun_prefixes=["docker.io/"], **how)
    service.published()
    return service


def both_ways(service: Service, case: Case, host: str = PROXY, **headers: Any) -> tuple[Seen, Seen]:
    """What is seen of a request that is answered the ordinary way, and then once more."""
    connection = service.connect(host)
    look(service, connection, case, **headers)
    connection = service.connect(host) if connection.closing else connection
    service.site.short_way = None
    ordinary = look(service, connection, case, **headers)
    service.site.short_way = service.short_way
    connection = service.connect(host) if connection.closing else connection
    return ordinary, look(service, connection, case, **headers)
