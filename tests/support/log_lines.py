"""Log lines as they are written while a test runs, and readers of either format."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

from twisted.logger import globalLogPublisher

from notary.observe.levels import LogThreshold
from notary.observe.logs import log_observer

_PAIR = re.compile(r' ?([^ ="]+)=("(?:[^"\\]|\\.)*"|[^ "]*)(?= |$)')


@contextmanager
def written_lines() -> Iterator[list[dict[str, Any]]]:
    """The fields of all lines that are written within the block; complete after it."""
    stream, lines = StringIO(), list[dict[str, Any]]()
    observer = log_observer(stream, "json", LogThreshold("debug"))
    globalLogPublisher.addObserver(observer)
    try:
        yield lines
    finally:
        globalLogPublisher.removeObserver(observer)
        lines += map(json.loads, stream.getvalue().splitlines())


def lines_of(log: Path) -> list[dict[str, Any]]:
    """The fields of the lines of a daemon's log in JSON."""
    return [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]


def read_logfmt(line: str) -> list[tuple[str, str]]:
    """The pairs of a line in logfmt; fails if it is not made of pairs alone."""
    pairs, end = [], 0
    for match in _PAIR.finditer(line):
        assert match.start() == end, line
        value = match[2]
        if value.startswith('"'):
            value = re.sub(r"\\(.)", r"\1", value[1:-1])
        pairs.append((match[1], value))
        end = match.end()
    assert end == len(line), line
    return pairs
