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
from typing import Any, NoReturn

from notary.tuf.errors import MalformedJSONError

MAX_DEPTH = 64
"""How deeply arrays and objects may be nested in metadata; real files stay below 10."""

_INT64 = 2**63
_MAX_DIGITS = 20

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
            integer of 64 bits, name a member of an object twice, nest
            deeper than `MAX_DEPTH`, or hold a string that is not Unicode text.
    """
    text = _text(data)
    value = _loads(text, object_pairs_hook=_object)
    _check_depth(value)
    if "\\u" in text:
        encode(value)
    return value


def decode_unless_ambiguous(data: bytes) -> Any:
    """Do as `decode`, in half the time, but let a member of an object stand twice: the last counts.

    That can be told from the value's canonical form, if the bytes ought to have that.
    """
    value = _loads(_text(data))
    _check_depth(value)
    return value


def _loads(text: str, **hooks: Any) -> Any:
    try:
        return json.loads(
            text,
            parse_int=_integer,
            parse_float=_refuse_number,
            parse_constant=_refuse_number,
            **hooks,
        )
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno}"
        raise MalformedJSONError(f"not JSON: {error.msg} at {place}") from error
    except RecursionError as error:
        raise _too_deep() from error


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
