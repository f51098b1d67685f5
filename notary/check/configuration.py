"""The configuration itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from notary.check.findings import Finding, error, ok, warning
from notary.config import Reading

_WHOLE = "configuration"


def check_configuration(reading: Reading[Any]) -> Iterator[Finding]:
    """Tell where each value came from, and what is wrong with the rest."""
    problems = [_split(line) for line in reading.problems]
    wrong = {subject for subject, _ in problems}
    for line in reading.sources:
        subject, message = _split(line)
        if subject not in wrong:
            yield ok(subject, message)
    for subject, message in problems:
        yield error(subject, message)
    for line in reading.warnings:
        yield warning(*_split(line))


def _split(line: str) -> tuple[str, str]:
    """Return the key that a line is about, and what it says."""
    subject, colon, message = line.partition(": ")
    return (subject, message) if colon else (_WHOLE, line)
