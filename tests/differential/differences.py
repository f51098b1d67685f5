"""Where ours answers otherwise than the Go server, on purpose: ``differences.json``, loaded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import attrs

TABLE = Path(__file__).with_name("differences.json")


@attrs.frozen
class Difference:
    """One reason to differ, and all cases that show it.

    Attributes:
        why: one sentence.
        cases: by case ID what the Go server shows, and what ours does.
    """

    why: str
    cases: Mapping[str, tuple[str, str]]


def load() -> tuple[Difference, ...]:
    """Read the table.

    Raises:
        ValueError: a case is declared twice.
    """
    table = tuple(
        Difference(entry["why"], {name: (go, ours) for name, (go, ours) in entry["cases"].items()})
        for entry in json.loads(TABLE.read_text())
    )
    names = [name for difference in table for name in difference.cases]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"declared twice in {TABLE}: {sorted(twice)}")
    return table


def by_case() -> dict[str, tuple[str, str]]:
    """What both servers show, for each case in which they differ."""
    return {name: shown for difference in load() for name, shown in difference.cases.items()}
