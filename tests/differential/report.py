"""Writes down what the cases show: the page of the documentation, and a table of all cases."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.differential.catalogue import CASES
from tests.differential.differences import load
from tests.differential.servers import pairs

PAGE = Path(__file__).parent.parent.parent / "docs" / "differences.rst"

HEAD = """\
Differences from the Go server
==============================

A test sends the same requests, good and bad, to the Go ``notary-server`` 0.7.0 and to this one:
{cases} cases, each compared by status, error code, the headers that matter and the decoded body.
What they show in {differing} of them differs on purpose. Every such case is listed here with its
reason; semicolons part the answers of a case's requests, and "timestamp 1, root 1" says which
versions a client then reads. The test fails if a server shows anything else than this page says.
"""


def page() -> str:
    """The page of the documentation, made from the declared differences alone."""
    differing = sum(len(difference.cases) for difference in load())
    blocks = [HEAD.format(cases=len(CASES), differing=differing)]
    blocks += [f"{difference.why}\n\n{_rows(difference.cases)}" for difference in load()]
    return "\n".join(blocks)


def _rows(cases: Mapping[str, tuple[str, str]]) -> str:
    """One row for each pair of answers, with all cases that got it."""
    names: dict[tuple[str, str], list[str]] = {}
    for name, shown in cases.items():
        names.setdefault(shown, []).append(name)
    rows = [("Case", "Go", "Here")]
    rows += [(", ".join(each), reference, ours) for (reference, ours), each in names.items()]
    lines = [".. list-table::", "   :header-rows: 1", "   :widths: 30 35 35", ""]
    for row in rows:
        lines += [f"   {mark} - {_plain(cell)}" for mark, cell in zip("*  ", row, strict=True)]
    return "\n".join([*lines, ""])


def _plain(text: str) -> str:
    """Keep reStructuredText from finding markup in a cell."""
    return re.sub(r"([\\*`|])", r"\\\1", text)


def table(part: str = "") -> Iterator[str]:
    """Run all cases whose ID contains a text, and report each with a mark where they differ."""
    with tempfile.TemporaryDirectory() as directory, pairs(Path(directory)) as running:
        for case in CASES.values():
            if part in case.id:
                reference, ours = running[case.setting].run(case)
                same = reference.facts() == ours.facts()
                yield f"{' ' if same else '*'} {case.id}\n      Go    {reference}"
                if not same:
                    yield f"      ours  {ours}"
