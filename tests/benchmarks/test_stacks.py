"""What is read from profiles."""

from __future__ import annotations

from benchmarks.stacks import Frame, Profile
from tests.benchmarks.samples import DOCUMENT, LOOP, READ, SEND

PROFILE = Profile.read(DOCUMENT)


def test_threads_of_a_pool_are_one_and_idle_ones_are_left_out() -> None:
    assert list(PROFILE.threads) == ["reactor", "database threads"]
    assert PROFILE.threads["database threads"] == {(READ,): 3.0}


def test_what_all_stacks_begin_with_is_left_out() -> None:
    assert PROFILE.threads["reactor"] == {(LOOP,): 0.5, (LOOP, READ): 1.0, (LOOP, READ, SEND): 0.25}


def test_self_times_are_those_of_the_innermost_function() -> None:
    assert list(PROFILE.self_times("reactor").items()) == [(READ, 1.0), (LOOP, 0.5), (SEND, 0.25)]


def test_stacks_beyond_those_that_are_told_from_each_other() -> None:
    others = {"type": "sampled", "name": "reactor", "samples": [[0]], "weights": [1.0]}
    document = {"name": "", "shared": {"frames": [{"name": "(other)"}]}, "profiles": [others]}
    assert Profile.read(document).threads == {"reactor": {(Frame("(other)"),): 1.0}}
