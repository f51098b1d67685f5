"""A whole metadata server without sockets, threads or time: requests go in as bytes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPMessage, HTTPResponse
from io import BytesIO
from typing import Any, TypeVar, cast

import attrs
from prometheus_client import generate_latest
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import LogEvent, capturedLogs, formatEvent
from twisted.python.failure import Failure

from notary.observe.health import Health, Readiness
from notary.observe.pages import Pages, exposition_of
from notary.server.access.control import OpenAccess
from notary.server.access.interfaces import IAccess
from notary.server.api import API, Policy
from notary.server.caching import CacheControl
from notary.server.http import NotarySite
from notary.server.metrics import ServerMetrics
from notary.server.publishing import Publishing
from notary.server.remote import Networks
from notary.server.short_way import ShortWay
from notary.server.shortcuts import Shortcuts
from notary.signing.interfaces import ISigner
from notary.signing.local import LocalSigner
from notary.storage.interfaces import IMetadataStore
from notary.storage.memory import MemoryMetadataStore
from tests.support.fakes import SwitchedSigner, SwitchedStore
from tests.support.forge import Collection, Files, multipart

T = TypeVar("T")

GUN = "docker.io/library/alpine"
MAX_BODY = 64 * 1024
MAX_STEP = 1000
KNOWN_BYTES = 1024 * 1024


def result_of(deferred: Deferred[T]) -> T:
    """What a Deferred that has fired already fired with."""
    results: list[T | Failure] = []
    deferred.addBoth(results.append)
    assert results, "it has not fired"
    if isinstance(results[0], Failure):
        results[0].raiseException()
    return results[0]


def base(gun: str = GUN) -> str:
    return f"/v2/{gun}/_trust/tuf/"


@attrs.frozen
class Answer:
    """What came back.

    Attributes:
        status: the HTTP status.
        headers: by name, whose case does not count.
        body: the bytes.
    """

    status: int
    headers: HTTPMessage
    body: bytes = b""

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> Mapping[str, Any]:
        """The one error, in the shape that the Go client decodes."""
        assert self.headers["Content-Type"] == "application/json; charset=utf-8"
        assert list(self.json) == ["errors"]
        (error,) = self.json["errors"]
        assert {"code", "message"} <= set(error) <= {"code", "message", "detail"}
        return cast(Mapping[str, Any], error)


class _Stream(BytesIO):
    """A stream that stays open for the answers behind the first one."""

    def close(self) -> None:
        pass

    def makefile(self, _mode: str) -> _Stream:
        return self


class Connection:
    """One client's connection to a site.

    Attributes:
        transport: what the server writes to.
    """

    def __init__(self, site: NotarySite, host: str = "192.168.1.1") -> None:
        self.transport = StringTransport(peerAddress=IPv4Address("TCP", host, 54321))
        self._protocol = site.buildProtocol(cast(Any, self.transport.getPeer()))
        self._protocol.makeConnection(self.transport)
        self._methods: list[str] = []

    def request(
        self, method: str, path: str, data: bytes | None = None, **headers: str | bytes
    ) -> None:
        """Send a whole request; headers have ``_`` where their names have ``-``."""
        lines = [f"{method} {path} HTTP/1.1".encode(), b"Host: localhost"]
        for name, value in headers.items():
            raw = value if isinstance(value, bytes) else value.encode()
            lines.append(name.replace("_", "-").encode() + b": " + raw)
        if data is not None:
            lines.append(b"Content-Length: %d" % len(data))
        self._methods.append(method)
        self.send(b"\r\n".join([*lines, b"", data or b""]))

    def send(self, data: bytes) -> None:
        self._protocol.dataReceived(data)

    def answers(self) -> list[Answer]:
        """All that is complete of what the server wrote, in order."""
        stream = _Stream(self.transport.value())
        answers: list[Answer] = []
        while stream.tell() < len(stream.getbuffer()):
            method = self._methods[len(answers)] if len(answers) < len(self._methods) else "GET"
            response = HTTPResponse(cast(Any, stream), method=method)
            response.begin()
            body = response.read()
            answers.append(Answer(response.status, response.headers, body))
        return answers

    @property
    def answer(self) -> Answer:
        """The only answer."""
        (answer,) = self.answers()
        return answer

    @property
    def requests(self) -> Sequence[Any]:
        """The requests that the server is busy with."""
        return cast(Sequence[Any], self._protocol.requests)

    @property
    def closing(self) -> bool:
        return self.transport.disconnecting

    def go_away(self, clean: bool = True) -> None:
        """End the connection from the client's side."""
        self._protocol.connectionLost(Failure(ConnectionDone() if clean else ConnectionLost()))


