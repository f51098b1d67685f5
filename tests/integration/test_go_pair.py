"""The Go daemons and ours, one pair after the other, over the same two databases."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.daemons import (
    OUR_SERVER,
    OUR_SIGNER,
    REFERENCE_SERVER,
    REFERENCE_SIGNER,
    Server,
    find_program,
)
from tests.support.mariadb import MariaDB
from tests.support.notary_client import NotaryClient
from tests.support.pairs import plan_pair

pytestmark = pytest.mark.integration


def use(publisher: NotaryClient, reader: NotaryClient, gun: str, tag: str) -> None:
    """Publish with keys that are there, and with one that is made and signs its first file."""
    artefact = publisher.directory.parent / "artefact"
    artefact.write_text(tag)
    publisher.run("add", "-p", gun, f"{tag}-old-keys", artefact)
    publisher.run("key", "rotate", gun, "timestamp", "-r")
    publisher.run("key", "rotate", gun, "snapshot", "-r")
    publisher.run("add", "-p", gun, f"{tag}-new-keys", artefact)
    assert {f"{tag}-old-keys", f"{tag}-new-keys"} <= set(reader.targets(gun))


@pytest.mark.parametrize(
    ("algorithm", "rounds"),
    [
        pytest.param("ecdsa", ["go", "ours", "go"], id="move here and back"),
        pytest.param("ed25519", ["ours", "go", "ours"], id="move away and back"),
    ],
)
def test_each_signs_with_the_keys_of_the_other(
    mariadb: MariaDB, tmp_path: Path, algorithm: str, rounds: list[str]
) -> None:
    plan = plan_pair(tmp_path, algorithm=algorithm, databases=mariadb)
    programs: dict[str, tuple[str | Path, str | Path]] = {
        "go": (find_program(REFERENCE_SERVER, "notary"), find_program(REFERENCE_SIGNER, "notary")),
        "ours": (OUR_SERVER, OUR_SIGNER),
    }
    server = Server(plan.server_port, plan.directory / "server.log", pid=0)
    publisher = NotaryClient(server, plan.directory / "publisher")
    reader = NotaryClient(server, plan.directory / "reader")
    guns = []
    for number, makers in enumerate(rounds):
        with plan.run(*programs[makers]):
            guns.append(f"registry.example.com/{makers}-{number}")
            publisher.run("init", "-p", guns[-1])
            for gun in guns:
                use(publisher, reader, gun, f"{makers}-{number}")
