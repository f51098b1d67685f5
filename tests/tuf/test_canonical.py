"""Canonical JSON, and the strict decoder."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notary.tuf.canonical import MAX_DEPTH, check_spelling, decode, encode
from notary.tuf.errors import MalformedJSONError
from tests.support.forge import canonical
from tests.tuf.strategies import INT64, json_values, many

CONTROL = "".join(map(chr, range(32)))

printable = st.text(st.characters(exclude_categories=["Cs"], min_codepoint=32))
printable_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | INT64 | printable,
    lambda children: st.lists(children) | st.dictionaries(printable, children),
    max_leaves=20,
)


class TestEncode:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            ({}, "{}"),
            ([], "[]"),
            (None, "null"),
            (True, "true"),
            (False, "false"),
            (0, "0"),
            (2**53 + 1, "9007199254740993"),
            (2**63 - 1, "9223372036854775807"),
            (-(2**63), "-9223372036854775808"),
            ("", '""'),
            ([1, [], {}, "a"], '[1,[],{},"a"]'),
            ({"b": 1, "a": {"d": [2, 3], "c": None}}, '{"a":{"c":null,"d":[2,3]},"b":1}'),
            ({"a": 1, "B": 2, "_": 3, "": 4}, '{"":4,"B":2,"_":3,"a":1}'),
            ({"aa": 1, "a": 2, "a/b": 3}, '{"a":2,"a/b":3,"aa":1}'),
            ('"', r'"\""'),
            ("\\", r'"\\"'),
            ("/<>&'", '"/<>&\'"'),
            ("\u00e9\u2028\u2029\ufffe", '"\u00e9\u2028\u2029\ufffe"'),
            ("\U0001f433", '"\U0001f433"'),
            (CONTROL + "\x7f\x80", f'"{CONTROL}\x7f\x80"'),
            ("\\n\n", '"\\\\n\n"'),
            ("\\u0041", r'"\\u0041"'),
            ('\\"\t\\\\u001f\x1f', '"\\\\\\"\t\\\\\\\\u001f\x1f"'),
            ({"\n": {"\x00": "\r"}}, '{"\n":{"\x00":"\r"}}'),
        ],
    )
    def test_canonical_form(self, value: Any, text: str) -> None:
        assert encode(value) == text.encode()
        assert encode({"in": [value]}) == f'{{"in":[{text}]}}'.encode()

    @pytest.mark.parametrize("levels", [0, 1, 2])
    def test_keys_are_in_the_order_of_code_points(self, levels: int) -> None:
        """UTF-16 would put the astral character first."""
        value: Any = {"\U0001f433": 1, "\uffee": 2, "\u00e9": 3, "z": 4, "\n": 5}
        text = '{"\n":5,"z":4,"\u00e9":3,"\uffee":2,"\U0001f433":1}'
        for _ in range(levels):
            value, text = {"in": value}, f'{{"in":{text}}}'
        assert encode(value) == text.encode()

    @pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 15, 16, 17, 1000])
    @pytest.mark.parametrize("levels", [0, 1, 2])
    def test_big_objects(self, monkeypatch: pytest.MonkeyPatch, count: int, levels: int) -> None:
        monkeypatch.setattr("notary.tuf.canonical._PIECE_SIZE", 8)
        value: Any = {f"name {7919 * number % 10007}": {"\n": number} for number in range(count)}
        for _ in range(levels):
            value = {"before": [], "in": value, "later": {}}
        assert encode(value) == canonical(value)

    def test_any_character(self) -> None:
        for first in range(0, 0x110000, 0x800):
            if first != 0xD800:
                text = "".join(map(chr, range(first, first + 0x800)))
                assert encode(text) == canonical(text)
                assert encode({text: 1}) == canonical({text: 1})

    @many
    @given(json_values)
    def test_agrees_with_another_implementation(self, value: Any) -> None:
        assert encode(value) == canonical(value)

    @many
    @given(json_values)
    def test_canonical_form_of_decoded_canonical_form_is_itself(self, value: Any) -> None:
        """Raw control characters are canonical, but not JSON, so the strict decoder has to rest."""
        text = encode(value)
        assert encode(json.loads(text, strict=False)) == text

    @many
    @given(printable_values)
    def test_decode_reads_canonical_form_without_control_characters(self, value: Any) -> None:
        text = encode(value)
        assert decode(text) == value
        assert encode(decode(text)) == text

    @pytest.mark.parametrize("value", ["\ud800", "a\udfff", ["\udc00\ud800"], {"\ud800": 1}])
    def test_refuses_half_a_surrogate_pair(self, value: Any) -> None:
        with pytest.raises(MalformedJSONError, match="half of a surrogate pair"):
            encode(value)

    def test_five_megabytes_of_targets(self) -> None:
        targets = {
            f"release-{number:05}/caf\u00e9.tar": {
                "custom": {"note": 'a "quoted" \\ text', "size": 2**53 + number},
                "hashes": {"sha256": b64encode(hashlib.sha256(b"%d" % number).digest()).decode()},
                "length": number,
            }
            for number in reversed(range(28_000))
        }
        signed = {"_type": "Targets", "version": 1, "targets": targets}
        pretty = json.dumps(signed, indent=1)
        assert len(pretty) > 5_000_000
        decoded = decode(pretty.encode())
        assert decoded == signed
        assert (
            encode(decoded)
            == json.dumps(
                signed, sort_keys=True, separators=(",", ":"), ensure_ascii=False
            ).encode()
        )


class TestDecode:
    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("{}", {}),
            (' \t\r\n{ "a" : [ 1 , 2 ] } \n', {"a": [1, 2]}),
            ("9007199254740993", 2**53 + 1),
            ("9223372036854775807", 2**63 - 1),
            ("-9223372036854775808", -(2**63)),
            ("-0", 0),
            (r'"\u00e9\n\/\ud83d\udc33"', "\u00e9\n/\U0001f433"),
            (r'"\\ud800"', "\\ud800"),
            ('"\U0001f433"', "\U0001f433"),
            ("null", None),
            ('{"a":{"x":1},"b":{"x":1}}', {"a": {"x": 1}, "b": {"x": 1}}),
            ('{"a":1,"A":2}', {"a": 1, "A": 2}),
        ],
    )
    def test_reads(self, text: str, value: Any) -> None:
        decoded = decode(text.encode())
        assert decoded == value
        assert type(decoded) is type(value)

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (b"", "not JSON: .* line 1 column 1"),
            (b"{", "not JSON"),
            (b"{} {}", "not JSON: Extra data at line 1 column 4"),
            (b'{\n"a":1,}', "not JSON: .* line 2"),
            (b"{'a':1}", "not JSON"),
            (b'"a\nb"', "not JSON: Invalid control character"),
            (b'"\x00"', "not JSON: Invalid control character"),
            (b"[01]", "not JSON"),
            (b"\xef\xbb\xbf{}", "not JSON"),
            (b"{\x00}", "not JSON"),
            ("{}".encode("utf-16"), "not UTF-8 at byte 0"),
            (b'{"a":"\xff"}', "not UTF-8 at byte 6"),
            (b'"\xed\xa0\x80"', "not UTF-8 at byte 1"),
            (b'"\xc0\x80"', "not UTF-8 at byte 1"),
            (b'{"a":1.0}', "1.0 is not an integer"),
            (b"[1e3]", "1e3 is not an integer"),
            (b"-0.0", "-0.0 is not an integer"),
            (b"NaN", "NaN is not an integer"),
            (b"[Infinity]", "Infinity is not an integer"),
            (b"[-Infinity]", "-Infinity is not an integer"),
            (b"9223372036854775808", "number 9223372036854775808 has more than 64 bits"),
            (b"-9223372036854775809", "number -9223372036854775809 has more than 64 bits"),
            (b"[" + b"9" * 5000 + b"]", "has more than 64 bits"),
            (b'{"a":1,"b":2,"a":1}', "the member 'a' stands twice in one object"),
            (b'{"b":1,"a":2,"a":3}', "the member 'a' stands twice in one object"),
            (b'[{"c":{"\\u0061":1,"a":2}}]', "the member 'a' stands twice"),
            (b'"\\ud800"', "half of a surrogate pair"),
            (b'{"\\udc33\\ud83d":1}', "half of a surrogate pair"),
        ],
    )
    def test_refuses(self, data: bytes, message: str) -> None:
        with pytest.raises(MalformedJSONError, match=message) as caught:
            decode(data)
        assert len(str(caught.value)) < 120

    @pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
    def test_depth(self, opening: bytes, closing: bytes) -> None:
        def nested(depth: int) -> bytes:
            return opening * depth + b"1" + closing * depth

        assert encode(decode(nested(MAX_DEPTH))) == nested(MAX_DEPTH)
        for depth in (MAX_DEPTH + 1, 1000, 100_000):
            with pytest.raises(MalformedJSONError, match="nested deeper than 64 levels"):
                decode(nested(depth))

    def test_depth_is_that_of_the_deepest_part(self) -> None:
        deep = b"[" * MAX_DEPTH + b"]" * MAX_DEPTH
        with pytest.raises(MalformedJSONError, match="nested deeper"):
            decode(b'{"a":1,"b":[1,2],"c":' + deep + b',"d":{}}')

    @many
    @given(st.binary())
    def test_any_bytes_are_json_or_malformed(self, data: bytes) -> None:
        try:
            value = decode(data)
        except MalformedJSONError:
            return
        assert value == json.loads(data)

    @many
    @given(st.text(st.sampled_from('{}[]":,\\u0dD8a1.e-+ntrueNI \n')))
    def test_anything_like_json_is_json_or_malformed(self, text: str) -> None:
        try:
            value = decode(text.encode())
        except MalformedJSONError:
            return
        assert json.loads(encode(value), strict=False) == value


class TestCheckSpelling:
    @pytest.mark.parametrize("name", ["signed", "signature", "sign", "", "other", "SIGNER"])
    def test_allows(self, name: str) -> None:
        check_spelling([name], {"signed", "keys"})

    @pytest.mark.parametrize(
        ("name", "field"),
        [
            ("Signed", "signed"),
            ("SIGNED", "signed"),
            ("\u017figned", "signed"),
            ("\u212aeys", "keys"),
        ],
    )
    def test_refuses_another_case(self, name: str, field: str) -> None:
        with pytest.raises(MalformedJSONError) as caught:
            check_spelling({"other": 1, name: 2}, {"signed", "keys"})
        assert str(caught.value) == f"the member {name!r} must be written {field!r}"
