"""The real client, with what a person does with it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.containers.stack import PROJECT, ROOT_CA, URL, environment


class Client:
    """A person with a directory of keys.

    Args:
        directory: where the keys and the client's cache are.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def run(self, *arguments: str | Path) -> str:
        """Run a subcommand and return what it prints.

        Raises:
            AssertionError: it failed; the message holds what it printed.
        """
        done = self.call(*arguments)
        assert done.returncode == 0, f"notary {arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def call(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a subcommand, whatever comes of it."""
        options = ("-s", URL, "--tlscacert", ROOT_CA, "-d", self.directory)
        return subprocess.run(
            ["notary", *map(str, (*options, *arguments))],
            cwd=PROJECT,
            env=environment(self.directory),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def init(self, gun: str) -> None:
        """Make a collection whose snapshots and timestamps the signer signs."""
        self.run("init", "-p", gun)
        self.run("key", "rotate", gun, "snapshot", "-r")

    def publish(self, gun: str, name: str, file: str = "README.rst") -> None:
        self.run("add", "-p", gun, name, PROJECT / file)

    def targets(self, gun: str) -> set[str]:
        lines = self.run("list", gun).partition("----")[2].splitlines()[1:]
        return {line.split()[0] for line in lines if line.strip()}

    def timestamp_keys(self, gun: str) -> str:
        """The lines about the key of timestamps in the root that this client has last seen."""
        root = self.directory / "tuf" / gun / "metadata" / "root.json"
        text = root.read_text()
        return text[text.index('"timestamp"') :].partition("]")[0]
