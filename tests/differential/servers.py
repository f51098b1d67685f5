"""Starts the Go server and ours with one configuration: plain HTTP, memory, keys of their own.

Several processes of ours have no memory in common, so they get a database and a signer.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import attrs

from tests.differential.exchange import Origin
from tests.differential.harness import EXPENDABLE, Case, Outcome
from tests.differential.tokens import GUARDED, REDIRECTING, token_settings
from tests.support.daemons import (
    OUR_SERVER,
    POLL_SECONDS,
    REFERENCE_SERVER,
    START_SECONDS,
    STOP_SECONDS,
    DaemonError,
    find_program,
    free_port,
)
from tests.support.pairs import plan_pair

MEMORY_LIMIT = 8 * 2**30
"""Bytes of address space that an expendable server may have."""

SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "plain": {},
    GUARDED: {},
    REDIRECTING: {},
    EXPENDABLE: {},
    "prefixes": {"repositories": {"gun_prefixes": ["docker.io/", "registry.example/team/"]}},
    "uncached": {"caching": {"max_age": {"current_metadata": 0, "consistent_metadata": 0}}},
    "cached": {"caching": {"max_age": {"current_metadata": 10, "consistent_metadata": 31536000}}},
}


@attrs.frozen
class Pair:
    """Both servers, running with one setting."""

    reference: Origin
    ours: Origin

    def run(self, case: Case) -> tuple[Outcome, Outcome]:
        """Run a case on the reference and on ours."""
        with ThreadPoolExecutor(2) as pool:
            reference, ours = pool.map(case.run, (self.reference, self.ours))
        return reference, ours


@attrs.define
class Pairs:
    """Starts a pair when its setting is first asked for."""

    directory: Path
    stack: ExitStack
    workers: int = 1
    running: dict[str, Pair] = attrs.field(factory=dict)

    def __getitem__(self, setting: str) -> Pair:
        pair = self.running.get(setting)
        if pair is None or (setting == EXPENDABLE and not pair.reference.listens()):
            start = self.stack.enter_context
            self.running[setting] = Pair(
                start(
                    serving(find_program(REFERENCE_SERVER, "notary"), "Go", setting, self.directory)
                ),
                start(
                    serving(str(OUR_SERVER), "ours", setting, self.directory, **self._ours(setting))
                ),
            )
        return self.running[setting]

    def _ours(self, setting: str) -> Mapping[str, Mapping[str, Any]]:
        """Sections of the configuration that only ours has."""
        if self.workers == 1:
            return {}
        directory = self.directory / setting
        directory.mkdir(exist_ok=True)
        plan = plan_pair(directory, algorithm="ed25519", workers=self.workers)
        self.stack.enter_context(plan.run_signer())
        shared = {name: plan.server[name] for name in ("trust_service", "storage")}
        return {"server": {"workers": self.workers}, **shared}


@contextmanager
def pairs(directory: Path, workers: int = 1) -> Iterator[Pairs]:
    """Offer pairs of servers, with their files in a directory; the end of the block stops them."""
    with ExitStack() as stack:
        yield Pairs(directory, stack, workers)


@contextmanager
def serving(
    program: str, name: str, setting: str, directory: Path, **sections: Mapping[str, Any]
) -> Iterator[Origin]:
    """Run one server until the block ends, with more in some sections of its configuration.

    Raises:
        DaemonError: it does not start or stop in time; the message holds its log.
    """
    origin = Origin(name, "127.0.0.1", free_port())
    stem = directory / f"{name}-{setting}"
    config, log = stem.with_suffix(".json"), stem.with_suffix(".log")
    settings = {**_config(origin, setting), **token_settings(directory, setting)}
    for section, more in sections.items():
        settings[section] = {**settings[section], **more}
    config.write_text(json.dumps(settings))
    limit = ["prlimit", f"--as={MEMORY_LIMIT}"] if setting == EXPENDABLE else []
    command = [*limit, program, f"-config={config}", "-logf=json"]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        _wait_for(origin, process, log)
        yield origin
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise DaemonError(f"{program} ignored SIGTERM:\n{log.read_text()}") from None


def _config(origin: Origin, setting: str) -> dict[str, Any]:
    return {
        "server": {"http_addr": f"{origin.host}:{origin.port}"},
        "trust_service": {"type": "local"},
        "storage": {"backend": "memory"},
        "logging": {"level": "error"},
        **SETTINGS[setting],
    }


def _wait_for(origin: Origin, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not origin.listens():
        if process.poll() is not None or time.monotonic() > deadline:
            raise DaemonError(f"{process.args!r} does not serve:\n{log.read_text()}")
        time.sleep(POLL_SECONDS)
