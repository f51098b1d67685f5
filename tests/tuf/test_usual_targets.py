"""Targets of the usual form are checked at once, which allows nothing that is refused otherwise."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notary.tuf import files
from notary.tuf.errors import InvalidMetadataError
from tests.support.forge import PAST, file_meta
from tests.tuf.samples import collection, read_targets
from tests.tuf.strategies import json_values, many, mutated

PLAIN = file_meta(b"1")
USUAL = {
    "a": PLAIN,
    "b": {**PLAIN, "custom": {"made": PAST, "sizes": [1, None, True]}},
    "c": {},
    "d": {"hashes": None, "length": None, "custom": None},
    "e": {"hashes": {}, "length": 0, "custom": "x"},
    "f": {"hashes": {"": "", "sha256": "AA==", "md5": "AAA="}, "length": 2**63 - 1},
}


def is_refused(targets: Any) -> bool:
    try:
        for path, target in targets.items():
            files._check_target(path, target)
    except InvalidMetadataError:
        return True
    return False


@pytest.fixture
def _none_is_checked_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def check(*_: Any) -> None:
        raise AssertionError("checked alone")

    monkeypatch.setattr(files, "_check_target", check)


@pytest.mark.usefixtures("_none_is_checked_alone")
def test_usual_targets_are_checked_at_once() -> None:
    read_targets(collection().targets(targets=USUAL))


@pytest.mark.usefixtures("_none_is_checked_alone")
def test_many_targets_are_checked_one_by_one() -> None:
    """Or else other threads would wait for too long."""
    many_targets = dict.fromkeys(map(str, range(16 * 1024 + 1)), PLAIN)
    with pytest.raises(AssertionError, match="checked alone"):
        read_targets(collection().targets(targets=many_targets))


@many
@given(mutated(USUAL))
def test_any_targets(targets: dict[str, Any]) -> None:
    assert not (files._are_usual(targets) and is_refused(targets))


@many
@given(st.dictionaries(st.sampled_from(["hashes", "length", "custom", "Length"]), json_values))
def test_any_target(target: dict[str, Any]) -> None:
    assert not (files._are_usual({"a": target}) and is_refused({"a": target}))


@many
@given(st.text(st.sampled_from("AB+/=-_ \n\x00\u00e9"), max_size=12))
def test_any_digest(digest: str) -> None:
    targets = {"a": {"hashes": {"sha256": digest}}}
    assert not (files._are_usual(targets) and is_refused(targets))


@pytest.mark.parametrize("length", [-1, True, "1", [], {}])
def test_a_length_that_is_none_is_not_usual(length: Any) -> None:
    assert not files._are_usual({"a": {"length": length}})


@pytest.mark.parametrize("name", ["Length", "HASHES", "hashe\u017f", "more"])
def test_other_members_are_not_usual(name: str) -> None:
    assert not files._are_usual({"a": {name: None}})
