"""All workloads by name."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

from benchmarks.contenders import P256, RSA
from benchmarks.https import Connection, Expected, WrongAnswerError, get
from benchmarks.loads import Workload
from benchmarks.newcomers import Handshakes, Pulls
from benchmarks.publishes import NewKeys, Publishes
from benchmarks.reads import Reads
from benchmarks.stock import BIG, Stock, base, by_checksum

RECORDS = 100
"""Changes that are asked for at once."""

_MOST_PULLED = 100
"""So many collections are pulled in turn, at most."""


def all_workloads(stock: Stock, guns: int) -> dict[str, Workload]:
    """Return the workloads on so many collections, in the order of the report."""
    workloads = [*_reads(stock, guns), *_newcomers(stock, guns), *_publishes()]
    return {each.name: each for each in workloads}


def _reads(stock: Stock, guns: int) -> Iterator[Workload]:
    def files(role: str, numbers: Iterable[int]) -> list[Expected]:
        return [current(stock, role, number) for number in numbers]

    def contents(role: str, numbers: Iterable[int]) -> list[Expected]:
        return [named(stock.gun(n), role, stock.files(n)[role]) for n in numbers]

    one, all_of_them = range(1), range(guns)
    timestamps = "timestamp.json"
    for connections in (1, 16, 64):
        yield _fixed(f"timestamp-c{connections}", timestamps, connections, files("timestamp", one))
    for connections in (16, 64):
        yield _fixed(
            f"timestamp-guns-c{connections}",
            f"{timestamps} over {guns} GUNs",
            connections,
            files("timestamp", all_of_them),
        )
    by_sum = "targets by checksum, 1.5 KB"
    for connections in (16, 64):
        yield _fixed(f"checksum-c{connections}", by_sum, connections, contents("targets", one))
    yield _fixed(
        "checksum-guns-c16", f"{by_sum}, over {guns} GUNs", 16, contents("targets", all_of_them)
    )
    big = [named(BIG, "targets", stock.big["targets"])]
    yield _fixed("checksum-200k-c16", "targets by checksum, 200 KB", 16, big)
    yield _fixed("root-c16", "root.json", 16, files("root", one))
    yield _fixed("snapshot-c16", "snapshot.json", 16, files("snapshot", one))
    nobody = "registry.example.com/nobody"
    for name, title, path in (
        ("gun", "unknown GUN", f"{base(nobody)}timestamp.json"),
        ("checksum", "unknown checksum", f"{base(stock.gun(0))}{by_checksum('targets', b'')}"),
        ("route", "no route", "/nowhere"),
    ):
        yield _fixed(f"404-{name}-c16", f"404, {title}", 16, [Expected(path, 404)])
    yield Reads("changefeed-c16", f"changefeed, {RECORDS} records, c16", 16, _changes)


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


def _fixed(name: str, title: str, connections: int, expected: Sequence[Expected]) -> Workload:
    return Reads(name, f"{title}, c{connections}", connections, lambda _: expected)


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
