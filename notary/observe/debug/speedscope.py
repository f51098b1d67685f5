"""Profiles as files for https://www.speedscope.app, which draws flame graphs of them.

See https://www.speedscope.app/file-format-schema.json.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import CodeType
from typing import Any

from notary.observe.debug.places import name_of, short_path
from notary.observe.debug.sampler import Times

SCHEMA = "https://www.speedscope.app/file-format-schema.json"

_OTHERS = {"name": "(other stacks)"}


def speedscope(title: str, exporter: str, times: Times, names: Mapping[int, str]) -> bytes:
    """Return a file with a profile of each thread, that of the reactor first.

    Args:
        title: of the file.
        exporter: what made it.
        times: what was seen.
        names: of threads, by identity; those that are missing have ended.
    """
    codes = list(times.codes)
    numbers = {code: number for number, code in enumerate(codes)}
    frames = [*(_frame(times.codes[code]) for code in codes), _OTHERS]
    order = [*names, *(thread for thread in times.threads if thread not in names)]
    profiles = []
    for thread in order:
        stacks = times.threads.get(thread)
        if stacks:
            samples = [[numbers[code] for code in stack] or [len(codes)] for stack in stacks]
            name = names.get(thread, "a thread that has ended")
            profiles.append(_profile(name, samples, list(stacks.values())))
    head = {"$schema": SCHEMA, "name": title, "exporter": exporter, "activeProfileIndex": 0}
    shared = f'{{"frames":{_pieces([_json(frame) for frame in frames])}}}'
    return f'{_json(head)[:-1]},"shared":{shared},"profiles":{_pieces(profiles)}}}\n'.encode()


def _frame(code: CodeType) -> dict[str, Any]:
    return {
        "name": name_of(code),
        "file": short_path(code.co_filename),
        "line": code.co_firstlineno,
    }


def _profile(name: str, samples: list[list[int]], seconds: list[float]) -> str:
    head = {
        "type": "sampled",
        "name": name,
        "unit": "seconds",
        "startValue": 0,
        "endValue": sum(seconds),
        "weights": seconds,
    }
    return f'{_json(head)[:-1]},"samples":{_pieces([_json(sample) for sample in samples])}}}'


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _pieces(encoded: list[str]) -> str:
    """Return a list of what was encoded: in one call that would hold up the other threads."""
    return f"[{','.join(encoded)}]"
