"""The wheel: all that an installed server needs, and nothing else."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

PROJECT = Path(__file__).parent.parent
PARTS = ("notary", "twisted", "setup.cfg", "pyproject.toml", "README.rst", "LICENSE")
BUILD_SECONDS = 120


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel of a copy of this tree, so that building leaves nothing behind in it."""
    source = tmp_path_factory.mktemp("source")
    leftovers = shutil.ignore_patterns("__pycache__", "dropin.cache")
    for name in (*PARTS, "tests"):
        path = PROJECT / name
        if path.is_dir():
            shutil.copytree(path, source / name, ignore=leftovers)
        else:
            shutil.copy(path, source)
    target = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", f"--wheel-dir={target}"]
    if importlib.util.find_spec("setuptools.command.bdist_wheel"):
        command.append("--no-build-isolation")
    done = subprocess.run(
        [*command, source],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=BUILD_SECONDS,
    )
    assert done.returncode == 0, done.stdout
    (path,) = target.glob("txnotary-*.whl")
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
    assert plugins == [
        "twisted/plugins/notary_server_plugin.py",
        "twisted/plugins/notary_signer_plugin.py",
    ]


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
