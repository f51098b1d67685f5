"""Writes what was measured as tables of reStructuredText."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from operator import gt, lt
from statistics import median

from benchmarks.contenders import GO, OURS
from benchmarks.measuring import DATABASE, SERVER, SIGNER, Row, Sample
from benchmarks.targets import TARGETS

Figure = Callable[[Sample], float]

_MEBI = 2**20


def rates(rows: Sequence[Row]) -> str:
    """How fast each pair was, and how the two compare."""
    lines = []
    for row in rows:
        target = TARGETS.get(row.name)
        ratios = row.ratios(Sample.rate)
        least, most = (number(each(ratios)) if ratios else "-" for each in (min, max))
        wanted = "-"
        if target is not None:
            wanted = number(target.rate) + _missed(ratios, partial(gt, target.rate))
        lines.append([*_compared(row, Sample.rate), f"{least} to {most}", wanted])
    return table(
        ["workload", "Go /s", "ours /s", "ratio", "least to most", "wanted, at least"], lines
    )


def costs(rows: Sequence[Row], process: str) -> str:
    """CPU time that a process of each pair took, where Go's has something to do."""
    figure = partial(Sample.cost, process=process)
    lines = []
    for row in rows:
        if not row.median(GO, figure):
            continue
        target = TARGETS.get(row.name)
        most = {SERVER: target.server, SIGNER: target.signer}.get(process) if target else None
        wanted = "-"
        if most is not None:
            wanted = number(most) + _missed(row.ratios(figure), partial(lt, most))
        lines.append([*_compared(row, figure), wanted])
    return table(["workload", "Go", "ours", "ratio", "wanted, at most"], lines)


def latencies(rows: Sequence[Row]) -> str:
    """Milliseconds until an answer."""
    figures: list[Figure] = [lambda s: s.load.p50, lambda s: s.load.p99]
    lines = [
        [row.title, *(number(row.median(who, f)) for f in figures for who in (GO, OURS))]
        for row in rows
    ]
    return table(["workload", "p50: Go", "p50: ours", "p99: Go", "p99: ours"], lines)


def memory(rows: Sequence[Row]) -> str:
    """MiB in memory after each workload."""

    def resident(process: str, sample: Sample) -> float:
        return sample.resident[process] / _MEBI

    figures = [partial(resident, process) for process in (SERVER, SIGNER)]
    lines = [
        [row.title, *(f"{row.median(who, f):.0f}" for f in figures for who in (GO, OURS))]
        for row in rows
    ]
    return table(["workload", "server: Go", "server: ours", "signer: Go", "signer: ours"], lines)


def incidents(rows: Sequence[Row]) -> str:
    """What went wrong: servers that died, and rows that do not count."""
    lines = []
    for row in rows:
        for name, deaths in row.deaths.items():
            if deaths:
                times = "once" if deaths == 1 else f"{deaths} times"
                lines.append(
                    f"* {row.title}: {name}, the server died {times}; it was started again,"
                )
                lines.append("  and the round was repeated.")
        for fault in row.faults:
            lines.append(f"* {row.title}: **invalid**, {fault}")
    return "\n".join(lines or ["Nothing: no server died, and all answers were right."])


def tables(rows: Sequence[Row]) -> str:
    """All of them, each under a title."""
    parts = {
        "Rates": rates(rows),
        "CPU of the server, ms for 1000 requests": costs(rows, SERVER),
        "CPU of the signer, ms for 1000 requests": costs(rows, SIGNER),
        "CPU of MariaDB, ms for 1000 requests": costs(rows, DATABASE),
        "Latencies, ms": latencies(rows),
        "Memory, MiB resident": memory(rows),
        "What went wrong": incidents(rows),
    }
    return "\n\n".join(f"{heading(title)}\n\n{text}" for title, text in parts.items())


def heading(title: str, line: str = "-") -> str:
    """A title with a line under it."""
    return f"{title}\n{line * len(title)}"


def table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A simple table of reStructuredText."""
    cells = [list(header), *map(list, lines)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    rule = " ".join("=" * width for width in widths)
    texts = [
        " ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    ]
    return "\n".join([rule, texts[0], rule, *texts[1:], rule])


def number(value: float) -> str:
    """A number with at least two figures that count."""
    if value >= 100 or value == round(value):
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _missed(ratios: Sequence[float], is_missed: Callable[[float], bool]) -> str:
    """What is added to a target."""
    return ", missed" if ratios and is_missed(median(ratios)) else ""


def _compared(row: Row, figure: Figure) -> list[str]:
    """The title, both medians, and the median of the ratios round by round."""
    ratios = row.ratios(figure)
    medians = [number(row.median(who, figure)) for who in (GO, OURS)]
    ratio = number(median(ratios)) if ratios and not row.faults else "-"
    return [f"{row.title}{' (invalid)' if row.faults else ''}", *medians, ratio]
