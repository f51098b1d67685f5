"""Collections that are only in databases: servers have to be able to read them."""

from __future__ import annotations

import pytest

from benchmarks.https import Answer, Expected, WrongAnswerError
from benchmarks.stock import Stock, by_checksum, many_targets
from benchmarks.workloads import all_workloads, pulled
from notary.tuf.files import Root, Snapshot, Targets, Timestamp
from notary.tuf.metadata import Metadata
from tests.support.forge import canonical

STOCK = Stock()


@pytest.mark.parametrize("number", [0, 1, 99_999])
def test_each_file_names_the_next(number: int) -> None:
    files = STOCK.files(number)
    parsed = {role: Metadata.parse(data) for role, data in files.items()}
    timestamp, snapshot = Timestamp.read(parsed["timestamp"]), Snapshot.read(parsed["snapshot"])
    assert timestamp.snapshot.describes(files["snapshot"])
    assert snapshot.meta["targets"].describes(files["targets"])
    assert snapshot.meta["root"].describes(files["root"])
    Root.read(parsed["root"])
    Targets.read(parsed["targets"], "targets")


def test_each_collection_has_files_of_its_own() -> None:
    for role in ("targets", "snapshot", "timestamp"):
        assert len({STOCK.files(number)[role] for number in range(10)}) == 10
    assert STOCK.gun(1) != STOCK.gun(2)


def test_sizes() -> None:
    assert 1300 < len(STOCK.files(0)["targets"]) < 1700
    assert 190_000 < len(STOCK.big["targets"]) < 210_000
    assert 480_000 < len(canonical(many_targets("bench", 2000))) < 510_000


def test_a_pull_takes_the_files_in_the_order_of_clients() -> None:
    files = STOCK.files(7)
    paths = [each.path.rpartition("/")[2] for each in pulled(STOCK, 7)]
    assert paths == [
        "root.json",
        "timestamp.json",
        by_checksum("snapshot", files["snapshot"]),
        by_checksum("targets", files["targets"]),
    ]


def test_workloads_go_by_their_names() -> None:
    for name, workload in all_workloads(STOCK, 3).items():
        assert workload.name == name


@pytest.mark.parametrize("answer", [Answer(404, b"right"), Answer(200, b"wrong")])
def test_another_answer_is_refused(answer: Answer) -> None:
    with pytest.raises(WrongAnswerError, match="/path"):
        Expected("/path", body=b"right").check(answer)


def test_the_right_answer_is_not() -> None:
    Expected("/path", body=b"right").check(Answer(200, b"right"))
    Expected("/path", 404).check(Answer(404, b"anything"))
