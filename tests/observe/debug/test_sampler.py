"""Where the time goes, as the sampler sees it."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType

import pytest

from notary.observe.debug import sampler
from notary.observe.debug.sampler import MAX_DEPTH, SWITCH_INTERVAL, Sampler, Times

MAIN = threading.get_ident()
PATIENCE = 30


def frame_in(depth: int = 0) -> FrameType:
    return frame_in(depth - 1) if depth else sys._getframe()


def other() -> FrameType:
    return sys._getframe()


def names(times: Times, thread: int = MAIN) -> dict[str, float]:
    """Seconds by the name of each function that was seen."""
    found: dict[str, float] = {}
    for stack, seconds in times.threads.get(thread, {}).items():
        for name in {times.codes[code].co_name for code in stack}:
            found[name] = found.get(name, 0) + seconds
    return found


def innermost(times: Times, thread: int = MAIN) -> set[str]:
    return {times.codes[stack[-1]].co_name for stack in times.threads.get(thread, {}) if stack}


class TestTimes:
    def test_equal_stacks_are_summed_up(self) -> None:
        times = Times()
        for seconds in (0.25, 0.5):
            times.add({1: frame_in(), 2: other()}, seconds)
        times.add({1: other()}, 1)
        assert {t: sorted(stacks.values()) for t, stacks in times.threads.items()} == {
            1: [0.75, 1],
            2: [0.75],
        }
        assert innermost(times, 1) == {"frame_in", "other"}

    def test_the_outermost_function_comes_first(self) -> None:
        times = Times()
        times.add({1: frame_in()}, 1)
        (stack,) = times.threads[1]
        found = [times.codes[code].co_name for code in stack]
        assert found[-2:] == ["test_the_outermost_function_comes_first", "frame_in"]

    def test_deep_stacks_are_cut_at_their_root(self) -> None:
        times = Times()
        times.add({1: frame_in(MAX_DEPTH)}, 1)
        (stack,) = times.threads[1]
        assert len(stack) == MAX_DEPTH
        assert {times.codes[code].co_name for code in stack} == {"frame_in"}

    def test_many_stacks_become_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sampler, "MAX_STACKS", 2)
        times = Times()
        for depth in range(5):
            times.add({1: frame_in(depth)}, 1)
        times.add({1: frame_in(1)}, 1)
        assert sorted((len(stack) > 0, seconds) for stack, seconds in times.threads[1].items()) == [
            (False, 3),
            (True, 1),
            (True, 2),
        ]


class TestSampler:
    def watch(self, work: Callable[[], None], looks: int = 20) -> Times:
        """Have work done again and again, until it was looked at so often."""
        watching = Sampler()
        watching.start()
        try:
            deadline = time.monotonic() + PATIENCE
            while watching.looks < looks and time.monotonic() < deadline:
                work()
        finally:
            times = watching.stop()
        assert watching.looks >= looks
        return times

    def test_sees_python_c_and_waiting(self) -> None:
        data = list(range(50_000, 0, -1))

        def calculate() -> None:
            for number in range(100_000):
                number * number

        def sort() -> None:
            for _ in range(10):
                sorted(data, key=None)

        def wait() -> None:
            time.sleep(0.005)

        def work() -> None:
            calculate()
            sort()
            wait()

        begun = time.monotonic()
        times = self.watch(work, looks=50)
        found = names(times)
        assert {"calculate", "sort", "wait"} <= set(found)
        assert found["watch"] <= time.monotonic() - begun
        assert sum(times.threads[MAIN].values()) == pytest.approx(found["watch"])

    def test_sees_other_threads(self) -> None:
        over = threading.Event()

        def labour() -> None:
            while not over.is_set():
                for number in range(1000):
                    number * number

        thread = threading.Thread(target=labour)
        thread.start()
        try:
            times = self.watch(lambda: time.sleep(0.01))
        finally:
            over.set()
            thread.join()
        assert thread.ident is not None
        assert "labour" in names(times, thread.ident)
        assert "labour" not in names(times)

    def test_leaves_nothing_running(self) -> None:
        before = sys.getswitchinterval()
        watching = Sampler()
        watching.start()
        assert sys.getswitchinterval() == pytest.approx(SWITCH_INTERVAL)
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 0
        watching.stop()
        assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
        assert sys.getswitchinterval() == pytest.approx(before)

    def test_a_signal_that_comes_late_does_no_harm(self) -> None:
        watching = Sampler()
        watching.start()
        watching.stop()
        looks = watching.looks
        signal.raise_signal(signal.SIGALRM)
        assert watching.looks == looks
        assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)

    def test_can_be_done_again(self) -> None:
        for _ in range(2):
            assert "work" in names(self.watch(work, looks=2))


def work() -> None:
    for number in range(10_000):
        number * number
