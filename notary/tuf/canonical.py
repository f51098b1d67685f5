"""Canonical JSON, the form that is hashed and signed, and a strict decoder.

The dialect is OLPC's canonical JSON as Notary writes it: no white space, object keys in the order
of their code points, only ``"`` and ``\\`` escaped, all other characters as raw UTF-8, integers
only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NoReturn

from notary.tuf.errors import MalformedJSONError

MAX_DEPTH = 64
"""How deeply arrays and objects may be nested in metadata; real files stay below 10."""

MAX_INTEGER_DIGITS = 19
"""Enough for every 64-bit number."""

_ESCAPE = re.compile(r'\\(?:["\\]|u([0-9a-f]{4})|([bfnrt]))')
_ENCODER = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":")
)
_PIECE_SIZE = 256
_SPLIT_LEVELS = 1
_CONTROL = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}


def encode(value: Any) -> bytes:
    """Return the canonical form of a JSON value.

    Args:
        value: what `decode` returns, or anything made of dictionaries with string keys, lists,
            strings, integers, booleans and None.

    Raises:
        MalformedJSONError: a string is not Unicode text (it holds half of a surrogate pair).
    """
    text = "".join(_pieces(value, _SPLIT_LEVELS))
    if "\\" in text:
        text = _ESCAPE.sub(_raw_control_character, text)
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise MalformedJSONError("a string holds half of a surrogate pair") from error


def _pieces(value: Any, levels: int) -> Iterator[str]:
    """Yield the text in pieces, so that other threads get their turn during a huge file.

    The encoder is written in C and holds the interpreter from beginning to end of a call.
    """
    if levels and isinstance(value, dict) and value:
        opening = "{"
        for name in sorted(value):
            yield f"{opening}{_ENCODER.encode(name)}:"
            yield from _pieces(value[name], levels - 1)
            opening = ","
        yield "}"
    elif isinstance(value, dict) and len(value) > _PIECE_SIZE:
        names = sorted(value)
        for start in range(0, len(names), _PIECE_SIZE):
            piece = {name: value[name] for name in names[start : start + _PIECE_SIZE]}
            yield ("," if start else "{") + _ENCODER.encode(piece)[1:-1]
        yield "}"
    else:
        yield _ENCODER.encode(value)


def _raw_control_character(escape: re.Match[str]) -> str:
    code_point, letter = escape.groups()
    if code_point:
        return chr(int(code_point, 16))
    if letter:
        return _CONTROL[letter]
    return escape.group()


def decode(data: bytes) -> Any:
    """Return the value that JSON text stands for, keeping integers exact.

    Raises:
        MalformedJSONError: the bytes are not UTF-8 or not JSON, hold a number that is not an
            integer of at most `MAX_INTEGER_DIGITS` digits, name a member of an object twice, nest
            deeper than `MAX_DEPTH`, or hold a string that is not Unicode text.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise MalformedJSONError(f"not UTF-8 at byte {error.start}") from error
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


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise MalformedJSONError(f"the member {name!r} stands twice in one object")
            seen.add(name)
    return result


def _integer(digits: str) -> int:
    if len(digits.lstrip("-")) > MAX_INTEGER_DIGITS:
        raise MalformedJSONError(f"a number has more than {MAX_INTEGER_DIGITS} digits")
    return int(digits)


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
