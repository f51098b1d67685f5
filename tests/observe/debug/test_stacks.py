"""What each thread is doing."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FunctionType

import pytest

from notary.observe.debug.places import frame_place, name_of, place, short_path
from notary.observe.debug.stacks import MAX_FRAMES, thread_stacks


@contextmanager
def waiting(depth: int = 0) -> Iterator[threading.Thread]:
    """A thread that waits in a function, so deep down, with a secret at hand."""
    there, over = threading.Event(), threading.Event()

    def descend(secret: str, further: int) -> None:
        if further:
            descend(secret, further - 1)
        else:
            there.set()
            over.wait()

    thread = threading.Thread(target=descend, args=("open sesame", depth), name="the waiting one")
    thread.start()
    there.wait()
    try:
        yield thread
    finally:
        over.set()
        thread.join()


def part_of(report: str, name: str) -> list[str]:
    (part,) = (part for part in report.split("\n\n") if part.startswith(f"thread {name}"))
    return part.splitlines()


def test_every_other_thread_is_shown_without_values() -> None:
    with waiting() as thread:
        report = thread_stacks()
    lines = part_of(report, "the waiting one")
    assert lines[0] == f"thread the waiting one {thread.native_id}"
    (line,) = (line for line in lines if "descend" in line)
    assert line.startswith("  tests/observe/debug/test_stacks.py:")
    assert lines.index(line) > 1
    assert "open sesame" not in report
    assert "MainThread" not in report


def test_threads_that_python_has_not_begun_are_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with waiting():
        monkeypatch.setattr(threading, "enumerate", list)
        report = thread_stacks()
    unknown = [part for part in report.split("\n\n") if part.startswith("thread unknown to Python")]
    assert any("descend" in part for part in unknown)


def test_deep_stacks_are_cut() -> None:
    with waiting(MAX_FRAMES):
        lines = part_of(thread_stacks(), "the waiting one")
    assert len(lines) == 1 + MAX_FRAMES


def test_paths_begin_where_modules_are_imported_from() -> None:
    assert short_path(code_of(place).co_filename) == "notary/observe/debug/places.py"
    assert short_path(threading.__file__) == "threading.py"
    assert short_path("<string>") == "<string>"
    assert not Path(short_path(__file__)).is_absolute()


def test_places_name_file_line_and_function() -> None:
    assert place(code_of(place)).endswith(" place")
    assert place(code_of(place), 7) == "notary/observe/debug/places.py:7 place"
    assert name_of(code_of(name_of)) == "name_of"


def test_a_frame_is_at_a_line() -> None:
    frame = sys._getframe()
    line = frame.f_lineno + 1
    assert frame_place(frame).startswith(f"tests/observe/debug/test_stacks.py:{line} test_a_frame")


def code_of(function: object) -> CodeType:
    assert isinstance(function, FunctionType)
    return function.__code__
