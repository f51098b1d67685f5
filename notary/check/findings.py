"""What a check has found, and what that means for the exit status."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

import attrs


class Severity(IntEnum):
    """How bad a finding is; also the exit status of a check whose worst finding it is."""

    OK = 0
    WARNING = 1
    ERROR = 2


@attrs.frozen
class Finding:
    """One thing that was looked at.

    Attributes:
        severity: whether it is as it should be.
        subject: the key path of the configuration that it belongs to.
        message: what was found, where, and what to do about it.
    """

    severity: Severity
    subject: str
    message: str

    def __str__(self) -> str:
        """Return the finding as one line, which begins with its severity."""
        line = f"{self.severity.name.lower():<7} {self.subject}: {self.message}"
        return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in line)


def ok(subject: str, message: str) -> Finding:
    """Return that something is as it should be."""
    return Finding(Severity.OK, subject, message)


def warning(subject: str, message: str) -> Finding:
    """Return that something works, but not for long, not for all or not safely."""
    return Finding(Severity.WARNING, subject, message)


def error(subject: str, message: str) -> Finding:
    """Return that something keeps the daemon from doing its work."""
    return Finding(Severity.ERROR, subject, message)


def exit_status(findings: Iterable[Finding]) -> int:
    """Return 0 if all is well, 1 if there are warnings only, 2 if there are errors."""
    return int(max((finding.severity for finding in findings), default=Severity.OK))
