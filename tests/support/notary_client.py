"""The real ``notary`` command, one trust directory at a time."""

from __future__ import annotations

import json
import os
import subprocess
from collections import defaultdict
from pathlib import Path
from typing import Any

import attrs

from tests.support.daemons import ROOT_CA, Server, find_program

CALL_SECONDS = 60
PASSPHRASES = {
    f"NOTARY_{role}_PASSPHRASE": f"a passphrase for {role.lower()}"
    for role in ("ROOT", "TARGETS", "SNAPSHOT", "DELEGATION")
}


class ClientError(Exception):
    """A client ended with an error; the message holds its output and the server's log."""


def run_client(
    command: list[str],
    server: Server,
    environment: dict[str, str],
    *,
    answer: str = "",
) -> str:
    """Run a client in an environment of its own.

    Args:
        answer: what is typed at its prompts.

    Returns:
        What it wrote to its standard output.

    Raises:
        ClientError: its exit status is not 0.
    """
    log_size = server.log.stat().st_size
    done = subprocess.run(
        command,
        env={"PATH": os.environ.get("PATH", os.defpath), **environment},
        input=answer,
        capture_output=True,
        text=True,
        timeout=CALL_SECONDS,
    )
    if done.returncode:
        with server.log.open("rb") as log:
            log.seek(log_size)
            server_log = log.read().decode(errors="replace")
        raise ClientError(
            f"{command} exited with {done.returncode}:\n{done.stdout}{done.stderr}\n"
            f"The server's log meanwhile:\n{server_log}"
        )
    return done.stdout


@attrs.frozen
class Target:
    """A line of ``notary list``."""

    sha256: str
    length: int
    role: str


@attrs.frozen
class NotaryClient:
    """The command of one person.

    Attributes:
        server: whom it talks to.
        directory: its trust directory: keys, staged changes, cached metadata.
        authority: whose certificates it trusts, None for those of the operating system.
    """

    server: Server
    directory: Path
    authority: Path | None = ROOT_CA
    program: str = attrs.field(factory=lambda: find_program("notary", "notary"))

    def command(self, *arguments: str | Path) -> list[str]:
        options: list[str | Path] = ["-s", self.server.url, "-d", self.directory]
        if self.authority is not None:
            options += ["--tlscacert", self.authority]
        return [self.program, *map(str, options), *map(str, arguments)]

    @property
    def environment(self) -> dict[str, str]:
        return {"HOME": str(self.directory), **PASSPHRASES}

    def run(self, *arguments: str | Path, answer: str = "") -> str:
        """Run a subcommand; `answer` is typed at its prompts.

        Raises:
            ClientError: it failed.
        """
        return run_client(self.command(*arguments), self.server, self.environment, answer=answer)

    def targets(self, gun: str) -> dict[str, Target]:
        """What ``notary list`` shows, by name."""
        return {
            name: Target(sha256, int(length), role)
            for name, sha256, length, role in _rows(self.run("list", gun))
        }

    def delegations(self, gun: str) -> dict[str, tuple[str, str]]:
        """What ``notary delegation list`` shows: paths and key IDs by role."""
        rows = _rows(self.run("delegation", "list", gun))
        return {role: (paths, key_ids) for role, paths, key_ids, _threshold in rows}

    def keys(self) -> dict[str, set[str]]:
        """The IDs of the private keys in the trust directory, by role."""
        keys = defaultdict(set)
        for path in self.directory.glob("private/*.key"):
            headers = dict(
                line.split(": ", 1) for line in path.read_text().splitlines() if ": " in line
            )
            keys[headers["role"]].add(path.stem)
        return dict(keys)

    def cached(self, gun: str, role: str) -> dict[str, Any]:
        """The signed part of a metadata file as this client last accepted it."""
        path = self.directory / "tuf" / gun / "metadata" / f"{role}.json"
        signed: dict[str, Any] = json.loads(path.read_bytes())["signed"]
        return signed


def _rows(output: str) -> list[list[str]]:
    """The cells of a table, whose columns are at least three spaces apart."""
    _, rule, body = output.partition("----")
    lines = (rule + body).splitlines()[1:]
    return [[cell.strip() for cell in line.split("   ") if cell.strip()] for line in lines if line]
