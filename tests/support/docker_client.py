"""The real ``docker trust`` command, which needs no Docker engine for what is tested here."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import attrs

from tests.support.daemons import ROOT_CA, Server, find_program
from tests.support.notary_client import run_client

PASSPHRASES = {
    "DOCKER_CONTENT_TRUST_ROOT_PASSPHRASE": "a passphrase for root",
    "DOCKER_CONTENT_TRUST_REPOSITORY_PASSPHRASE": "a passphrase for the rest",
}


@attrs.frozen
class DockerClient:
    """The command of one person, whose Docker configuration trusts the sample authority.

    Attributes:
        server: whom it talks to.
        directory: its configuration directory.
    """

    server: Server
    directory: Path
    program: str = attrs.field(
        factory=lambda: find_program("docker", "docker-cli, or docker.io on Debian 12")
    )

    def __attrs_post_init__(self) -> None:
        certificates = self.directory / "tls" / self.server.address
        certificates.mkdir(parents=True)
        shutil.copy(ROOT_CA, certificates / "ca.crt")

    @property
    def trust_directory(self) -> Path:
        """Laid out as that of the ``notary`` command."""
        return self.directory / "trust"

    def trust(self, *arguments: str | Path, answer: str = "") -> str:
        """Run a subcommand of ``docker trust``; `answer` is typed at its prompts.

        Raises:
            ClientError: it failed.
        """
        return run_client(
            [self.program, "trust", *map(str, arguments)],
            self.server,
            {
                "HOME": str(self.directory),
                "DOCKER_CONFIG": str(self.directory),
                "DOCKER_CONTENT_TRUST_SERVER": self.server.url,
                **PASSPHRASES,
            },
            answer=answer,
        )

    def inspect(self, image: str) -> dict[str, Any]:
        """What ``docker trust inspect`` says about one image."""
        (found,) = json.loads(self.trust("inspect", image))
        assert isinstance(found, dict)
        return found
