"""Files that change are taken in, and bad ones change nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from twisted.internet.task import Clock
from twisted.logger import LogEvent, LogLevel, capturedLogs, formatEvent

from notary.reloading import INTERVAL, Reloader


class Words:
    """Words from a file, which must not be empty."""

    def __init__(self, file: Path) -> None:
        self.files = [file]
        self.words = file.read_text()

    def reload(self) -> None:
        words = self.files[0].read_text()
        if not words:
            raise ValueError("there are no words")
        self.words = words


@pytest.fixture
def words(tmp_path: Path) -> Words:
    (tmp_path / "words").write_text("one")
    return Words(tmp_path / "words")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def reloader(clock: Clock, words: Words) -> Iterator[Reloader]:
    reloader = Reloader(clock)
    reloader.watch(words)
    reloader.startService()
    yield reloader
    reloader.stopService()
    assert clock.getDelayedCalls() == []


@pytest.fixture
def log() -> Iterator[Sequence[LogEvent]]:
    with capturedLogs() as events:
        yield events


def replace(file: Path, text: str) -> None:
    """Put another file in its place at once, as administrators' tools do."""
    new = file.with_suffix(".new")
    new.write_text(text)
    os.replace(new, file)


def messages(log: Sequence[LogEvent], level: LogLevel) -> list[str]:
    return [str(formatEvent(event)) for event in log if event["log_level"] is level]


def test_a_file_that_did_not_change_is_left_alone(
    reloader: Reloader, clock: Clock, words: Words, log: Sequence[LogEvent]
) -> None:
    clock.pump([INTERVAL] * 3)
    assert not log


@pytest.mark.parametrize("again", [1, 3])
def test_a_changed_file_is_taken_in_once(
    reloader: Reloader, clock: Clock, words: Words, log: Sequence[LogEvent], again: int
) -> None:
    replace(words.files[0], "two")
    clock.pump([INTERVAL] * again)
    assert words.words == "two"
    assert messages(log, LogLevel.info) == [f"reloaded {words.files[0]}"]


def test_a_file_of_the_same_size_and_name_behind_a_link_is_another_one(
    clock: Clock, tmp_path: Path
) -> None:
    """As Kubernetes replaces secrets."""
    for number in ("1", "2"):
        (tmp_path / number).write_text(number)
        os.utime(tmp_path / number, (1, 1))
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "1")
    linked = Words(link)
    reloader = Reloader(clock)
    reloader.watch(linked)
    reloader.startService()
    link.unlink()
    link.symlink_to(tmp_path / "2")
    clock.advance(INTERVAL)
    reloader.stopService()
    assert linked.words == "2"


def test_permissions_and_old_times_of_a_file_make_it_another_one_too(
    reloader: Reloader, clock: Clock, words: Words
) -> None:
    file = words.files[0]
    before = file.stat().st_mtime
    file.write_text("two")
    os.utime(file, (before, before))
    clock.advance(INTERVAL)
    assert words.words == "two"
    words.words = "old"
    file.chmod(0o600)
    clock.advance(INTERVAL)
    assert words.words == "two"


def test_a_bad_file_is_told_once_and_changes_nothing(
    reloader: Reloader, clock: Clock, words: Words, log: Sequence[LogEvent]
) -> None:
    replace(words.files[0], "")
    clock.pump([INTERVAL] * 3)
    assert words.words == "one"
    assert messages(log, LogLevel.error) == [
        f"{words.files[0]} cannot be taken in, the former content stays in use: there are no words"
    ]


def test_a_missing_file_is_told_once_and_its_return_noticed(
    reloader: Reloader, clock: Clock, words: Words, log: Sequence[LogEvent]
) -> None:
    words.files[0].unlink()
    clock.pump([INTERVAL] * 3)
    (error,) = messages(log, LogLevel.error)
    assert "No such file or directory" in error
    words.files[0].write_text("back")
    clock.advance(INTERVAL)
    assert words.words == "back"


def test_everything_is_reloaded_on_request(
    reloader: Reloader, clock: Clock, words: Words, log: Sequence[LogEvent]
) -> None:
    replace(words.files[0], "two")
    reloader.reload()
    assert words.words == "two"
    clock.advance(INTERVAL)
    reloader.reload()
    assert messages(log, LogLevel.info) == [f"reloaded {words.files[0]}"] * 2
