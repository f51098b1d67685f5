"""All workloads by name."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

from benchmarks.https import Connection, Expected, WrongAnswerError, get
from benchmarks.loads import Workload
from benchmarks.reads import Reads
from benchmarks.stock import BIG, Stock, base, by_checksum

RECORDS = 100
"""Changes that are asked for at once."""

MOST_PATHS = 20_000
"""So many collections are asked for in turn, at most."""


def all_workloads(stock: Stock, guns: int) -> dict[str, Workload]:
    """Return the workloads on so many collections, in the order of the report."""
    return {each.name: each for each in _reads(stock, guns)}


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


def _fixed(name: str, title: str, connections: int, expected: Sequence[Expected]) -> Workload:
    return Reads(name, f"{title}, c{connections}", connections, lambda _: expected)


def current(stock: Stock, role: str, number: int) -> Expected:
    """The current file of a role of a collection."""
    return Expected(f"{base(stock.gun(number))}{role}.json", body=stock.files(number)[role])


def named(gun: str, role: str, data: bytes) -> Expected:
    """A file of a collection by its checksum."""
    return Expected(f"{base(gun)}{by_checksum(role, data)}", body=data)


def _changes(connection: Connection) -> Sequence[Expected]:
    """Each server writes changes in its own way, but always the same ones."""
    path = f"/v2/_trust/changefeed?records={RECORDS}"
    answer = connection.ask(get(path))
    if answer.status != 200 or json.loads(answer.body)["count"] != RECORDS:
        raise WrongAnswerError(f"{path}: {answer}")
    return [Expected(path, body=answer.body)]
