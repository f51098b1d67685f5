"""Reading the JSON file of a configuration."""

from __future__ import annotations

import json
from pathlib import Path

from notary.config.errors import ConfigError
from notary.config.schema import KeyPath, dotted
from notary.config.values import kind_of

MAX_BYTES = 1024 * 1024
_MAX_DIGITS = 19


class _Pairs(list[tuple[str, object]]):
    """The members of a JSON object, repeated names included."""


def read_document(path: str | Path) -> dict[str, object]:
    """Read a JSON object with its keys in lower case, since their case does not matter.

    Args:
        path: A file of at most ``MAX_BYTES`` bytes.

    Raises:
        ConfigError: when the file cannot be read, is no JSON object in UTF-8, or sets a key twice.
    """
    try:
        pairs = json.loads(
            _read_text(path),
            object_pairs_hook=_Pairs,
            parse_constant=_refuse_constant,
            parse_int=_parse_integer,
        )
        repeated: list[KeyPath] = []
        document = _fold(pairs, (), repeated)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise ConfigError([f"{path}: is not valid JSON: {error.msg} ({where})"]) from error
    except RecursionError as error:
        raise ConfigError([f"{path}: is nested too deeply"]) from error
    except ValueError as error:
        raise ConfigError([f"{path}: is not valid JSON: {error}"]) from error
    if repeated:
        raise ConfigError(
            [
                f"{dotted(key)}: is set more than once (in {path}); case counts not"
                for key in repeated
            ]
        )
    if not isinstance(document, dict):
        raise ConfigError([f"{path}: holds {kind_of(document)} where a map ({{...}}) is needed"])
    return document


def _read_text(path: str | Path) -> str:
    try:
        with open(path, "rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from error
    if len(content) > MAX_BYTES:
        raise ConfigError([f"{path}: is larger than {MAX_BYTES} bytes"])
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError([f"{path}: is not UTF-8 text (line {line})"]) from error


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not a JSON number")


def _parse_integer(digits: str) -> int:
    if len(digits.lstrip("-")) > _MAX_DIGITS:
        raise ValueError(f"a number has more than {_MAX_DIGITS} digits")
    return int(digits)


def _fold(value: object, path: KeyPath, repeated: list[KeyPath]) -> object:
    if isinstance(value, _Pairs):
        folded: dict[str, object] = {}
        for name, member in value:
            key = name.lower()
            if key in folded:
                repeated.append((*path, key))
            folded[key] = _fold(member, (*path, key), repeated)
        return folded
    if isinstance(value, list):
        return [_fold(member, path, repeated) for member in value]
    return value
