"""Canonical JSON, the form that is hashed and signed, and a strict decoder.

The dialect is OLPC's canonical JSON as Notary writes it: no white space, object keys in the order
of their code points, only ``"`` and ``\\`` escaped, all other characters as raw UTF-8, integers
only.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Set
from typing import Annotated, Any, NoReturn

import msgspec

from notary.tuf.errors import MalformedJSONError

MAX_DEPTH = 64
"""How deeply arrays and objects may be nested in metadata; real files stay below 10."""

_INT64 = 2**63
_MAX_DIGITS = 20

_PLAIN_DEPTH = 8


def _plain(depth: int) -> Any:
    """Return the type of what nests at most that deep, for a decoder that refuses all else."""
    scalar: Any = Annotated[int, msgspec.Meta(ge=-_INT64, le=_INT64 - 1)] | str | bool | None
    if not depth:
        return scalar
    inner = _plain(depth - 1)
    return scalar | list[inner] | dict[str, inner]  # type: ignore[valid-type]


_DECODER = msgspec.json.Decoder(_plain(_PLAIN_DEPTH))
_ENCODER = msgspec.json.Encoder(order="sorted")
_ESCAPE = re.compile(rb'\\(?:["\\]|u([0-9a-f]{4})|([bfnrt]))')
_CONTROL = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t"}
_PIECE_SIZE = 4096


def encode(value: Any) -> bytes:
    """Return the canonical form of a JSON value.

    Args:
        value: what `decode` returns, or anything made of dictionaries with string keys, lists,
            strings, integers, booleans and None.

    Raises:
        MalformedJSONError: a string is not Unicode text (it holds half of a surrogate pair).
    """
    try:
        text = b"".join(_pieces(value))
    except UnicodeEncodeError as error:
        raise MalformedJSONError("a string holds half of a surrogate pair") from error
    return _ESCAPE.sub(_raw_control_character, text) if b"\\" in text else text


def _pieces(value: Any) -> Iterator[bytes]:
    """Yield the text in pieces, so that other threads get their turn during a huge file.

    The encoder holds the interpreter from beginning to end of a call.
    """
    if _is_big(value):
        names = sorted(value)
        for start in range(0, len(names), _PIECE_SIZE):
            piece = {name: value[name] for name in names[start : start + _PIECE_SIZE]}
            yield (b"," if start else b"{") + _ENCODER.encode(piece)[1:-1]
        yield b"}"
    elif isinstance(value, dict) and any(map(_is_big, value.values())):
        opening = b"{"
        for name in sorted(value):
            yield b"%b%b:" % (opening, _ENCODER.encode(name))
            yield from _pieces(value[name])
            opening = b","
        yield b"}"
    else:
        yield _ENCODER.encode(value)


def _is_big(value: Any) -> bool:
    return isinstance(value, dict) and len(value) > _PIECE_SIZE


def _raw_control_character(escape: re.Match[bytes]) -> bytes:
    code_point, letter = escape.groups()
    if code_point:
        return bytes([int(code_point, 16)])
    if letter:
        return _CONTROL[letter]
    return escape.group()


def decode(data: bytes) -> Any:
    """Return the value that JSON text stands for, keeping integers exact.

    Raises:
        MalformedJSONError: the bytes are not UTF-8 or not JSON, hold a number that is not an
            integer of 64 bits, name a member of an object twice, nest
            deeper than `MAX_DEPTH`, or hold a string that is not Unicode text.
    """
    text = _text(data)
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_refuse_number,
            parse_constant=_refuse_number,
        )
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno}"
        raise MalformedJSONError(f"not JSON: {error.msg} at {place}") from error
    except RecursionError as error:
        raise _too_deep() from error
    _check_depth(value)
    if "\\u" in text:
        encode(value)
    return value


def decode_if_plain(data: bytes) -> Any:
    """Return the value that JSON text stands for if it is as metadata usually is, else None.

    That takes a tenth of the time of `decode`, and is sure only if the canonical form of the value
    is compared with the bytes. If both are equal, `decode` returns the same value. If they are not,
    it may not: here a member may stand twice, the last one counts, and an integer may be written in
    any way that JSON has for numbers.
    """
    try:
        return _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise MalformedJSONError(f"not UTF-8 at byte {error.start}") from error


def check_spelling(container: Iterable[str], fields: Set[str]) -> None:
    """Refuse a member of an object whose name differs from a known field's only by case.

    The original clients and servers would take it for that field, so one file would say one thing
    to them and another to us.

    Args:
        container: the object, or the names of its members.
        fields: the fields that it may have, in lower case.

    Raises:
        MalformedJSONError: there is such a member.
    """
    for name in container:
        if name not in fields and name.casefold() in fields:
            raise MalformedJSONError(f"the member {name!r} must be written {name.casefold()!r}")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        (name, _), *_ = Counter(name for name, _ in pairs).most_common(1)
        raise MalformedJSONError(f"the member {name[:40]!r} stands twice in one object")
    return result


def _integer(digits: str) -> int:
    number = int(digits) if len(digits) <= _MAX_DIGITS else _INT64
    if not -_INT64 <= number < _INT64:
        raise MalformedJSONError(f"the number {digits[:40]} has more than 64 bits")
    return number


def _refuse_number(number: str) -> NoReturn:
    raise MalformedJSONError(f"{number[:40]} is not an integer")


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [item for item in level if isinstance(item, (dict, list))]
        if not level:
            return
        level = [
            child
            for container in level
            for child in (container.values() if isinstance(container, dict) else container)
        ]
    raise _too_deep()


def _too_deep() -> MalformedJSONError:
    return MalformedJSONError(f"nested deeper than {MAX_DEPTH} levels")
