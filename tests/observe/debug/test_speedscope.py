"""Files that https://www.speedscope.app reads."""

from __future__ import annotations

import sys
from types import FrameType

from notary.observe.debug.sampler import Times
from notary.observe.debug.speedscope import speedscope
from tests.support.speedscope import Profiles


def one() -> FrameType:
    return sys._getframe()


def two() -> FrameType:
    return one()


def test_has_a_profile_of_each_thread_the_first_name_first() -> None:
    times = Times()
    times.add({10: one(), 20: two()}, 0.25)
    times.add({10: two(), 30: one()}, 0.5)
    data = speedscope('a "title"', "txnotary 1", times, {20: "reactor", 10: "worker", 40: "idle"})
    found = Profiles.parse(data)
    assert (found.title, found.exporter) == ('a "title"', "txnotary 1")
    assert list(found.threads) == ["reactor", "worker", "a thread that has ended"]
    worker = {names[-2:]: seconds for names, seconds in found.threads["worker"].items()}
    assert list(worker.values()) == [0.25, 0.5]
    assert [names[1].split()[-1] for names in worker] == ["one", "one"]
    assert [names[0].split()[-1] for names in worker][1] == "two"
    assert all(names[1].startswith("tests/observe/debug/test_speedscope.py") for names in worker)


def test_stacks_beyond_the_bound_are_one_frame() -> None:
    times = Times(threads={1: {(): 2.0}})
    found = Profiles.parse(speedscope("", "", times, {1: "reactor"}))
    assert found.threads == {"reactor": {(" (other stacks)",): 2.0}}


def test_nothing_seen_is_a_file_too() -> None:
    assert Profiles.parse(speedscope("", "", Times(), {1: "reactor"})).threads == {}
