"""Reads what the debug server says of where the time goes: files for speedscope."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import attrs


@attrs.frozen
class Frame:
    """A function of a stack.

    Attributes:
        name: the function's, with that of its class.
        file: below the directory that it was imported from.
    """

    name: str
    file: str = ""


Stack = tuple[Frame, ...]
"""Functions, the outermost first."""

IDLE = Frame("Condition.wait", "threading.py")
"""Where threads of a pool are that have nothing to do."""


@attrs.frozen
class Profile:
    """Where the time of a daemon went.

    Attributes:
        title: what the daemon says of the profile.
        threads: seconds by stack, by the name of a thread or of a pool of them, that of the
            reactor first. What all stacks of a thread begin with is left out, and so are threads
            that wait for work.
    """

    title: str
    threads: Mapping[str, Mapping[Stack, float]]

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> Profile:
        """Take a file apart."""
        frames = [
            Frame(each["name"], each.get("file", "")) for each in document["shared"]["frames"]
        ]
        threads: dict[str, dict[Stack, float]] = {}
        for profile in document["profiles"]:
            stacks = [tuple(frames[n] for n in sample) for sample in profile["samples"]]
            times = dict(zip(stacks, profile["weights"], strict=True))
            seen = threads.setdefault(_pool(profile["name"]), {})
            for stack, seconds in _below_what_is_common(times).items():
                if stack[-1] != IDLE:
                    seen[stack] = seen.get(stack, 0.0) + seconds
        return cls(document["name"], {name: seen for name, seen in threads.items() if seen})

    def self_times(self, thread: str) -> dict[Frame, float]:
        """Seconds in which each function was the innermost one, the longest first."""
        times: dict[Frame, float] = defaultdict(float)
        for stack, seconds in self.threads[thread].items():
            times[stack[-1]] += seconds
        return dict(sorted(times.items(), key=lambda item: -item[1]))


def _pool(thread: str) -> str:
    """What threads of a pool have in common of their names."""
    return re.sub(r"^PoolThread-(.*)-\d+$", r"\1 threads", thread)


def _below_what_is_common(times: Mapping[Stack, float]) -> dict[Stack, float]:
    """Leave out what all stacks begin with, but never all of a stack."""
    common = _common(list(times))
    below: dict[Stack, float] = defaultdict(float)
    for stack, seconds in times.items():
        below[stack[common:]] += seconds
    return below


def _common(stacks: Sequence[Stack]) -> int:
    shortest = min(map(len, stacks)) - 1
    for depth in range(shortest):
        if len({stack[depth] for stack in stacks}) > 1:
            return depth
    return shortest
