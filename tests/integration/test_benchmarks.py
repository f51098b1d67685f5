"""The comparison with the Go daemons and the profiles work; how fast anybody is does not matter."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.stock import Stock
from benchmarks.workloads import all_workloads
from tests.support.commands import PROJECT
from tests.support.daemons import REFERENCE_SERVER, find_program

pytestmark = pytest.mark.integration

SECONDS = 600


def benchmarks(*options: str) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    find_program(REFERENCE_SERVER, "notary")
    return run("benchmarks", "--rounds=1", "--seconds=0.3", "--guns=3", *options)


def run(module: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a module that makes load."""
    find_program("wrk", "wrk")
    return subprocess.run(
        [sys.executable, "-m", module, *options],
        cwd=PROJECT,
        env=dict(os.environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )


def test_all_of_it(tmp_path: Path) -> None:
    more = ("--connections", "2", "--collections", "100", "--memory", "500")
    done = benchmarks(*more, f"--output={tmp_path}")
    assert done.returncode == 0, done.stderr + done.stdout
    assert (tmp_path / "comparison.rst").read_text() in done.stdout
    assert "<svg" in (tmp_path / "ratios.svg").read_text()
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert [row["name"] for row in figures["rows"]] == list(all_workloads(Stock(), 3))
    rows = [*figures["rows"], *figures["collections"]["100"], *figures["connections"]]
    for row in rows:
        for samples in row["samples"].values():
            assert samples[0]["load"]["requests"] > 0
    assert figures["memory"][-1]["requests"] >= 500


def test_profiles(tmp_path: Path) -> None:
    done = run("benchmarks.profiles", "--seconds=1", f"--output={tmp_path}")
    assert done.returncode == 0, done.stderr
    profiles = {"timestamp-c16-server", "publish-k4-server", "publish-k4-signer"}
    pictures = {path.stem: path.read_text() for path in tmp_path.glob("*.svg")}
    tables = {path.stem: path.read_text() for path in tmp_path.glob("*.inc")}
    assert pictures.keys() == profiles
    assert tables.keys() == {*profiles, "lag"}
    assert "ShortWay.answer" in pictures["timestamp-c16-server"]
    assert "SQLMetadataStore._publish" in pictures["publish-k4-server"]
    assert "notary-signer: 1 s" in tables["publish-k4-signer"]
    assert "later than 10 ms" in tables["lag"]


def test_floors(tmp_path: Path) -> None:
    done = run("benchmarks.floors", f"--output={tmp_path}")
    assert done.returncode == 0, done.stderr
    *_, last = lines = [
        line.rsplit(maxsplit=2) for line in (tmp_path / "floors.inc").read_text().splitlines()[3:-1]
    ]
    assert [last[0], len(lines)] == ["the query of a newest timestamp", 10]
    assert all(0 < float(processor) <= float(passed) * 1.1 for _, processor, passed in lines)


def test_a_workload_that_there_is_not() -> None:
    done = benchmarks("--only", "timestamp-c3")
    assert done.returncode == 2
    assert "invalid choice: 'timestamp-c3'" in done.stderr
