"""More and less of a log while it is being written."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from twisted.logger import Logger, globalLogPublisher

from notary.observe.levels import LEVELS, LogThreshold
from notary.observe.logs import log_observer

DOWN = ["debug", "info", "warning", "error", "fatal", "panic"]


def test_the_levels_are_in_order() -> None:
    assert list(LEVELS) == DOWN


def test_less_goes_down_to_panic_and_more_up_to_debug() -> None:
    threshold = LogThreshold("debug")
    seen = [threshold.level]
    for _ in range(6):
        threshold.less()
        seen.append(threshold.level)
    assert seen == [*DOWN, "panic"]
    for _ in range(6):
        threshold.more()
    assert threshold.level == "debug"


@pytest.mark.parametrize("level", DOWN)
def test_a_change_is_logged_whatever_the_level(level: str) -> None:
    stream = StringIO()
    threshold = LogThreshold(level)
    observer = log_observer(stream, "json", threshold)
    globalLogPublisher.addObserver(observer)
    try:
        threshold.less()
    finally:
        globalLogPublisher.removeObserver(observer)
    (line,) = map(json.loads, stream.getvalue().splitlines())
    assert line["level"] == "info"
    assert line["msg"].startswith(f"the log level {'stays' if level == 'panic' else 'is'} ")
    assert f" {threshold.level}" in line["msg"]


def test_a_change_has_effect_at_once() -> None:
    stream = StringIO()
    threshold = LogThreshold("error")
    log = Logger("notary.x", observer=log_observer(stream, "logfmt", threshold))
    log.warn("unseen")
    threshold.more()
    log.warn("seen")
    threshold.less()
    log.warn("unseen")
    assert [line.split()[1] for line in stream.getvalue().splitlines()] == ["msg=seen"]
