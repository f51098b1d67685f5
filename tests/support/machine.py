"""A machine with systemd: this one's files, as they are, with changes that are forgotten."""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs
import pytest

from tests.support.daemons import FIXTURES, OUR_SERVER, find_program, running

PROJECT = FIXTURES.parent
SOURCES = (
    "conf",
    "docs",
    "fixtures",
    "notary",
    "twisted",
    "Makefile",
    "LICENSE",
    "setup.cfg",
    "pyproject.toml",
)
SYSTEM_PYTHON = "/usr/bin/python3"
SECONDS = 120

TARGET = """\
[Unit]
Requires=sysinit.target dbus.socket
After=sysinit.target dbus.socket
"""

INSTALL = """\
/usr/bin/python3 -m venv --without-pip --clear /opt/notary
for packages in /opt/notary/lib/python3*/site-packages; do
    printf '%s\\n' /srv/source /srv/packages >"$packages/test.pth"
done
for name in twistd notary-server notary-signer; do
    sed '1s|.*|#!/opt/notary/bin/python3|' "/srv/bin/$name" >"/opt/notary/bin/$name"
    chmod +x "/opt/notary/bin/$name"
done
touch /opt/notary/.installed # for make
"""
"""What makes /opt/notary of the packages that this process has."""


@attrs.frozen
class Machine:
    """One that runs.

    Attributes:
        nspawn: the process ID of what runs it.
    """

    nspawn: int

    def shell(self, commands: str) -> str:
        """Run commands as root, at the top of a copy of the repository; return what they write."""
        done = self._run(commands)
        assert done.returncode == 0, done.stdout
        return done.stdout

    def is_up(self) -> bool:
        return self._run("systemctl is-active --quiet test.target").returncode == 0

    def _run(self, commands: str) -> subprocess.CompletedProcess[str]:
        children = Path(f"/proc/{self.nspawn}/task/{self.nspawn}/children")
        systemd = (children.read_text().split() or ["0"])[0]
        enter = ["nsenter", f"--target={systemd}", "-m", "-u", "-i", "-n", "-p", "-C"]
        return subprocess.run(
            [*enter, "bash", "-euo", "pipefail", "-c", f"cd /srv/source\n{commands}"],
            env={
                "HOME": "/root",
                "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                "MAKEFLAGS": "VENV=/opt/notary",
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
        )


@contextmanager
def booted(directory: Path) -> Iterator[Machine]:
    """Boot a machine without a network; it is gone when the block ends.

    ``/opt/notary`` is there, with the packages of this process and a copy of this tree.
    """
    if os.geteuid() != 0:
        pytest.skip("only root can boot a machine")
    nspawn = find_program("systemd-nspawn", "systemd-container")
    _require_same_python()
    source = directory / "source"
    source.mkdir()
    for name in SOURCES:
        path = PROJECT / name
        if path.is_dir():
            shutil.copytree(path, source / name)
        else:
            shutil.copy(path, source)
    target = directory / "test.target"
    target.write_text(TARGET)
    binds = {
        target: "/etc/systemd/system/test.target",
        Path(sysconfig.get_path("platlib")): "/srv/packages",
        OUR_SERVER.parent: "/srv/bin",
    }
    root = directory / "root"
    root.mkdir()
    command: list[str | Path] = [
        *("unshare", "--mount", "sh", "-c", 'mount --bind / "$0" && exec "$@"', root),
        *(nspawn, "--quiet", f"--directory={root}", "--volatile=overlay", "--boot"),
        *("--private-network", "--resolv-conf=off", "--timezone=off", "--console=pipe"),
        *("--register=no", "--keep-unit", "--link-journal=no", f"--machine=notary-{os.getpid()}"),
        *(f"--bind-ro={here}:{there}" for here, there in binds.items()),
        *(f"--bind={source}:/srv/source", "systemd.unit=test.target"),
    ]
    with running(command, directory / "console.log", lambda: True) as pid:
        machine = Machine(pid)
        deadline = time.monotonic() + SECONDS
        while not machine.is_up():
            assert time.monotonic() < deadline, "it does not boot"
            time.sleep(0.5)
        machine.shell(INSTALL)
        yield machine


def _require_same_python() -> None:
    """Skip the test if the Python of the operating system cannot use the packages of this one."""
    ask = "import sysconfig; print(sysconfig.get_python_version())"
    done = subprocess.run([SYSTEM_PYTHON, "-c", ask], capture_output=True, text=True)
    if done.stdout.strip() != sysconfig.get_python_version():
        pytest.skip(f"{SYSTEM_PYTHON} is not of the version {sysconfig.get_python_version()}")
