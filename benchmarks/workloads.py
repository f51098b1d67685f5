"""All workloads by name."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from benchmarks.contenders import P256, RSA
from benchmarks.https import Connection, Expected, WrongAnswerError, get
from benchmarks.loads import Workload
from benchmarks.newcomers import Handshakes, Pulls
from benchmarks.publishes import NewKeys, Publishes
from benchmarks.reads import Reads
from benchmarks.stock import BIG, Stock, base, by_checksum

RECORDS = 100
"""Changes that are asked for at once."""

MOST_PATHS = 20_000
"""So many collections are asked for in turn, at most; of more, some are left out evenly."""

_MOST_PULLED = 100
"""So many collections are pulled in turn, at most."""

_BY_CHECKSUM = "targets by checksum, 1.5 KB"


def all_workloads(stock: Stock, guns: int) -> dict[str, Workload]:
    """Return the workloads on so many collections, in the order of the report."""
    workloads = [*_reads(stock, guns), *_newcomers(stock, guns), *_publishes()]
    return {each.name: each for each in workloads}


def timestamps(stock: Stock, connections: int) -> Workload:
    """The timestamp of one collection over so many connections."""
    path = [current(stock, "timestamp", 0)]
    return Reads(
        f"timestamp-c{connections}", f"timestamp.json, c{connections}", connections, lambda _: path
    )


def contents(stock: Stock, connections: int) -> Workload:
    """A file of one collection by its checksum over so many connections."""
    path = [named(stock.gun(0), "targets", stock.files(0)["targets"])]
    title = f"{_BY_CHECKSUM}, c{connections}"
    return Reads(f"checksum-c{connections}", title, connections, lambda _: path)


def _reads(stock: Stock, guns: int) -> Iterator[Workload]:
    numbers = range(0, guns, max(1, guns // MOST_PATHS))[:MOST_PATHS]

    def all_timestamps(_: Connection) -> list[Expected]:
        return [current(stock, "timestamp", n) for n in numbers]

    def all_contents(_: Connection) -> list[Expected]:
        return [named(stock.gun(n), "targets", stock.files(n)["targets"]) for n in numbers]

    over = f"over {guns:,} GUNs"
    for connections in (1, 16, 64):
        yield timestamps(stock, connections)
    for connections in (16, 64):
        title = f"timestamp.json {over}, c{connections}"
        yield Reads(f"timestamp-guns-c{connections}", title, connections, all_timestamps)
    for connections in (16, 64):
        yield contents(stock, connections)
    yield Reads("checksum-guns-c16", f"{_BY_CHECKSUM}, {over}, c16", 16, all_contents)
    big = named(BIG, "targets", stock.big["targets"])
    yield _c16("checksum-200k", "targets by checksum, 200 KB", big)
    yield _c16("root", "root.json", current(stock, "root", 0))
    yield _c16("snapshot", "snapshot.json", current(stock, "snapshot", 0))
    nobodys = f"{base('registry.example.com/nobody')}timestamp.json"
    unknown = f"{base(stock.gun(0))}{by_checksum('targets', b'')}"
    yield _c16("404-gun", "404, unknown GUN", Expected(nobodys, 404))
    yield _c16("404-checksum", "404, unknown checksum", Expected(unknown, 404))
    yield _c16("404-route", "404, no route", Expected("/nowhere", 404))
    yield Reads("changefeed-c16", f"changefeed, {RECORDS} records, c16", 16, _changes)


def _c16(name: str, title: str, expected: Expected) -> Workload:
    return Reads(f"{name}-c16", f"{title}, c16", 16, lambda _: [expected])


def _newcomers(stock: Stock, guns: int) -> Iterator[Workload]:
    collections = [pulled(stock, number) for number in range(min(guns, _MOST_PULLED))]
    title = f"fresh pull: connection and {len(collections[0])} files"
    yield Pulls("pull-k8", f"{title}, k8", 8, collections)
    for name, certificate in (("rsa", RSA), ("p256", P256)):
        title = f"TLS handshakes, {certificate}"
        yield Handshakes(f"handshake-{name}-k8", f"{title}, full, k8", 8, certificate)
        yield Handshakes(
            f"resumption-{name}-k8", f"{title}, resumed, k8", 8, certificate, resumed=True
        )


def _publishes() -> Iterator[Workload]:
    for publishers in (1, 4, 16):
        yield Publishes(f"publish-k{publishers}", f"publish, k{publishers}", publishers, 5)
    yield Publishes("publish-2000-k4", "publish of 2,000 targets, k4", 4, 2000)
    yield NewKeys("timestamp-key-k4", "new timestamp key, k4", 4)


def current(stock: Stock, role: str, number: int) -> Expected:
    """The current file of a role of a collection."""
    return Expected(f"{base(stock.gun(number))}{role}.json", body=stock.files(number)[role])


def named(gun: str, role: str, data: bytes) -> Expected:
    """A file of a collection by its checksum."""
    return Expected(f"{base(gun)}{by_checksum(role, data)}", body=data)


def pulled(stock: Stock, number: int) -> list[Expected]:
    """What a client asks for that knows nothing of a collection."""
    files, gun = stock.files(number), stock.gun(number)
    return [
        current(stock, "root", number),
        current(stock, "timestamp", number),
        named(gun, "snapshot", files["snapshot"]),
        named(gun, "targets", files["targets"]),
    ]


def _changes(connection: Connection) -> Sequence[Expected]:
    """Each server writes changes in its own way, but always the same ones."""
    path = f"/v2/_trust/changefeed?records={RECORDS}"
    answer = connection.ask(get(path))
    if answer.status != 200 or json.loads(answer.body)["count"] != RECORDS:
        raise WrongAnswerError(f"{path}: {answer}")
    return [Expected(path, body=answer.body)]
