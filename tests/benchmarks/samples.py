"""Results as a comparison might have them."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.contenders import GO, OURS
from benchmarks.loads import Load
from benchmarks.measuring import DATABASE, SERVER, SIGNER, Row, Sample


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