@attrs.define
class Service:
    """A metadata server and all that it stands on.

    Attributes:
        clock: its time, which begins with the present.
        store: remembers what it is told, as long as nothing else is asked of it.
        keys: the signer that really holds keys.
        signer: that same one, which can be away.
        outermost: what the server sees of it.
        short_way: answers what is known, if the site has one.
        threads: the functions that were run off the reactor's thread.
    """

    clock: Clock
    store: SwitchedStore
    keys: LocalSigner
    signer: SwitchedSigner
    outermost: ISigner
    publishing: Publishing
    watching: ServerMetrics
    readiness: Readiness
    api: API
    site: NotarySite
    short_way: ShortWay
    threads: list[Callable[..., Any]]

    @classmethod
    def make(
        cls,
        wrap_signer: Callable[[ISigner], ISigner] = lambda signer: signer,
        *,
        gun_prefixes: Sequence[str] = (),
        current: CacheControl | None = None,
        consistent: CacheControl | None = None,
        max_body: int = MAX_BODY,
        make_store: Callable[[IReactorTime], IMetadataStore] = MemoryMetadataStore,
        keys: LocalSigner | None = None,
        make_access: Callable[[IReactorTime], IAccess] = lambda _clock: OpenAccess(),
        proxies: Networks = (),
        has_short_way: bool = True,
    ) -> Service:
        clock = Clock()
        clock.advance(int(time.time()))
        store = SwitchedStore(make_store(cast(IReactorTime, clock)))
        keys = keys or LocalSigner()
        switched = SwitchedSigner(keys)
        signer = wrap_signer(switched)
        threads: list[Callable[..., Any]] = []

        def run_in_thread(function: Callable[..., Any], *args: Any) -> Deferred[Any]:
            threads.append(function)
            return maybeDeferred(function, *args)

        publishing = Publishing(store, signer, clock, run_in_thread, MAX_STEP)
        watching = ServerMetrics("1.2.3", cast(IReactorTime, clock), run_in_thread)
        metrics = watching.requests
        checks = {"DB operational": store.check, "Trust operational": signer.check}
        health = Health(checks, cast(IReactorTime, clock))
        readiness = Readiness(health, cast(IReactorTime, clock))
        watching.watch_readiness(readiness)
        pages = Pages(health, readiness, exposition_of(watching.registry))
        policy = Policy(
            gun_prefixes,
            current or CacheControl(300, must_revalidate=True),
            consistent or CacheControl(2_592_000),
        )
        access = make_access(cast(IReactorTime, clock))
        lifetimes = watching.lifetimes
        api = API(store, signer, publishing, policy, metrics, lifetimes, pages, clock, access)
        short_way = ShortWay(
            store,
            api.changefeed,
            access,
            metrics,
            lifetimes,
            Shortcuts(KNOWN_BYTES),
            cast(IReactorTime, clock),
        )
        watching.watch_short_way(short_way)
        site = NotarySite(
            api.app.resource(),
            cast(IReactorTime, clock),
            metrics,
            max_body,
            access.believes,
            proxies,
            short_way if has_short_way else None,
        )
        return cls(
            clock,
            store,
            keys,
            switched,
            signer,
            publishing,
            watching,
            readiness,
            api,
            site,
            short_way,
            threads,
        )

    def metrics_text(self) -> str:
        """The metrics as a scrape sees them."""
        return generate_latest(self.watching.registry).decode()

    def connect(self, host: str = "192.168.1.1") -> Connection:
        return Connection(self.site, host)

    def start(
        self, method: str, path: str, data: bytes | None = None, **headers: str | bytes
    ) -> Connection:
        """Send a request on a new connection."""
        connection = self.connect()
        connection.request(method, path, data, **headers)
        return connection

    def ask(
        self, method: str, path: str, data: bytes | None = None, **headers: str | bytes
    ) -> Answer:
        return self.start(method, path, data, **headers).answer

    def get(self, path: str, **headers: str | bytes) -> Answer:
        return self.ask("GET", path, None, **headers)

    def collection(self, gun: str = GUN, *, server_snapshot: bool = True) -> Collection:
        """A publisher whose timestamp key, and maybe snapshot key, is the server's."""
        made = {
            role: result_of(self.keys.create_key(gun, role)).to_json()
            for role in ("timestamp", "snapshot")
        }
        if server_snapshot:
            return Collection(gun, made["timestamp"], made["snapshot"])
        return Collection(gun, made["timestamp"])

    def start_publish(self, files: Files, gun: str = GUN) -> Connection:
        content_type, body = multipart(files)
        return self.start("POST", base(gun), body, Content_Type=content_type)

    def publish(self, files: Files, gun: str = GUN) -> Answer:
        return self.start_publish(files, gun).answer

    def published(self, gun: str = GUN, *, server_snapshot: bool = True) -> Collection:
        """A collection that is there already."""
        collection = self.collection(gun, server_snapshot=server_snapshot)
        answer = self.publish(collection.first(), gun)
        assert (answer.status, answer.body) == (200, b"")
        return collection

    def version(self, role: str, gun: str = GUN) -> int:
        """The version of a role's current file, as a client sees it."""
        return int(self.get(f"{base(gun)}{role}.json").json["signed"]["version"])


@contextmanager
def log_lines() -> Iterator[list[str]]:
    """What is logged within the block, as text; complete after it."""
    lines: list[str] = []
    with capturedLogs() as events:
        yield lines
    lines += map(text_of, events)


def text_of(event: LogEvent) -> str:
    failure = event.get("log_failure")
    return f"{formatEvent(event)} {'' if failure is None else failure.getErrorMessage()}".strip()
