"""The README's commands work as they stand, for somebody who types them in order."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.support.daemons import Server, answers, find_program, free_port, running
from tests.support.documents import REPOSITORY, in_shell, make_tree, shell_blocks
from tests.support.notary_client import NotaryClient

pytestmark = pytest.mark.integration

DOCUMENTED_ADDRESS = "localhost:4443"
SET_UP = ("apt-get ", "sudo ", "git ", "cd ", "make ")
"""How lines begin that prepare a machine: what runs the tests has done as much."""


def commands_of(text: str) -> str:
    """What a newcomer types in the second shell, while ``make run`` runs in the first."""
    lines = "\n".join(shell_blocks(text)).splitlines()
    return "\n".join(line for line in lines if not line.startswith(SET_UP))


def test_commands_are_found() -> None:
    text = "Start.\n\n.. code-block:: shell\n\n   make run\n   one \\\n     more\n\nEnd.\n"
    assert shell_blocks(text) == ["make run\none \\\n  more"]
    assert commands_of(text) == "one \\\n  more"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return make_tree(tmp_path)


@pytest.fixture
def make_run(tree: Path) -> Callable[[], AbstractContextManager[Server]]:
    """``make run`` in that tree, on ports of its own and in the environment of these tests."""
    # Whoever runs these tests in the background has Ctrl-C ignored, which children inherit.
    command = ["env", "--default-signal=INT", find_program("make", "make"), "run"]
    command += [f"VENV={sys.prefix}"]
    command += ["-o", f"{sys.prefix}/.installed"]
    port, signer_port = free_port(), free_port()
    environment = {
        "NOTARY_SERVER_SERVER_HTTP_ADDR": f"127.0.0.1:{port}",
        "NOTARY_SERVER_TRUST_SERVICE_PORT": str(signer_port),
        "NOTARY_SIGNER_SERVER_GRPC_ADDR": f"127.0.0.1:{signer_port}",
    }

    @contextmanager
    def run() -> Iterator[Server]:
        log = tree / "log"
        with running(
            command, log, lambda: answers(port), environment, how_to_stop=press_ctrl_c
        ) as pid:
            yield Server(port, log, pid)

    return run


def press_ctrl_c(process: subprocess.Popen[bytes]) -> None:
    """Do to everything that the process started what a terminal does."""
    os.killpg(process.pid, signal.SIGINT)


def test_first_publish_of_the_readme(
    tree: Path, make_run: Callable[[], AbstractContextManager[Server]]
) -> None:
    find_program("notary", "notary")
    text = (REPOSITORY / "README.rst").read_text()
    assert "make run" in "\n".join(shell_blocks(text)).splitlines()
    commands = commands_of(text)
    assert {"init", "add", "publish", "verify"} <= set(commands.split())
    assert "&&" not in commands, "bash -e would not notice a failure in front of it"
    with make_run() as server:
        done = in_shell(commands.replace(DOCUMENTED_ADDRESS, server.address), tree)
        assert done.returncode == 0, f"{done.stdout}\n{server.log.read_text()}"
    assert "Successfully published changes for repository" in done.stdout


def test_make_run_keeps_keys_and_collections(
    tree: Path, make_run: Callable[[], AbstractContextManager[Server]]
) -> None:
    """Until Ctrl-C, which ends both daemons, and over a second run."""
    gun = "example.com/kept"
    with make_run() as server:
        publisher = NotaryClient(server, tree / "trust")
        publisher.run("init", "-p", gun)
        publisher.run("key", "rotate", gun, "snapshot", "-r")
        publisher.run("add", "-p", gun, "v1", tree / "LICENSE")
        key_ids = publisher.cached(gun, "root")["roles"]["timestamp"]["keyids"]
    assert not answers(server.port)
    with make_run() as server:
        assert set(publisher.targets(gun)) == {"v1"}
        publisher.run("add", "-p", gun, "v2", tree / "LICENSE")
        assert set(publisher.targets(gun)) == {"v1", "v2"}
        assert publisher.cached(gun, "root")["roles"]["timestamp"]["keyids"] == key_ids
    assert {path.name for path in (tree / "var").glob("*.db")} == {
        "notary-server.db",
        "notary-signer.db",
    }
    assert (tree / "var" / "passphrase").stat().st_mode & 0o077 == 0
