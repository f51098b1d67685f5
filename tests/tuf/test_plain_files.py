"""Files that are read as if they were canonical: nothing else may come of that."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from notary.tuf import metadata
from notary.tuf.canonical import decode, decode_if_plain, encode
from notary.tuf.errors import MalformedJSONError, TUFError
from notary.tuf.metadata import Metadata
from tests.support.forge import canonical, file_meta, seal
from tests.tuf.samples import collection
from tests.tuf.strategies import damaged, json_values, many, mutated

TARGETS = collection().targets(1, targets={f"a{n}": file_meta(b"%d" % n) for n in range(40)})
SIGNED = {"_type": "Targets", "version": 3, "expires": "2030-01-01T00:00:00Z"}


def outcome(data: bytes) -> Any:
    """What is read, or what is said of it."""
    try:
        read = Metadata.parse(data)
        return read, read.payload
    except TUFError as error:
        return type(error), str(error)


def read_slowly(data: bytes) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metadata, "_WORTH_A_TRY", -1)
        return outcome(data)


def test_what_is_signed_is_not_put_together_again() -> None:
    read = Metadata.parse(TARGETS)
    assert read.payload in TARGETS
    assert read.payload is read._payload
    assert read.payload == encode(read.signed)


def test_a_huge_file_is_read_the_other_way() -> None:
    """It would keep other threads waiting for too long."""
    huge = collection().targets(1, targets={"a" * 4 * 1024 * 1024: file_meta(b"")})
    read = Metadata.parse(huge)
    assert read._payload is None
    assert read.payload in huge


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


@many
@given(damaged(TARGETS))
def test_any_damage(data: bytes) -> None:
    assert outcome(data) == read_slowly(data)


def is_canonical(data: bytes) -> bool:
    """Tell what a file's bytes are compared for: whether they are the form of what is read."""
    value = decode_if_plain(data)
    return value is not None and canonical(value) == data


json_texts = st.text(st.sampled_from('{}[]":,\\u0dD8a1.e-+ntrueNI \n\x1f\x7f\u00e9')).map(
    str.encode
)
SIGNS = ["{", "}", "[", "]", ":", ","]
WORDS = [
    "true",
    "false",
    "null",
    "NaN",
    '""',
    '"a"',
    '"\\\\"',
    '"\\""',
    '"\\ud800"',
    '"\x01"',
    '"\u00e9"',
]
NUMBERS = ["0", "-0", "1", "-1", "01", "1.0", "1.5", "1e3", "1e400", str(2**63), str(-(2**63) - 1)]
PARTS = ['{"a":1}', '{"a":1,"a":1}', '{"b":1,"a":2}', "[1.0]", "[[[[[[[[]]]]]]]]"]
token_texts = st.lists(st.sampled_from(SIGNS + WORDS + NUMBERS + PARTS), max_size=12).map(
    lambda tokens: "".join(tokens).encode()
)


@pytest.mark.parametrize(
    "data", [b'{"a":[1,-1,true,null,"b"]}', b"[" * 8 + b"]" * 8, '"\x7f\u00e9\U0001f433"'.encode()]
)
def test_plain_values_are_read(data: bytes) -> None:
    assert is_canonical(data)


@many
@given(json_values.map(canonical) | json_texts | token_texts | st.binary())
@example(b"1.5")
@example(b"9223372036854775808")
@example(b"-9223372036854775809")
@example(b'"\n"')
@example(b'"\x00"')
@example(b'"\xed\xa0\x80"')
@example(b"[" * 9 + b"]" * 9)
@example(b"[" * 100_000)
@example(b"9" * 5000)
def test_what_is_canonical_is_decoded_the_same_way(data: bytes) -> None:
    if is_canonical(data):
        value = decode(data)
        assert decode_if_plain(data) == value
        assert repr(decode_if_plain(data)) == repr(value)  # 1 is not True, nor 1.0


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
