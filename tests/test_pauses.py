"""How long to wait until something that failed is tried again."""

from __future__ import annotations

import pytest

from notary.pauses import growing


@pytest.fixture(autouse=True)
def half_a_second_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("random.random", lambda: 0.5)


def test_pauses_grow_up_to_the_longest() -> None:
    pause = growing(first=0.5, longest=10.0, factor=2.0)
    assert [pause(failures) for failures in range(7)] == [1.0, 1.5, 2.5, 4.5, 8.5, 10.5, 10.5]


def test_there_may_be_any_number_of_failures() -> None:
    assert growing(first=0.5, longest=10.0, factor=2.0)(100_000) == 10.5
