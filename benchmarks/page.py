"""Writes the page about a comparison, its picture, and the figures themselves."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs

from benchmarks.chart import draw
from benchmarks.measuring import SERVER, SIGNER, Row
from benchmarks.memory import LIMITS, Step
from benchmarks.report import costs, heading, incidents, rates, table, tables

PAGE, PICTURE, FIGURES = "comparison.rst", "ratios.svg", "figures.json"

_INTRODUCTION = """\
The Go daemons and ours were measured in one run on one machine, which also made the load and ran
MariaDB. Each pair has a database of its own, with the same collections. Both servers show the same
certificate, log at the level ``info`` to a file, and have the defaults of everything else.

Each workload ran {rounds} times on each pair, for {seconds:g} s, in turn; every other time the last
one began. Rates and costs are medians; ratios are ours to Go's, of the two runs of each round.
"c16" is wrk with 16 kept connections; "k4" is 4 processes of Python, each of which does one thing
after the other, and signed beforehand what it publishes. CPU time is what the kernel counted for a
process and its children. The status of all answers was looked at, and a sample compared byte by
byte under load. A row with any fault is invalid."""

_LEGEND = """\
.. image:: ratios.svg
   :alt: the ratios of the rates as bars

A bar is the median of the ratios of the rates, the line in it goes from the least to the most, the
mark is the target: green where it is reached, red where it is not, grey where there is none."""


@attrs.frozen
class Results:
    """All that was measured.

    Attributes:
        machine: on what, by name.
        rounds: how often each workload ran on each pair.
        seconds: how long each time.
        rows: the comparison.
        connections: the same for some workloads, over more and more connections.
        collections: the same for some workloads, by the number of collections.
        memory: what ours had in memory.
    """

    machine: Mapping[str, str]
    rounds: int
    seconds: float
    rows: Sequence[Row]
    connections: Sequence[Row] = ()
    collections: Mapping[int, Sequence[Row]] = attrs.field(factory=dict)
    memory: Sequence[Step] = ()

    @property
    def is_valid(self) -> bool:
        """Whether nothing went wrong."""
        scales = [row for rows in self.collections.values() for row in rows]
        rows = [*self.rows, *scales, *self.connections]
        return not any(row.faults for row in rows) and not any(step.faults for step in self.memory)


def page(results: Results) -> str:
    """The page as reStructuredText."""
    introduction = _INTRODUCTION.format(rounds=results.rounds, seconds=results.seconds)
    parts = [
        heading("Compared with the Go daemons", "="),
        introduction,
        table(["measured on", ""], list(results.machine.items())),
        _LEGEND,
        tables(results.rows),
        *_scales(results),
    ]
    if results.memory:
        parts += [heading("Memory over time"), _memory(results.memory)]
    return "\n\n".join(parts) + "\n"


def write(results: Results, directory: Path) -> None:
    """Write the page, the picture and the figures into a directory."""
    directory.mkdir(parents=True, exist_ok=True)
    (directory / PAGE).write_text(page(results))
    (directory / PICTURE).write_text(draw(results.rows))
    (directory / FIGURES).write_text(json.dumps(attrs.asdict(results), indent=1) + "\n")


def _scales(results: Results) -> list[str]:
    parts = []
    if results.connections:
        parts += [heading("From few connections to many"), *_short(results.connections)]
    for number, rows in results.collections.items():
        parts += [heading(f"With {number:,} collections"), *_short(rows)]
    return parts


def _short(rows: Sequence[Row]) -> list[str]:
    server = "CPU of the server, ms for 1000 requests:"
    return [rates(rows), server, costs(rows, SERVER), incidents(rows)]


def _memory(steps: Sequence[Step]) -> str:
    lines = [
        [f"{step.requests:,}", *(f"{each / 2**20:.0f}" for each in (step.server, step.signer))]
        for step in steps
    ]
    lines.append(["wanted, at most", *(str(LIMITS[name]) for name in (SERVER, SIGNER))])
    parts = [table(["requests so far", "our server, MiB", "our signer, MiB"], lines)]
    parts += [f"**Invalid**: {fault}" for step in steps for fault in step.faults]
    return "\n\n".join(parts)
