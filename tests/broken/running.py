"""Running a set-up, with ``-check`` and without, and what comes of it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from tests.broken.world import World
from tests.support.daemons import (
    OUR_SERVER,
    OUR_SIGNER,
    PASSPHRASE_ENVIRONMENT,
    free_port,
)

_SECONDS = 60
_POLL_SECONDS = 0.05
_PROGRAMS = {"server": OUR_SERVER, "signer": OUR_SIGNER}
_CONCERNS = ("warning", "error", "fatal")


@attrs.define
class Plan:
    """A set-up while it is being broken.

    Attributes:
        world: what is around it.
        port: where the daemon is to listen.
        config: its configuration, or the text of its file.
        environ: variables that are set.
        file: the configuration file.
        has_database: whether there is a database of SQLite already, which else nobody makes.
    """

    world: World
    port: int
    config: Any
    environ: dict[str, str]
    file: Path
    has_database: bool = False

    def set(self, section: str, **values: object) -> None:
        """Change keys of a section; None removes one."""
        keys = {**self.config.get(section, {}), **values}
        self.config[section] = {name: value for name, value in keys.items() if value is not None}


@attrs.frozen
class Setup:
    """A way to break a set-up.

    Attributes:
        title: what is broken.
        daemon: ``server`` or ``signer``, whose set-up it is.
        todo: what an operator has to do.
        break_it: does it.
        logs: what a daemon that serves all the same is waited for to log; a regular expression.
    """

    title: str
    daemon: str
    todo: str
    break_it: Callable[[Plan], object]
    logs: str = ""


@attrs.frozen
class Outcome:
    """What was said of a set-up.

    Attributes:
        status: the exit status of ``-check``.
        findings: its lines, but for those that say ``ok``.
        serves: whether the daemon serves all the same.
        said: what it wrote to its log, or as its last words.
    """

    status: int
    findings: tuple[str, ...]
    serves: bool
    said: tuple[str, ...]


def plan(setup: Setup, world: World) -> Plan:
    """Make a set-up that is in order, then break it."""
    port = free_port()
    name = f"{setup.daemon}-{port}"
    make = world.server_config if setup.daemon == "server" else world.signer_config
    environ = dict(PASSPHRASE_ENVIRONMENT) if setup.daemon == "signer" else {}
    plan = Plan(world, port, make(port), environ, world.directory / f"{name}.json")
    setup.break_it(plan)
    text = plan.config if isinstance(plan.config, str) else json.dumps(plan.config, indent=2)
    if plan.config is not None:
        plan.file.write_text(text)
    return plan


def run(setup: Setup, plan: Plan) -> Outcome:
    """Run a set-up, with ``-check`` first."""
    command: list[str | Path] = [_PROGRAMS[setup.daemon], f"-config={plan.file}"]
    environ = {**os.environ, **plan.environ}
    checked = subprocess.run(
        [*command, "-check"], env=environ, capture_output=True, text=True, timeout=_SECONDS
    )
    assert not checked.stderr, checked.stderr
    assert not list(plan.file.parent.glob(f"{plan.file.stem}.db*")) or plan.has_database
    findings = [line for line in checked.stdout.splitlines() if not line.startswith("ok ")]
    log = plan.file.with_suffix(".log")
    serves = _serves(command, environ, log, plan.port, setup.logs)
    clean = _cleaner(plan, setup.daemon)
    lines = log.read_text().splitlines()
    return Outcome(
        checked.returncode,
        tuple(clean(line) for line in findings),
        serves,
        tuple(dict.fromkeys(clean(message) for message in map(_message, lines) if message)),
    )


def _serves(
    command: Sequence[str | Path], environ: Mapping[str, str], log: Path, port: int, logs: str
) -> bool:
    """Run a daemon until it ends, or listens and has logged what it is waited for to log."""
    with log.open("w") as output:
        process = subprocess.Popen(
            command, env=environ, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
    try:
        deadline = time.monotonic() + _SECONDS
        while process.poll() is None:
            assert time.monotonic() < deadline, log.read_text()
            if re.search(logs, log.read_text()) and _listens(process.pid, port):
                return True
            time.sleep(_POLL_SECONDS)
        return False
    finally:
        process.terminate()
        process.wait(_SECONDS)


def _listens(pid: int, port: int) -> bool:
    """Whether the process itself listens at that port, and not another one."""
    inodes = {
        fields[9]
        for kind in ("tcp", "tcp6")
        for fields in map(str.split, Path(f"/proc/net/{kind}").read_text().splitlines()[1:])
        if fields[3] == "0A" and fields[1].endswith(f":{port:04X}")
    }
    try:
        opened = {os.readlink(entry) for entry in Path(f"/proc/{pid}/fd").iterdir()}
    except OSError:
        return False
    return any(f"socket:[{inode}]" in opened for inode in inodes)


def _message(line: str) -> str:
    """What a line of the log says if it matters, or any other line."""
    if not line.startswith("{"):
        return line
    event = json.loads(line)
    return str(event["msg"]) if event["level"] in _CONCERNS else ""


def _cleaner(plan: Plan, daemon: str) -> Callable[[str], str]:
    """Return what replaces all that differs from run to run."""
    world = plan.world
    names = {
        plan.file.name: f"{daemon}.json",
        str(world.directory): "/etc/notary",
        f"{daemon}-{plan.port}": daemon,
        **{f":{port}": f":{_PORTS[name]}" for name, port in world.ports.items()},
        f":{plan.port}": ":4443" if daemon == "server" else ":7899",
    }

    def clean(text: str) -> str:
        for found, put in names.items():
            text = text.replace(found, put)
        text = re.sub(r"notary_\d+", "notary", text)
        text = re.sub(r"\d{4}-\d\d-\d\d( \d\d:\d\d UTC|T[\d:+]+)?", "DATE", text)
        text = re.sub(r"in -?\d+ days", "in N days", text)
        text = re.sub(r" \(_ssl\.c:\d+\)", "", text)
        return re.sub(r"\b[0-9a-f]{64}\b", "KEY-ID", text)

    return clean


_PORTS = {
    "signer": 7899,
    "expired-signer": 7899,
    "sick-signer": 7899,
    "go-signer": 7899,
    "nobody": 9999,
    "database": 3306,
}
