"""Workloads that ask for files, over kept connections."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event, Thread

import attrs

from benchmarks.contenders import RSA, Contender
from benchmarks.https import Connection, Expected, WrongAnswerError, client_context, get
from benchmarks.loads import Go, Load
from benchmarks.wrk import run_wrk

_PAUSE = 0.1
"""Seconds between two answers that are compared while others make the load."""

_FIRST = 1000
"""So many of the paths are asked for, and their answers compared, before anything is measured."""


@attrs.frozen
class Reads:
    """wrk asks for paths in turn.

    Attributes:
        connections: how many are kept.
        find: tells what to ask for and what is the answer; it may ask the server.
    """

    name: str
    title: str
    connections: int
    find: Callable[[Connection], Sequence[Expected]] = attrs.field(repr=False)
    certificate: str = RSA

    @contextmanager
    def ready(self, contender: Contender, seconds: float) -> Iterator[Go]:
        """Compare the answers once, which also warms what the servers keep in memory."""
        port = contender.server(self.certificate).port
        with closing(Connection(port, client_context())) as connection:
            expected = self.find(connection)
            for each in expected[:_FIRST]:
                each.check(connection.ask(get(each.path)))
        with tempfile.NamedTemporaryFile("w", suffix=".paths") as file:
            file.write("".join(f"{each.path}\n" for each in expected))
            file.flush()
            paths = Path(file.name)
            yield lambda: self._load(port, paths, expected, seconds)

    def _load(self, port: int, paths: Path, expected: Sequence[Expected], seconds: float) -> Load:
        sampler = _Sampler(port, expected)
        sampler.start()
        try:
            load = run_wrk(port, paths, expected, self.connections, seconds)
        finally:
            sampler.stop()
        return attrs.evolve(
            load, requests=load.requests + sampler.compared, faults=load.faults + sampler.faults
        )


class _Sampler(Thread):
    """Compares some answers byte by byte while a server is under load.

    Attributes:
        compared: how many.
        faults: what was wrong.
    """

    def __init__(self, port: int, expected: Sequence[Expected]) -> None:
        super().__init__(daemon=True)
        self.compared = 0
        self.faults: tuple[str, ...] = ()
        self._port, self._expected = port, expected
        self._stopped = Event()

    def stop(self) -> None:
        """Stop, and wait for that."""
        self._stopped.set()
        self.join()

    def run(self) -> None:
        try:
            with closing(Connection(self._port, client_context())) as connection:
                while not self._stopped.wait(_PAUSE):
                    each = random.choice(self._expected)
                    each.check(connection.ask(get(each.path)))
                    self.compared += 1
        except (OSError, WrongAnswerError) as error:
            self.faults = (f"while under load: {error}",)
