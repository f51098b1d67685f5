from __future__ import annotations

from pathlib import Path

import pytest

from notary.config import ConfigError
from notary.config.document import MAX_BYTES, read_document


def problems_of(path: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read_document(path)
    return [problem.replace(str(path), "FILE") for problem in caught.value.problems]


def test_keys_are_folded_at_every_depth(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_text('{"Server": {"HTTP_Addr": "A"}, "list": [{"Key": 1}, 2.5, null]}')
    assert read_document(path) == {
        "server": {"http_addr": "A"},
        "list": [{"key": 1}, 2.5, None],
    }


def test_missing_file(tmp_path: Path) -> None:
    assert problems_of(tmp_path / "c.json") == ["FILE: cannot be read: No such file or directory"]


def test_directory(tmp_path: Path) -> None:
    assert problems_of(tmp_path) == ["FILE: cannot be read: Is a directory"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b'{\n  "a" 1\n}', "is not valid JSON: Expecting ':' delimiter (line 2, column 7)"),
        (b"", "is not valid JSON: Expecting value (line 1, column 1)"),
        (b'{\n"a": "\xff"}', "is not UTF-8 text (line 2)"),
        (b"[]", "holds a list where a map ({...}) is needed"),
        (b'"x"', "holds a string where a map ({...}) is needed"),
        (b"null", "holds null where a map ({...}) is needed"),
        (b"true", "holds a boolean where a map ({...}) is needed"),
        (b"1", "holds a number where a map ({...}) is needed"),
        (b'{"a": NaN}', "is not valid JSON: NaN is not a JSON number"),
        (b'{"a": 1' + b"0" * 19 + b"}", "is not valid JSON: a number has more than 19 digits"),
        (b'{"a":' * 100_000, "is nested too deeply"),
        (b" " * (MAX_BYTES + 1), f"is larger than {MAX_BYTES} bytes"),
    ],
)
def test_bad_content(tmp_path: Path, content: bytes, problem: str) -> None:
    path = tmp_path / "c.json"
    path.write_bytes(content)
    assert problems_of(path) == [f"FILE: {problem}"]


def test_largest_file(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_bytes(b"{}" + b" " * (MAX_BYTES - 2))
    assert read_document(path) == {}


def test_every_repeated_key_is_named(tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_text('{"a": {"b": 1, "B": 2}, "A": {}, "c": 1}')
    assert problems_of(path) == [
        "a.b: is set more than once (in FILE); case counts not",
        "a: is set more than once (in FILE); case counts not",
    ]
