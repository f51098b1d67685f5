"""What is distributed: all that a service needs, so that it works where nothing else is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.daemons import (
    START_SECONDS,
    answers,
    free_port,
    running,
    server_config,
    write_config,
)

PROJECT = Path(__file__).parent.parent
PARTS = (
    *("notary", "twisted", "tests", "benchmarks", "conf", "docker", "docs", "fixtures", "changes"),
    *("docker-compose.yml", "docker-compose.postgres.yml", "docker-compose.two.yml"),
    *("setup.cfg", "pyproject.toml", "MANIFEST.in", "Makefile", ".dockerignore"),
    *("README.rst", "CHANGELOG.rst", "LICENSE"),
)
PLUGINS = {
    "twisted/plugins/notary_server_plugin.py",
    "twisted/plugins/notary_signer_plugin.py",
}
BUILD_SECONDS = 120
INSTALL_SECONDS = 600


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An sdist of a copy of this tree, so that building leaves nothing in it, and its wheel."""
    source = tmp_path_factory.mktemp("source")
    leftovers = shutil.ignore_patterns("__pycache__", "dropin.cache")
    for name in PARTS:
        path = PROJECT / name
        if path.is_dir():
            shutil.copytree(path, source / name, ignore=leftovers)
        else:
            shutil.copy(path, source)
    target = tmp_path_factory.mktemp("distributions")
    command = [sys.executable, "-m", "build", "--no-isolation", f"--outdir={target}", str(source)]
    done = run(command, target, BUILD_SECONDS)
    assert done.returncode == 0, done.stdout
    return target


@pytest.fixture(scope="module")
def wheel(distributions: Path) -> zipfile.ZipFile:
    (path,) = distributions.glob("txnotary-*-py3-none-any.whl")
    return zipfile.ZipFile(path)


@pytest.fixture(scope="module")
def names(wheel: zipfile.ZipFile) -> Sequence[str]:
    return wheel.namelist()


def test_holds_every_module(names: Sequence[str]) -> None:
    modules = {str(path.relative_to(PROJECT)) for path in (PROJECT / "notary").rglob("*.py")}
    assert modules
    assert modules <= set(names)


def test_holds_the_migrations(names: Sequence[str]) -> None:
    migrations = [name for name in names if name.startswith("notary/storage/migrations/")]
    assert "notary/storage/migrations/env.py" in migrations
    for daemon in ("server", "signer"):
        assert any(
            name.startswith(f"notary/storage/migrations/{daemon}/v0001") for name in migrations
        )


def test_says_that_it_is_typed(names: Sequence[str]) -> None:
    assert "notary/py.typed" in names


def test_makes_the_command_known_to_twistd(names: Sequence[str]) -> None:
    """Without becoming a package `twisted` that hides the real one."""
    plugins = [name for name in names if name.startswith("twisted/")]
    assert set(plugins) == PLUGINS


def test_holds_the_licence(names: Sequence[str]) -> None:
    assert any(name.endswith("/LICENSE") for name in names)


def test_holds_nothing_else(names: Sequence[str]) -> None:
    roots = {name.split("/")[0] for name in names}
    (information,) = roots - {"notary", "twisted"}
    assert information.startswith("txnotary-")
    assert information.endswith(".dist-info")
    assert not [name for name in names if "test" in name.lower()]


def test_installs_the_commands(wheel: zipfile.ZipFile, names: Sequence[str]) -> None:
    (path,) = (name for name in names if name.endswith("/entry_points.txt"))
    for daemon in ("server", "signer"):
        assert f"notary-{daemon} = notary.{daemon}.main:main" in wheel.read(path).decode()
    assert "notary-health = notary.probe:main" in wheel.read(path).decode()


def test_sources_are_whole(distributions: Path) -> None:
    """The tests are there too, and what they need."""
    (path,) = distributions.glob("txnotary-*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    expected = {
        str(path.relative_to(PROJECT))
        for part in PARTS
        for path in [PROJECT / part, *(PROJECT / part).rglob("*")]
        if path.is_file() and not {"__pycache__", "dropin.cache"} & set(path.parts)
    }
    assert expected >= PLUGINS
    assert expected <= names
    assert not [name for name in names if name.endswith((".pyc", ".cache"))]


@pytest.mark.integration
def test_works_in_an_empty_environment(
    distributions: Path, wheel: zipfile.ZipFile, tmp_path: Path
) -> None:
    """Without a compiler, and with nothing there that the package does not ask for."""
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=True)
    python = environment / "bin" / "python"
    install = ("-m", "pip", "install", "--only-binary=:all:", str(wheel.filename))
    done = run([python, *install], tmp_path, INSTALL_SECONDS)
    if done.returncode != 0:
        message = f"pip cannot install the wheel: {done.stdout}"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)

    twistd = environment / "bin" / "twistd"
    listed = run([twistd, "--help"], tmp_path).stdout
    assert {"notary-server", "notary-signer"} <= set(listed.split())
    config = write_config(tmp_path, server_config(port := free_port(), {"backend": "memory"}))
    command: list[str | Path] = [twistd]
    command += ["--nodaemon", "--pidfile=", "notary-server", f"--config={config}"]
    log = tmp_path / "server.log"
    with running(command, log, lambda: answers(port)):
        assert answers(port)
    assert "Traceback" not in log.read_text()


def run(
    command: Sequence[str | Path], directory: Path, seconds: float = START_SECONDS
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds,
    )
