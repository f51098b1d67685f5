"""Memory that was allocated while it was watched."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Clock, deferLater

from notary.observe.debug import heap
from notary.observe.debug.heap import watch_heap
from tests.server.harness import result_of

SECONDS = 10


@pytest.fixture(autouse=True)
def not_tracing() -> Iterator[None]:
    assert not tracemalloc.is_tracing()
    yield
    tracemalloc.stop()


class Watch:
    """Watches the heap until its time is over."""

    def __init__(self) -> None:
        self._clock = Clock()
        self.report: Deferred[str] = Deferred.fromCoroutine(
            watch_heap(SECONDS, self._pause, self._in_thread)
        )

    def _pause(self, seconds: float) -> Deferred[None]:
        return deferLater(cast(IReactorTime, self._clock), seconds, lambda: None)

    def _in_thread(self, function: Callable[[], Any]) -> Deferred[Any]:
        return succeed(function())

    def end(self) -> str:
        self._clock.advance(SECONDS)
        return result_of(self.report)


def lines_of(report: str) -> list[list[str]]:
    return [line.split() for line in report.splitlines() if "test_heap.py:" in line]


def test_what_is_held_is_shown_by_line() -> None:
    watch = Watch()
    held = [b"%d" % number * 100 for number in range(1000)]
    report = watch.end()
    assert "allocated since this request and still held, and its growth within 10 s" in report
    size, growth, blocks, _, place = lines_of(report)[0]
    assert place.startswith("tests/observe/debug/test_heap.py:")
    assert int(size) == int(growth) >= sum(map(len, held))
    assert int(blocks) >= 1000
    assert b"999" * 10 in held[999]
    assert "999999" not in report


def test_it_is_traced_no_longer_than_asked_for() -> None:
    watch = Watch()
    assert tracemalloc.is_tracing()
    watch.end()
    assert not tracemalloc.is_tracing()


def test_it_is_traced_no_longer_if_nobody_waits() -> None:
    watch = Watch()
    watch.report.addErrback(lambda _: None)
    watch.report.cancel()
    assert not tracemalloc.is_tracing()


def test_a_trace_of_others_goes_on() -> None:
    tracemalloc.start()
    before = [bytearray(500) for _ in range(500)]
    watch = Watch()
    later = [bytearray(500) for _ in range(500)]
    report = watch.end()
    assert tracemalloc.is_tracing()
    assert "allocated since before this request" in report
    sizes = {growth: int(size) for size, growth, *_ in lines_of(report) if int(size) > 100_000}
    assert sizes.pop("+0") >= len(before) * 500
    ((growth, size),) = sizes.items()
    assert int(growth) == size >= len(later) * 500


def test_the_table_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heap, "MAX_LINES", 1)
    watch = Watch()
    held: list[Any] = [bytearray(50)]
    held.append(bytearray(50))
    assert " more lines\n" in watch.end()
