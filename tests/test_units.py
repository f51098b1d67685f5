"""The units for systemd and what belongs to them, as systemd's own programs see them."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from notary.config import load_server_config, load_signer_config
from tests.config.conftest import PEM_FILES
from tests.support.daemons import (
    OUR_SERVER,
    PASSPHRASE_ENVIRONMENT,
    find_program,
    free_port,
    listens,
    running,
    server_config,
    signer_config,
    write_config,
)

CONF = Path(__file__).parent.parent / "conf"
UNITS = CONF / "systemd"
INSTALLED_IN = "/opt/notary/bin/"
DAEMONS = ("server", "signer")
SERVICES = [f"notary-{daemon}{instance}.service" for daemon in DAEMONS for instance in ("", "@")]
MAX_EXPOSURE = 2.0
SECONDS = 60


def say(program: str, *arguments: str | Path) -> str:
    """What a program of systemd writes, to standard error too."""
    done = subprocess.run(
        [find_program(program, "systemd"), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The units for an installation in this environment, which is there."""
    for path in UNITS.glob("*.s*"):
        text = path.read_text().replace(INSTALLED_IN, f"{OUR_SERVER.parent}/")
        (tmp_path / path.name).write_text(text)
    return tmp_path


def setting(unit: str, name: str) -> str:
    """The value of a line of a unit that is there once."""
    (value,) = re.findall(rf"(?m)^{name}=(.*)$", (UNITS / unit).read_text())
    return str(value)


def test_nothing_is_wrong_with_the_units(units: Path) -> None:
    files = sorted(path for path in units.iterdir() if path.is_file())
    assert [path.name for path in files] == sorted([*SERVICES, "notary-server.socket"])
    assert say("systemd-analyze", "verify", "--man=no", *files) == ""


def test_credentials_are_a_part_of_a_unit(units: Path) -> None:
    directory = units / "notary-signer.service.d"
    directory.mkdir()
    shutil.copy(UNITS / "credentials.conf", directory)
    unit = units / "notary-signer.service"
    assert say("systemd-analyze", "verify", "--man=no", unit) == ""
    assert "FILE=%d/" in (directory / "credentials.conf").read_text()


@pytest.mark.parametrize("name", SERVICES)
def test_little_is_exposed(name: str) -> None:
    said = say("systemd-analyze", "security", "--offline=true", UNITS / name)
    (exposure,) = re.findall(r"Overall exposure level for \S+: ([0-9.]+)", said)
    assert float(exposure) <= MAX_EXPOSURE, said


@pytest.mark.parametrize("daemon", DAEMONS)
def test_an_instance_has_everything_for_itself(daemon: str) -> None:
    text = (UNITS / f"notary-{daemon}.service").read_text()
    for of_one, of_an_instance in (
        (f"Notary {daemon}:", f"Notary {daemon} %i:"),
        ("notary-signer.service", "notary-signer@%i.service"),
        ("/etc/notary/", "/etc/notary/%i/"),
        (f"/var/lib/notary-{daemon}", f"/var/lib/notary-{daemon}/%i"),
        (f"StateDirectory=notary-{daemon}", f"StateDirectory=notary-{daemon}/%i"),
    ):
        text = text.replace(of_one, of_an_instance)
    assert (UNITS / f"notary-{daemon}@.service").read_text() == text


def test_both_daemons_are_kept_alike() -> None:
    def sandbox(unit: str) -> str:
        text = (UNITS / unit).read_text()
        return text[text.index("SyslogIdentifier") :]

    server = sandbox("notary-server.service")
    assert sandbox("notary-signer.service") == server.replace("server", "signer")
    assert setting("notary-server.service", "User") != setting("notary-signer.service", "User")


@pytest.mark.integration
@pytest.mark.parametrize("daemon", DAEMONS)
def test_command_of_the_unit(tmp_path: Path, daemon: str) -> None:
    port = free_port()
    make = server_config if daemon == "server" else signer_config
    config = write_config(tmp_path, make(port, {"backend": "memory"}))
    command = setting(f"notary-{daemon}.service", "ExecStart").replace(
        INSTALLED_IN, f"{OUR_SERVER.parent}/"
    )
    words = shlex.split(command.replace(f"/etc/notary/{daemon}.json", str(config)))
    log = tmp_path / "log"
    with running(words, log, lambda: listens(port), PASSPHRASE_ENVIRONMENT):
        pass
    assert "Traceback" not in log.read_text()
    assert not (tmp_path / "twistd.pid").exists()


def variables(path: Path) -> dict[str, str]:
    """What an environment file sets, or would set without the comment sign, as a shell reads it."""
    lines = re.findall(r"(?m)^#?(NOTARY_[A-Z0-9_]+=.*)$", path.read_text())
    return dict(shlex.split(line)[0].split("=", 1) for line in lines)


@pytest.mark.parametrize("daemon", DAEMONS)
def test_environment_files_say_what_daemons_understand(tmp_path: Path, daemon: str) -> None:
    for name in PEM_FILES:
        (tmp_path / name).touch()
    sample = (CONF / f"{daemon}-mysql.json").read_text().replace("../fixtures/", "")
    config = tmp_path / f"{daemon}.json"
    config.write_text(sample)
    environment = variables(UNITS / f"{daemon}.env")
    load = load_server_config if daemon == "server" else load_signer_config
    loaded = load(config, environment)
    assert loaded.warnings == ()
    url = environment[f"NOTARY_{daemon.upper()}_STORAGE_DB_URL"]
    assert loaded.storage.db_url == url
    assert "PASSWORD" in url


def test_socket_has_the_name_that_the_environment_file_says() -> None:
    address = variables(UNITS / "server.env")["NOTARY_SERVER_SERVER_HTTP_ADDR"]
    name = setting("notary-server.socket", "FileDescriptorName")
    assert address == f"systemd:domain=INET6:name={name}"


def test_users_and_files(tmp_path: Path) -> None:
    """Each daemon can read its own key, and nobody but root a file of passphrases."""
    if os.geteuid() != 0:
        pytest.skip("only root can give files to others")
    etc = tmp_path / "etc"
    for directory in (etc / "notary", etc / "notary" / "eu"):
        directory.mkdir(parents=True)
        for daemon in DAEMONS:
            for name in (f"{daemon}.env", f"{daemon}.json", f"notary-{daemon}.key"):
                (directory / name).touch(0o666)
    for name in ("passwd", "group"):
        (etc / name).touch()
    say("systemd-sysusers", f"--root={tmp_path}", UNITS / "sysusers.d" / "notary.conf")
    lines = (etc / "passwd").read_text().splitlines()
    users = {name: int(group) for name, _, _, group, *_ in (line.split(":") for line in lines)}
    assert {*users} == {setting(service, "User") for service in SERVICES}
    say("systemd-tmpfiles", "--create", f"--root={tmp_path}", UNITS / "tmpfiles.d" / "notary.conf")
    for directory in (etc / "notary", etc / "notary" / "eu"):
        for path in directory.glob("*.*"):
            status = path.stat()
            assert status.st_uid == 0
            if path.suffix == ".env":
                assert (status.st_mode & 0o777, status.st_gid) == (0o600, 0), path
            else:
                group = users[f"notary-{'server' if 'server' in path.name else 'signer'}"]
                assert (status.st_mode & 0o777, status.st_gid) == (0o640, group), path
