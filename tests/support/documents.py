"""Does what the documentation says: types its commands into a shell."""

from __future__ import annotations

import os
import re
import subprocess
import textwrap
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.support import docker_client, notary_client
from tests.support.daemons import OUR_SERVER

REPOSITORY = Path(__file__).parent.parent.parent
DESCRIPTION = REPOSITORY / "docs" / "openapi.yaml"
SECONDS = 300
LEFT_BEHIND = ("build", "var", "alice.crt", "alice.key", "verified.rst", "memory.json")
"""What using the repository leaves in it."""

_BLOCK = re.compile(r"(?m)^( *)\.\. code-block:: shell\n\n((?:\1[ \t]+.*\n|\n)+)")


def shell_blocks(text: str) -> list[str]:
    """The contents of all ``.. code-block:: shell``, without their indentation."""
    return [textwrap.dedent(match[2]).strip() for match in _BLOCK.finditer(text)]


def make_tree(directory: Path) -> Path:
    """A tree like the repository, in which commands may leave what they make."""
    tree = directory / "tree"
    tree.mkdir()
    for path in REPOSITORY.iterdir():
        if not path.name.startswith(".") and path.name not in LEFT_BEHIND:
            (tree / path.name).symlink_to(path)
    (directory / "home").mkdir()
    return tree


def in_shell(
    commands: str, tree: Path, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Type commands into a shell, until one of them fails, and return what they write.

    Args:
        commands: those of the documentation.
        tree: the working directory, as `make_tree` makes it.
        environment: variables besides the clients' passphrases.
    """
    path = f"{OUR_SERVER.parent}:{os.environ.get('PATH', os.defpath)}"
    return subprocess.run(
        ["bash", "-c", f"shopt -s expand_aliases\nset -eux -o pipefail\n{commands}\n"],
        cwd=tree,
        env={
            "PATH": path,
            "HOME": str(tree.parent / "home"),
            **notary_client.PASSPHRASES,
            **docker_client.PASSPHRASES,
            **(environment or {}),
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
    )


@cache
def description() -> Mapping[str, Any]:
    """The description of the HTTP API."""
    loaded: Mapping[str, Any] = yaml.safe_load(DESCRIPTION.read_text())
    return loaded
