"""Draws the ratios of the rates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from statistics import median

from benchmarks.measuring import Row, Sample
from benchmarks.targets import TARGETS

_LABELS = 330
"""Width of what is left of the axis."""

_OCTAVE = 60
"""Width of a factor of two."""

_HEIGHT = 22
_LEAST, _MOST = -3, 5
"""Powers of two that are shown."""

_REACHED, _MISSED, _UNWANTED = "#2a7f4f", "#b5532f", "#5b6b7b"


def draw(rows: Sequence[Row]) -> str:
    """Return an SVG with a bar for each row: its length is the median of the ratios.

    Thin lines go from the least to the most of them, and marks stand where a target is.
    """
    valid = [row for row in rows if not row.faults and row.ratios(Sample.rate)]
    width, height = round(_place(2**_MOST)) + 70, _HEIGHT * (len(valid) + 2)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for power in range(_LEAST, _MOST + 1):
        x = _place(2.0**power)
        colour = "#444" if power == 0 else "#ddd"
        parts.append(_line(x, _HEIGHT, x, height - _HEIGHT / 2, colour))
        parts.append(_text(x, _HEIGHT * 0.7, f"{2.0**power:g} x", "middle"))
    for number, row in enumerate(valid):
        parts += _bar(row, _HEIGHT * (number + 1))
    return "\n".join([*parts, "</svg>\n"])


def _bar(row: Row, top: float) -> list[str]:
    ratios = row.ratios(Sample.rate)
    middle = median(ratios)
    target = TARGETS.get(row.name)
    colour = _UNWANTED
    if target is not None:
        colour = _REACHED if middle >= target.rate else _MISSED
    left, right = sorted((_place(1), _place(middle)))
    centre = top + _HEIGHT / 2
    parts = [
        _text(_LABELS - 8, centre + 4, row.title, "end"),
        f'<rect x="{left:.1f}" y="{top + 4}" width="{right - left:.1f}" '
        f'height="{_HEIGHT - 8}" fill="{colour}"/>',
        _line(_place(min(ratios)), centre, _place(max(ratios)), centre, "#000"),
        _text(_place(2**_MOST) + 10, centre + 4, f"{middle:.2f} x", "start"),
    ]
    if target is not None:
        x = _place(target.rate)
        parts.append(_line(x, top + 1, x, top + _HEIGHT - 1, "#000"))
    return parts


def _place(ratio: float) -> float:
    power = min(max(math.log2(ratio), _LEAST), _MOST) if ratio > 0 else _LEAST
    return _LABELS + (power - _LEAST) * _OCTAVE


def _line(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1}" x2="{x2:.1f}" y2="{y2}" stroke="{colour}"/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
