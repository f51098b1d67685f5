"""Files long enough to be read as if they were canonical: nothing else may come of that."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given

from notary.tuf import metadata
from notary.tuf.canonical import encode
from notary.tuf.errors import MalformedJSONError, TUFError
from notary.tuf.metadata import Metadata
from tests.support.forge import file_meta, seal
from tests.tuf.samples import collection
from tests.tuf.strategies import json_values, many, mutated

TARGETS = collection().targets(1, targets={f"a{n}": file_meta(b"%d" % n) for n in range(40)})
SIGNED = {"_type": "Targets", "version": 3, "expires": "2030-01-01T00:00:00Z"}


def outcome(data: bytes) -> Any:
    """What is read, or what is said of it."""
    try:
        read = Metadata.parse(data)
        return read, read.payload
    except TUFError as error:
        return type(error), str(error)


@pytest.fixture(scope="module", autouse=True)
def every_file_is_long() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metadata, "_WORTH_A_TRY", range(1_000_000))
        yield


def read_slowly(data: bytes) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metadata, "_WORTH_A_TRY", range(0))
        return outcome(data)


def test_what_is_signed_is_not_put_together_again() -> None:
    read = Metadata.parse(TARGETS)
    assert read.payload in TARGETS
    assert read.payload is read._payload
    assert read.payload == encode(read.signed)


@many
@given(json_values)
def test_any_value(signed: Any) -> None:
    data = seal(signed, [])
    assert outcome(data) == read_slowly(data)


@many
@given(mutated({"signed": SIGNED, "signatures": [], "other": [{"a": 1}]}))
def test_any_file(file: Any) -> None:
    data = encode(file)
    assert outcome(data) == read_slowly(data)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(b'"length":1', b'"length":1,"length":1', id="twice-and-equal"),
        pytest.param(b'"length":1', b'"length":2,"length":1', id="twice-and-different"),
        pytest.param(b'"targets":{', b'"targets":{},"targets":{', id="whole-objects"),
        pytest.param(b'{"signed":', b'{"signed":{},"signed":', id="signed"),
        pytest.param(b',"signatures":', b',"signatures":[],"signatures":', id="signatures"),
        pytest.param(b'"keyid":', b'"keyid":"","keyid":', id="in-a-signature"),
    ],
)
def test_members_that_stand_twice_are_refused(old: bytes, new: bytes) -> None:
    data = TARGETS.replace(old, new, 1)
    assert data != TARGETS
    with pytest.raises(MalformedJSONError, match="stands twice in one object"):
        Metadata.parse(data)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(b'"version":1', b'"version": 1', id="white-space"),
        pytest.param(b'"version":1', b'"version":1.0', id="fraction"),
        pytest.param(b'"version":1', b'"version":1e0', id="exponent"),
        pytest.param(b'"length":1', b'"length":-0', id="minus-zero"),
        pytest.param(b'"length":1', b'"length":9223372036854775808', id="65-bits"),
        pytest.param(b'"a1":', b'"\\u0061\\u0031":', id="escapes"),
        pytest.param(b'"a1":', b'"\\ud800":', id="half-a-pair"),
        pytest.param(b'"a1":', b'"a\n1":', id="control-character"),
        pytest.param(b'"a1":', b'"a\xff":', id="not-utf-8"),
        pytest.param(b'"_type"', b'"a":' + 70 * b"[" + 70 * b"]" + b',"_type"', id="deep"),
        pytest.param(b'"_type"', b'"a":' + 9000 * b"[" + b',"_type"', id="very-deep"),
        pytest.param(b"}]}", b'}],"zzz":1}', id="another-member"),
        pytest.param(b"}]}", b"}]}}", id="more-behind-it"),
    ],
)
def test_what_is_unusual(old: bytes, new: bytes) -> None:
    data = TARGETS.replace(old, new, 1)
    assert data != TARGETS
    assert outcome(data) == read_slowly(data)
