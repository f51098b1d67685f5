"""Draws flame graphs: who called whom from the top down, each as wide as the time it took."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

import attrs

from benchmarks.stacks import Frame, Profile, Stack

_WIDTH = 1100
_HEIGHT = 17
"""Height of a frame."""

_CHARACTER = 6.2
"""Width of a character, about."""

_LEAST_TEXT = 4
"""Characters that a frame is to have room for, to be given a text."""

_LEAST = 0.7
"""Width of the narrowest frames that are drawn."""

_COLOURS = {
    "notary": "#9fd0b4",
    "twisted": "#f3c78e",
    "klein": "#eee08a",
    "sqlalchemy": "#c7b5e3",
    "pymysql": "#a8c4ea",
    "Python and others": "#d3d6da",
}
"""By package."""

_THREAD = "#ffffff"


@attrs.define
class _Node:
    """A function as it was called from one place.

    Attributes:
        seconds: in it and all that it called.
        callees: what it called.
    """

    seconds: float = 0.0
    callees: dict[Frame, _Node] = attrs.field(factory=dict)

    def add(self, stack: Stack, seconds: float) -> None:
        """Charge time to a stack below this."""
        node = self
        node.seconds += seconds
        for frame in stack:
            node = node.callees.setdefault(frame, _Node())
            node.seconds += seconds


def draw_flames(profile: Profile) -> str:
    """Return an SVG with the threads of a profile, one beside the other.

    Whatever is too narrow to be seen is left out. Pointing at a frame shows its name, its file, and
    its time.
    """
    root = _Node()
    for thread, times in profile.threads.items():
        for stack, seconds in times.items():
            root.add((Frame(thread), *stack), seconds)
    boxes = list(_boxes(root, _WIDTH / root.seconds))
    height = _HEIGHT * (2 + max((box.depth for box in boxes), default=0))
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="100%" '
        'font-family="monospace" font-size="10" role="img">'
    )
    parts = [head, f"<title>{escape(profile.title)}</title>", *_legend()]
    parts += [_draw(box, root.seconds) for box in boxes]
    return "\n".join([*parts, "</svg>\n"])


def package_of(frame: Frame) -> str:
    """The package that a function is counted to, one of those that have a colour."""
    package = frame.file.partition("/")[0]
    return package if package in _COLOURS else list(_COLOURS)[-1]


@attrs.frozen
class _Box:
    frame: Frame
    seconds: float
    left: float
    width: float
    depth: int


def _boxes(node: _Node, scale: float, left: float = 0.0, depth: int = 0) -> Iterator[_Box]:
    callees = node.callees.items()
    for frame, callee in sorted(callees, key=lambda item: -item[1].seconds) if depth else callees:
        width = callee.seconds * scale
        if width >= _LEAST:
            yield _Box(frame, callee.seconds, left, width, depth)
            yield from _boxes(callee, scale, left, depth + 1)
        left += width


def _draw(box: _Box, all_seconds: float) -> str:
    top = (box.depth + 1) * _HEIGHT
    share = f"{box.seconds:.2f} s, {box.seconds / all_seconds:.1%}"
    place = f" ({box.frame.file})" if box.frame.file else ""
    colour = _COLOURS[package_of(box.frame)] if box.depth else _THREAD
    room = int((box.width - 4) / _CHARACTER)
    text = ""
    if room >= _LEAST_TEXT:
        text = _text(box.left + 3, top, _shortened(box.frame.name, room))
    return (
        f"<g><title>{escape(box.frame.name + place)}: {share}</title>"
        f'<rect x="{box.left:.1f}" y="{top}" width="{box.width:.1f}" height="{_HEIGHT}" '
        f'fill="{colour}" stroke="#fff"/>{text}</g>'
    )


def _legend() -> Iterator[str]:
    left = 0.0
    for name, colour in _COLOURS.items():
        width = (len(name) + 2) * _CHARACTER
        size = f'width="{width:.1f}" height="{_HEIGHT - 3}"'
        yield f'<rect x="{left:.1f}" y="0" {size} fill="{colour}"/>{_text(left + 3, -1, name)}'
        left += width + 4


def _text(left: float, top: float, text: str) -> str:
    return f'<text x="{left:.1f}" y="{top + 12}">{escape(text)}</text>'


def _shortened(name: str, room: int) -> str:
    return name if len(name) <= room else f"{name[: room - 1]}…"
