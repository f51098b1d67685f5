"""The tables about profiles and the event loop's lag."""

from __future__ import annotations

import math

from benchmarks.lag import Lag
from benchmarks.loads import Load
from benchmarks.profiles import Profiled, files, lag_table, profile_table
from benchmarks.stacks import Profile
from benchmarks.stock import Stock
from benchmarks.workloads import all_workloads
from tests.benchmarks.samples import DOCUMENT

WORKLOADS = all_workloads(Stock(), 1)
PROFILE = Profile.read(DOCUMENT)
PROFILED = Profiled(WORKLOADS["publish-k4"], Load(20, 2.0, 1, 2), {"server": PROFILE}, 1.5)


def test_functions_by_their_own_time_on_the_reactors_thread() -> None:
    said, _, *lines = profile_table(PROFILED, PROFILE).splitlines()
    assert said == (
        "publish, k4, 10 requests per second while profiled, load of the machine 1.5. "
        "notary-server: 2 s."
    )
    assert [line.split() for line in lines[3:-1]] == [
        ["57.1%", "``Reader.<locals>.read``", "notary/read.py"],
        ["28.6%", "``loop``", "twisted/loop.py"],
        ["14.3%", "``send``", "ssl.py"],
    ]


def test_each_profile_has_a_picture_and_a_table() -> None:
    found = dict(files([PROFILED]))
    assert list(found) == ["publish-k4-server.svg", "publish-k4-server.inc"]
    assert "<svg" in found["publish-k4-server.svg"]


def test_lag() -> None:
    lag = Lag("title", {0.001: 9, 0.01: 9, 0.025: 10, math.inf: 10}, 0.25, Load(20, 1.0, 1, 2), 1.5)
    lines = lag_table(lag).splitlines()[3:-1]
    assert [line.split("  ")[-1].strip() for line in lines] == [
        "20",
        "10",
        "1 ms",
        "25 ms",
        "25 ms",
        "1",
        "the reactor's thread waited for a processor 0.25 s of 1 s",
        "1.5",
    ]
