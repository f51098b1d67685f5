"""How what wrk saw is judged."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.https import Expected
from benchmarks.wrk import read_result

RESULT = {
    "requests": 100,
    "seconds": 2.0,
    "bytes": 100_000,
    "p50": 1.0,
    "p99": 3.0,
    "status": 0,
    **dict.fromkeys(("connect", "read", "write", "timeout"), 0),
}
FOUND = [Expected("/a", body=b"x" * 900), Expected("/b", body=b"x" * 800)]
MISSING = [Expected("/c", 404)]


def test_a_good_result() -> None:
    load = read_result(RESULT, FOUND)
    assert (load.requests, load.seconds, load.p50, load.p99) == (100, 2, 1, 3)
    assert not load.faults


def test_a_good_result_where_nothing_is_to_be_found() -> None:
    assert not read_result({**RESULT, "status": 100}, MISSING).faults


@pytest.mark.parametrize(
    ("over", "expected", "fault"),
    [
        ({"status": 1}, FOUND, "1 of 100 answers have a status from 400 on"),
        ({"status": 99}, MISSING, "99 of 100 answers have a status from 400 on"),
        ({"read": 3}, FOUND, "3 times wrk saw a fault: read"),
        ({"timeout": 1}, FOUND, "1 times wrk saw a fault: timeout"),
        ({"bytes": 70_000}, FOUND, "answers have 700 bytes"),
        ({"bytes": 300_000}, FOUND, "answers have 3000 bytes"),
        ({"requests": 0, "bytes": 0}, FOUND, "no answers"),
    ],
)
def test_faults(over: dict[str, Any], expected: list[Expected], fault: str) -> None:
    (found,) = read_result({**RESULT, **over}, expected).faults
    assert found.startswith(fault)
