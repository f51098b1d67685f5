"""The services of compose files, and what may happen to them."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from http.client import HTTPException
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[2]
ROOT_CA = PROJECT / "fixtures" / "root-ca.crt"
URL = "https://localhost:4443"
PROJECT_NAME = "notary-tests"

UP_SECONDS = 180
_POLL_SECONDS = 0.2


def call(*command: str, timeout: float = 300.0) -> subprocess.CompletedProcess[str]:
    """Run a command in the project, whatever comes of it."""
    return subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=timeout)


def run(*command: str, timeout: float = 300.0) -> str:
    """Run a command in the project and return what it prints.

    Raises:
        AssertionError: it failed; the message holds what it printed.
    """
    done = call(*command, timeout=timeout)
    assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def in_image(image: str, script: str, *options: str) -> str:
    """Run a shell script in a container of an image."""
    return run(
        "docker", "run", "--rm", "--network=none", *options, "--entrypoint=sh", image, "-c", script
    )


class Stack:
    """The services of the sample with some overrides.

    Args:
        overrides: names of them, as in ``docker-compose.NAME.yml``.
    """

    def __init__(self, *overrides: str) -> None:
        files = ("docker-compose.yml", *(f"docker-compose.{name}.yml" for name in overrides))
        # Not the name in the file: whoever serves something on this machine shall keep it.
        self._options = [f"--project-name={PROJECT_NAME}", *(f"--file={file}" for file in files)]

    def compose(self, *arguments: str) -> str:
        """Run ``docker compose`` and return what it prints."""
        return run("docker", "compose", *self._options, *arguments)

    def up(self, *options: str) -> float:
        """Start everything, wait until it is healthy, and return how many seconds that took."""
        self.compose("config", "--quiet")
        began = time.monotonic()
        try:
            self.compose("up", "--wait", f"--wait-timeout={UP_SECONDS}", *options)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.logs()}") from None
        return time.monotonic() - began

    def down(self, *arguments: str) -> None:
        """Stop and remove the containers; with ``--volumes`` what they keep, too."""
        self.compose("down", *arguments)

    def logs(self, *services: str) -> str:
        return self.compose("logs", "--no-color", "--tail=40", *services)

    def containers(self, service: str) -> list[dict[str, Any]]:
        """What the engine tells about the containers of a service."""
        ids = self.compose("ps", "--all", "--quiet", service).split()
        found: list[dict[str, Any]] = json.loads(run("docker", "inspect", *ids))
        return sorted(found, key=lambda container: str(container["Name"]))

    def crash(self, container: Mapping[str, Any]) -> None:
        """Kill the first process of a container behind the engine's back."""
        pid = container["State"]["Pid"]
        run(
            *("docker", "run", "--rm", "--network=none", "--pid=host", "--user=0"),
            *("--entrypoint=sh", container["Config"]["Image"], "-c", f"kill -KILL {pid}"),
        )

    def database(self, user: str, statement: str) -> subprocess.CompletedProcess[str]:
        """Have a user of the database run a statement of SQL, over the network."""
        secret = PROJECT / "docker" / "secrets" / f"{user}-db-password"
        return call(
            *("docker", "compose", *self._options, "exec", "--no-TTY"),
            *(f"--env=MYSQL_PWD={secret.read_text().strip()}", "database"),
            *("mariadb", "--protocol=tcp", "--host=database", f"--user={user}"),
            f"--execute={statement}",
        )

    def check(self, daemon: str) -> subprocess.CompletedProcess[str]:
        """Have a daemon look at its set-up."""
        return call(
            *("docker", "compose", *self._options, "run", "--rm", "--no-TTY", daemon),
            *(f"-config=/etc/docker/notary-{daemon}/config.json", "-check"),
        )


def get(path: str) -> tuple[int, dict[str, str], bytes]:
    """Ask through the published port; status, headers and body. Status 0 if nobody answers."""
    context = ssl.create_default_context(cafile=ROOT_CA)
    try:
        with urllib.request.urlopen(f"{URL}{path}", timeout=10, context=context) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read()
    except (OSError, HTTPException) as error:
        return 0, {}, str(error).encode()


def wait_until(what: str, reached: Callable[[], bool], seconds: float = 60.0) -> float:
    """Wait for something and return how many seconds it took.

    Raises:
        AssertionError: it took too long.
    """
    began = time.monotonic()
    while not reached():
        assert time.monotonic() - began < seconds, f"not within {seconds:g} seconds: {what}"
        time.sleep(_POLL_SECONDS)
    return time.monotonic() - began


def report(text: str) -> None:
    """Print a figure that is worth knowing."""
    print(f"    {text}", flush=True)


def environment(home: Path) -> dict[str, str]:
    """What a client finds in its environment."""
    roles = ("ROOT", "TARGETS", "SNAPSHOT", "DELEGATION")
    passphrases = {f"NOTARY_{role}_PASSPHRASE": f"of {role}, a sample" for role in roles}
    return {"PATH": os.environ["PATH"], "HOME": str(home), **passphrases}
