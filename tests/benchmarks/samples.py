"""Results as a comparison might have them, and a profile."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

from benchmarks.contenders import GO, OURS
from benchmarks.loads import Load
from benchmarks.measuring import DATABASE, SERVER, SIGNER, Row, Sample
from benchmarks.stacks import IDLE, Frame


def sample(rate: int, cost: float = 1.0, *faults: str) -> Sample:
    """A round of one second, in which the server took so many milliseconds for 1000 requests."""
    cpu = {SERVER: cost * rate / 1_000_000, SIGNER: 0.0, DATABASE: 0.0}
    resident = dict.fromkeys((SERVER, SIGNER, DATABASE), 2**20)
    return Sample(Load(rate, 1.0, 0.5, 2.0, faults), cpu, resident)


def row(
    go: Sequence[Sample],
    ours: Sequence[Sample],
    name: str = "timestamp-c16",
    deaths: int = 0,
) -> Row:
    """What came of a workload."""
    return Row(name, f"title of {name}", {GO: go, OURS: ours}, {GO: deaths, OURS: 0})


LOOP = Frame("loop", "twisted/loop.py")
READ = Frame("Reader.<locals>.read", "notary/read.py")
SEND = Frame("send", "ssl.py")
_FRAMES = [Frame("main", "notary-server"), LOOP, READ, SEND, IDLE]


def _thread(name: str, samples: dict[tuple[int, ...], float]) -> dict[str, Any]:
    stacks = [list(stack) for stack in samples]
    return {"type": "sampled", "name": name, "samples": stacks, "weights": list(samples.values())}


DOCUMENT = {
    "name": "notary-server: 2 s",
    "shared": {"frames": [attrs.asdict(frame) for frame in _FRAMES]},
    "profiles": [
        _thread("reactor", {(0, 1): 0.5, (0, 1, 2): 1.0, (0, 1, 2, 3): 0.25}),
        _thread("PoolThread-database-0", {(0, 4): 1.0, (0, 2): 1.0}),
        _thread("PoolThread-database-1", {(0, 2): 2.0}),
        _thread("PoolThread-cryptography-0", {(0, 4): 2.0}),
    ],
}
"""A file for speedscope: a reactor's thread, two of a pool, and one that is idle."""
