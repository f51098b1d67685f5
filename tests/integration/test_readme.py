"""The README's commands work as they stand, for somebody who types them in order."""

from __future__ import annotations

import os
import re
import subprocess
import textwrap
from pathlib import Path

import pytest

from tests.support import docker_client, notary_client
from tests.support.daemons import OUR_SERVER, find_program, free_port, serving

pytestmark = pytest.mark.integration

REPOSITORY = Path(__file__).parent.parent.parent
DOCUMENTED_ADDRESS = "localhost:4443"
SET_UP = ("apt-get ", "sudo ", "git ", "cd ", "make ")
"""How lines begin that prepare a machine: what runs the tests has done as much."""
SECONDS = 120


def shell_blocks(text: str) -> list[str]:
    """The contents of all ``.. code-block:: shell``, without their indentation."""
    found = re.findall(r"(?m)^\.\. code-block:: shell\n\n((?:[ \t]+.*\n|\n)+)", text)
    return [textwrap.dedent(block).strip() for block in found]


def commands_of(text: str) -> str:
    """What a newcomer types in the second shell, while ``make run`` runs in the first."""
    lines = "\n".join(shell_blocks(text)).splitlines()
    return "\n".join(line for line in lines if not line.startswith(SET_UP))


def test_commands_are_found() -> None:
    text = "Start.\n\n.. code-block:: shell\n\n   make run\n   one \\\n     more\n\nEnd.\n"
    assert shell_blocks(text) == ["make run\none \\\n  more"]
    assert commands_of(text) == "one \\\n  more"


def test_first_publish_of_the_readme(tmp_path: Path) -> None:
    find_program("notary", "notary")
    text = (REPOSITORY / "README.rst").read_text()
    assert "make run" in "\n".join(shell_blocks(text)).splitlines()
    commands = commands_of(text)
    assert {"init", "add", "publish", "verify"} <= set(commands.split())
    assert "&&" not in commands, "bash -e would not notice a failure in front of it"
    # A tree like the repository, in which the commands may leave what they make.
    tree = tmp_path / "tree"
    tree.mkdir()
    for path in REPOSITORY.iterdir():
        if not path.name.startswith("."):
            (tree / path.name).symlink_to(path)
    home = tmp_path / "home"
    home.mkdir()

    port = free_port()
    with serving(
        [OUR_SERVER, f"-config={REPOSITORY / 'conf' / 'server-local.json'}", "-logf=logfmt"],
        port,
        tmp_path,
        {
            "NOTARY_SERVER_SERVER_HTTP_ADDR": f"127.0.0.1:{port}",
            "NOTARY_SERVER_STORAGE_DB_URL": str(tmp_path / "server.db"),
        },
    ) as server:
        commands = commands.replace(DOCUMENTED_ADDRESS, server.address)
        done = subprocess.run(
            ["bash", "-c", f"shopt -s expand_aliases\nset -eux -o pipefail\n{commands}\n"],
            cwd=tree,
            env={
                "PATH": os.environ.get("PATH", os.defpath),
                "HOME": str(home),
                **notary_client.PASSPHRASES,
                **docker_client.PASSPHRASES,
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
        )
        assert done.returncode == 0, f"{done.stdout}\n{server.log.read_text()}"
    assert "Successfully published changes for repository" in done.stdout
