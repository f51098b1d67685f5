"""IDs of requests: which are taken over, and who has which."""

from __future__ import annotations

import pytest

from notary import request_id


@pytest.mark.parametrize("text", ["a", "x" * 128, "AZaz09._:+/=@-", "1-5759e988-bd862e3fe1be46a9"])
def test_sane(text: str) -> None:
    assert request_id.is_sane(text)


@pytest.mark.parametrize(
    "text",
    ["", "x" * 129, "a b", "a\n", "a\x1b[0m", '"', "\\", "caf\u00e9", "\u0661", "a,b"],
)
def test_not_sane(text: str) -> None:
    assert not request_id.is_sane(text)


def test_new_ones_are_sane_and_differ() -> None:
    made = {request_id.new() for _ in range(100)}
    assert len(made) == 100
    assert all(map(request_id.is_sane, made))


def test_the_current_one_is_that_of_the_innermost_block() -> None:
    assert request_id.current() == ""
    with request_id.serving("outer"):
        with request_id.serving("inner"):
            assert request_id.current() == "inner"
        assert request_id.current() == "outer"
    assert request_id.current() == ""
