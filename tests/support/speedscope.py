"""Reads profiles as https://www.speedscope.app does, and is as strict as its schema."""

from __future__ import annotations

import json
from typing import Any

import attrs

SCHEMA = "https://www.speedscope.app/file-format-schema.json"

Stack = tuple[str, ...]
"""``FILE NAME`` of each function, the outermost first."""


@attrs.frozen
class Profiles:
    """What a file holds.

    Attributes:
        title: its name.
        exporter: what made it.
        threads: seconds of each stack, by name of the profile.
    """

    title: str
    exporter: str
    threads: dict[str, dict[Stack, float]]

    @classmethod
    def parse(cls, data: bytes) -> Profiles:
        """Read a file.

        Raises:
            AssertionError: it does not have the form that it should have.
        """
        document = json.loads(data)
        assert document["$schema"] == SCHEMA
        frames = document["shared"]["frames"]
        for frame in frames:
            assert isinstance(frame["name"], str)
            assert isinstance(frame.get("line", 1), int)
        places = [f"{frame.get('file', '')} {frame['name']}" for frame in frames]
        profiles = document["profiles"]
        assert not profiles or 0 <= document["activeProfileIndex"] < len(profiles)
        return cls(
            document["name"],
            document["exporter"],
            {profile["name"]: _stacks(profile, places) for profile in profiles},
        )

    def seen(self, thread: str) -> set[str]:
        """All functions that were seen in a thread."""
        return {place for stack in self.threads[thread] for place in stack}


def _stacks(profile: Any, places: list[str]) -> dict[Stack, float]:
    assert (profile["type"], profile["unit"], profile["startValue"]) == ("sampled", "seconds", 0)
    samples, weights = profile["samples"], profile["weights"]
    assert len(samples) == len(weights) > 0
    assert all(weight >= 0 for weight in weights)
    assert abs(sum(weights) - profile["endValue"]) < 1e-6
    assert all(sample and 0 <= min(sample) <= max(sample) < len(places) for sample in samples)
    stacks: dict[Stack, float] = {}
    for sample, weight in zip(samples, weights, strict=True):
        stack = tuple(places[number] for number in sample)
        stacks[stack] = stacks.get(stack, 0) + weight
    return stacks
