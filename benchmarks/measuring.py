"""Measures workloads on both pairs, one after the other, round by round."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import median

import attrs

from benchmarks.contenders import GO, OURS, Contender
from benchmarks.https import WrongAnswerError
from benchmarks.loads import Load, Workload
from benchmarks.processes import cpu_seconds, is_alive, resident_bytes

_ATTEMPTS = 5
"""A round in which the server died is repeated until it was tried so often."""

SERVER, SIGNER, DATABASE = "server", "signer", "MariaDB"


@attrs.frozen
class Sample:
    """What one pair did in one round.

    Attributes:
        load: what its clients saw.
        cpu: seconds of CPU time by process.
        resident: bytes in memory at the end, by process.
    """

    load: Load
    cpu: Mapping[str, float]
    resident: Mapping[str, int]

    def rate(self) -> float:
        """Requests per second."""
        return self.load.requests / self.load.seconds

    def cost(self, process: str) -> float:
        """Milliseconds of CPU time that a process took for 1000 requests."""
        return self.cpu[process] / max(self.load.requests, 1) * 1_000_000


@attrs.frozen
class Row:
    """What came of a workload.

    Attributes:
        name: the workload's.
        title: the workload's.
        samples: by contender, one for each round.
        deaths: how often a server died meanwhile and the round was repeated, by contender.
    """

    name: str
    title: str
    samples: Mapping[str, Sequence[Sample]]
    deaths: Mapping[str, int]

    @property
    def faults(self) -> list[str]:
        """What makes the row invalid, each thing once."""
        found = [
            f"{name}: {fault}"
            for name, samples in self.samples.items()
            for sample in samples
            for fault in sample.load.faults
        ]
        return list(dict.fromkeys(found))

    def median(self, contender: str, what: Callable[[Sample], float]) -> float:
        """The median over the rounds."""
        return median(what(sample) for sample in self.samples[contender])

    def ratios(self, what: Callable[[Sample], float]) -> list[float]:
        """Ours to Go's in each round; none where Go has 0."""
        pairs = zip(self.samples[OURS], self.samples[GO], strict=True)
        return [what(ours) / what(go) for ours, go in pairs if what(go)]


def measure_row(
    workload: Workload,
    contenders: Sequence[Contender],
    database: int,
    rounds: int,
    seconds: float,
) -> Row:
    """Measure a workload on each in turn, in every other round the last one first.

    Args:
        workload: what to measure.
        contenders: on whom.
        database: the process ID of MariaDB.
        rounds: how often.
        seconds: how long each time.
    """
    deaths = {each.name: each.deaths for each in contenders}
    samples: dict[str, list[Sample]] = {each.name: [] for each in contenders}
    for number in range(rounds):
        for each in contenders[:: -1 if number % 2 else 1]:
            samples[each.name].append(measure_sample(workload, each, database, seconds))
    deaths = {each.name: each.deaths - deaths[each.name] for each in contenders}
    return Row(workload.name, workload.title, samples, deaths)


def measure_sample(
    workload: Workload, contender: Contender, database: int, seconds: float
) -> Sample:
    """Measure one round, again if the server dies of it.

    Args:
        workload: what to measure.
        contender: on whom.
        database: the process ID of MariaDB.
        seconds: how long.
    """
    for _ in range(_ATTEMPTS):
        server = contender.server(workload.certificate)
        try:
            sample = _measure_once(workload, contender, database, seconds)
        except (OSError, WrongAnswerError) as error:
            sample = _failed(str(error), seconds)
        contender.forget_logs()
        if is_alive(server.pid):
            return sample
    return _failed(f"the server died {_ATTEMPTS} times", seconds)


def _failed(fault: str, seconds: float) -> Sample:
    nothing = dict.fromkeys((SERVER, SIGNER, DATABASE), 0)
    return Sample(Load(0, seconds, 0, 0, (fault,)), nothing, nothing)


def _measure_once(
    workload: Workload, contender: Contender, database: int, seconds: float
) -> Sample:
    """Measure one round.

    Raises:
        OSError: the server is not there.
        WrongAnswerError: it did not answer as it should before the load began.
    """
    with workload.ready(contender, seconds) as go:
        processes = {
            SERVER: contender.server(workload.certificate).pid,
            SIGNER: contender.signer.pid,
            DATABASE: database,
        }
        before = {name: cpu_seconds(pid) for name, pid in processes.items()}
        load = go()
        cpu = {name: cpu_seconds(pid) - before[name] for name, pid in processes.items()}
        alive = {name: pid for name, pid in processes.items() if is_alive(pid)}
        resident = {name: resident_bytes(pid) for name, pid in alive.items()}
    return Sample(load, cpu, {**dict.fromkeys(processes, 0), **resident})
