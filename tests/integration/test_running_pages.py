"""The commands of the pages about running a service work as they stand."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import attrs
import pytest

from tests.support.daemons import (
    FIXTURES,
    OUR_SERVER,
    OUR_SIGNER,
    answers,
    find_program,
    free_port,
    listens,
    running,
)
from tests.support.documents import REPOSITORY, in_shell, make_tree, shell_blocks
from tests.support.mariadb import MariaDB

pytestmark = pytest.mark.integration

DOCS = REPOSITORY / "docs"
WALKED = {"trying", "production"}
"""Pages that begin with nothing and start daemons."""
ABOUT_ONE_SUBJECT = {"checking", "databases", "debugging", "keys", "moving"}
"""Pages for whoever has done what the page about production says."""
ELSEWHERE = {"certificates", "containers", "systemd"}
"""Pages whose commands are for a whole machine: their own tests have one."""
SHELL = """
daemons=
trap 'kill $daemons 2>/dev/null || true; wait' EXIT
mariadb() { command mariadb --no-defaults --socket="$MARIADB_SOCKET" --user=root "$@"; }
serve() { # serve PORT COMMAND: what runs in the foreground of another shell
    local port=$1
    shift
    command "$@" >>"$DAEMON_LOG" 2>&1 &
    daemons+=" $!"
    timeout 60 bash -c "until (: </dev/tcp/localhost/$port) 2>/dev/null; do sleep 0.1; done"
}
run() { # run PORT COMMAND: a check may find something to warn of
    case "$*" in
    *" -check"*) shift; command "$@" || [ $? -eq 1 ] ;;
    *" -bootstrap"*) shift; command "$@" ;;
    *) serve "$@" ;;
    esac
}
notary-server() { run "$SERVER_PORT" notary-server "$@"; }
notary-signer() { run "$SIGNER_PORT" notary-signer "$@"; }
"""


@attrs.frozen
class Place:
    """Where the documentation's names and addresses are on this machine.

    Attributes:
        directory: holds what commands make.
        mariadb: the database server of the pages.
    """

    directory: Path
    mariadb: MariaDB
    server_port: int = attrs.field(factory=free_port)
    signer_port: int = attrs.field(factory=free_port)
    debug_port: int = attrs.field(factory=free_port)

    @classmethod
    def make(cls, directory: Path, mariadb: MariaDB) -> Place:
        """A place where ``/etc/notary`` holds certificates and nothing else."""
        place = cls(directory, mariadb)
        place.etc.mkdir()
        for path in FIXTURES.glob("*.*"):
            shutil.copy(path, place.etc)
        for path in place.etc.glob("*.key"):
            path.chmod(0o600)
        make_tree(directory)
        return place

    @property
    def etc(self) -> Path:
        return self.directory / "etc"

    @property
    def log(self) -> Path:
        return self.directory / "daemons.log"

    def here(self, commands: str) -> str:
        """The commands, as they have to be on this machine."""
        names: Mapping[str, str] = {
            "db.example.com:3306": f"127.0.0.1:{self.mariadb.port}",
            "signer.example.com": "localhost",
            "notary.example.com": "localhost",
            "/etc/notary": str(self.etc),
            "4443": str(self.server_port),
            "7899": str(self.signer_port),
            "8080": str(self.debug_port),
        }
        return re.sub("|".join(map(re.escape, names)), lambda match: names[match[0]], commands)

    @property
    def passphrase(self) -> Mapping[str, str]:
        """The variable that tells a signer its passphrase."""
        return {"NOTARY_SIGNER_TIMESTAMP_1_FILE": str(self.etc / "passphrase")}

    def type(self, page: str, environment: Mapping[str, str] | None = None) -> str:
        """Type all commands of a page, and return what they write."""
        commands = "\n".join(shell_blocks((DOCS / f"{page}.rst").read_text()))
        variables = {
            "DAEMON_LOG": str(self.log),
            "MARIADB_SOCKET": str(self.mariadb.socket),
            "SERVER_PORT": str(self.server_port),
            "SIGNER_PORT": str(self.signer_port),
            **(environment or {}),
        }
        done = in_shell(f"{SHELL}\n{self.here(commands)}", self.directory / "tree", variables)
        logged = self.log.read_text() if self.log.exists() else ""
        assert done.returncode == 0, f"{done.stdout}\n{logged}"
        return done.stdout

    @contextmanager
    def daemons(self) -> Iterator[None]:
        """Run both as they were set up, and with the debug server."""
        debug = {"NOTARY_SERVER_SERVER_DEBUG_ADDR": f"localhost:{self.debug_port}"}
        with ExitStack() as stack:
            for program, is_ready, environment in (
                (OUR_SIGNER, lambda: listens(self.signer_port), self.passphrase),
                (OUR_SERVER, lambda: answers(self.server_port), debug),
            ):
                name = program.name.removeprefix("notary-")
                command = [str(program), f"-config={self.etc / name}.json"]
                stack.enter_context(running(command, self.log, is_ready, environment))
            yield


def test_blocks_are_found() -> None:
    text = "Start.\n\n.. code-block:: shell\n\n   make run\n   one \\\n     more\n\nEnd.\n"
    assert shell_blocks(text) == ["make run\none \\\n  more"]
    text = "One\n    Say:\n\n    .. code-block:: shell\n\n       two\n\n    End.\n"
    assert shell_blocks(text) == ["two"]


def test_no_commands_are_left_out() -> None:
    pages = {page.stem for page in DOCS.glob("*.rst") if shell_blocks(page.read_text())}
    assert pages >= WALKED | ABOUT_ONE_SUBJECT
    assert pages <= WALKED | ABOUT_ONE_SUBJECT | ELSEWHERE


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory, mariadb: MariaDB) -> tuple[Place, str]:
    """What the page about production leads to, and what its commands wrote."""
    for program, package in (
        ("notary", "notary"),
        ("curl", "curl"),
        ("openssl", "openssl"),
        ("mariadb", "mariadb-client-core"),
    ):
        find_program(program, package)
    place = Place.make(tmp_path_factory.mktemp("production"), mariadb)
    return place, place.type("production")


def test_production(walked: tuple[Place, str]) -> None:
    place, said = walked
    assert "Successfully published changes for repository" in said
    assert {path.stat().st_mode & 0o077 for path in place.etc.glob("*.json")} == {0}
    for user in ("server", "signer"):
        _, (granted,) = place.mariadb.execute(f"SHOW GRANTS FOR {user}")
        assert granted.startswith(f"GRANT SELECT, INSERT, UPDATE, DELETE ON `notary{user}`.* TO")


def test_trying(tmp_path: Path, mariadb: MariaDB) -> None:
    find_program("notary", "notary")
    find_program("curl", "curl")
    said = Place.make(tmp_path, mariadb).type("trying")
    assert "Successfully published changes for repository" in said


@pytest.mark.parametrize("page", sorted(ABOUT_ONE_SUBJECT))
def test_page_about_one_subject(walked: tuple[Place, str], page: str) -> None:
    place, _ = walked
    kept = (place.etc / "passphrase").read_bytes()
    with place.daemons():
        place.type(page, place.passphrase)
    (place.etc / "passphrase").write_bytes(kept)
