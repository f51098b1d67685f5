"""Log lines: one event, one line, in either format, whatever the event holds."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import ILogObserver, Logger, LogLevel, LogPublisher, formatEvent
from twisted.python import log as legacy
from twisted.python.failure import Failure

from notary import request_id
from notary.observe.levels import LEVELS, LogThreshold
from notary.observe.logs import FORMATS, daemon_log, log_observer
from tests.support.log_lines import read_logfmt

OURS = "notary.server.api"
EVIL = '\n\r\x1b\x7f\x85\u2028\u202e\ud800 ="\\{}\U000e0041'
HOSTILE = st.text(st.characters() | st.sampled_from(EVIL), max_size=30)
TWISTED = "twisted.web.http"


def lines(
    emit: Callable[[Logger], object],
    *,
    log_format: str = "json",
    level: str = "debug",
    namespace: str = OURS,
) -> list[str]:
    """What is written for what is logged, at one moment in 2016."""
    stream = StringIO()
    observer = log_observer(stream, log_format, LogThreshold(level))
    timed = cast(ILogObserver, lambda event: observer({**event, "log_time": 1456361639.9}))
    emit(Logger(namespace, observer=timed))
    text = stream.getvalue()
    assert not text or text.endswith("\n")
    return text.splitlines()


def fields(emit: Callable[[Logger], object]) -> dict[str, Any]:
    (line,) = lines(emit)
    loaded: dict[str, Any] = json.loads(line)
    return loaded


def failure() -> Failure:
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        return Failure()


class TestJSON:
    def test_a_line_holds_level_message_and_time(self) -> None:
        event = fields(lambda log: log.info("{what} happened", what="it"))
        assert event == {"level": "info", "msg": "it happened", "time": "2016-02-25T00:53:59Z"}

    def test_a_line_is_in_the_order_of_names(self) -> None:
        (line,) = lines(lambda log: log.info("x", gun="g"))
        assert line == '{"gun": "g", "level": "info", "msg": "x", "time": "2016-02-25T00:53:59Z"}'

    def test_fields_of_requests_are_kept_and_others_left_out(self) -> None:
        event = fields(
            lambda log: log.info(
                "x", gun="g", secret="s", **{"http.a": 3, "http.b": 1.5, "http.c": b"x"}
            )
        )
        assert {name: event[name] for name in ("gun", "http.a", "http.b", "http.c")} == {
            "gun": "g",
            "http.a": 3,
            "http.b": 1.5,
            "http.c": "b'x'",
        }
        assert "secret" not in event

    def test_a_failure_carries_its_traceback(self) -> None:
        event = fields(lambda log: log.failure("it broke", failure()))
        assert (event["level"], event["msg"]) == ("fatal", "it broke")
        assert event["error"] == "first\nsecond"
        assert 'raise ValueError("first' in event["traceback"]


class TestLogfmt:
    def test_a_line_begins_with_level_message_and_time(self) -> None:
        (line,) = lines(
            lambda log: log.warn("a b", gun="g", **{"http.a": 3}),
            log_format="logfmt",
        )
        assert line == 'level=warning msg="a b" time=2016-02-25T00:53:59Z gun=g http.a=3'

    def test_what_would_end_a_value_is_escaped(self) -> None:
        (line,) = lines(lambda log: log.info("{x}", x='a" level=fatal \\'), log_format="logfmt")
        assert line == 'level=info msg="a\\" level=fatal \\\\" time=2016-02-25T00:53:59Z'

    @pytest.mark.parametrize(
        ("character", "shown"),
        [
            ("\n", "\\n"),
            ("\r", "\\r"),
            ("\t", "\\t"),
            ("\x1b", "\\x1b"),
            ("\0", "\\x00"),
            ("\x7f", "\\x7f"),
            ("\x85", "\\x85"),
            ("\u2028", "\\u2028"),
            ("\u2029", "\\u2029"),
        ],
    )
    def test_control_characters_are_escaped(self, character: str, shown: str) -> None:
        (line,) = lines(lambda log: log.info("{x}", x=f"a{character}b"), log_format="logfmt")
        assert f"msg=a{shown}b " in line

    def test_other_characters_are_not(self) -> None:
        (line,) = lines(lambda log: log.info("{x}", x="caf\u00e9\U0001f433"), log_format="logfmt")
        assert "msg=caf\u00e9\U0001f433 " in line


@given(st.sampled_from(FORMATS), st.text(), st.text(), st.text())
def test_no_text_makes_a_second_line(log_format: str, text: str, gun: str, reason: str) -> None:
    def emit(log: Logger) -> None:
        values: dict[str, Any] = {"text": text, "gun": gun, "http.a": text}
        log.failure("{text}", Failure(ValueError(reason)), **values)

    assert len(lines(emit, log_format=log_format)) == 1


class TestForgery:
    """Whatever texts an event holds, its line is one, and reads back with the keys it has."""

    KEYS = ("level", "msg", "time", "gun", "http.request.id", "http.request.uri")

    def written(self, log_format: str, text: str, gun: str, uri: str) -> str:
        with request_id.serving("an-id"):
            (line,) = lines(
                lambda log: log.info("{text}", text=text, gun=gun, **{"http.request.uri": uri}),
                log_format=log_format,
            )
        line.encode()
        assert line.isprintable()
        return line

    @given(HOSTILE, HOSTILE, HOSTILE)
    def test_json(self, text: str, gun: str, uri: str) -> None:
        pairs = json.loads(self.written("json", text, gun, uri), object_pairs_hook=list)
        assert sorted(key for key, _ in pairs) == sorted(self.KEYS)
        found = dict(pairs)
        assert (found["level"], found["http.request.id"]) == ("info", "an-id")
        for name, given_text in (("msg", text), ("gun", gun), ("http.request.uri", uri)):
            assert found[name] == given_text.encode(errors="backslashreplace").decode()

    @given(HOSTILE, HOSTILE, HOSTILE)
    def test_logfmt(self, text: str, gun: str, uri: str) -> None:
        pairs = read_logfmt(self.written("logfmt", text, gun, uri))
        assert sorted(key for key, _ in pairs) == sorted(self.KEYS)
        found = dict(pairs)
        assert (found["level"], found["http.request.id"]) == ("info", "an-id")
        for name, given_text in (("msg", text), ("gun", gun), ("http.request.uri", uri)):
            if given_text.isprintable():
                assert found[name] == given_text

    @pytest.mark.parametrize("log_format", FORMATS)
    def test_events_cannot_replace_what_a_line_always_has(self, log_format: str) -> None:
        (line,) = lines(
            lambda log: log.info("x", msg="y", time="z", error="e", traceback="t"),
            log_format=log_format,
        )
        for forged in ("y", "z", "error", "traceback"):
            assert forged not in line.replace("2016-02-25T00:53:59Z", "")

    @pytest.mark.parametrize("log_format", FORMATS)
    def test_lone_surrogates(self, log_format: str) -> None:
        assert "\\ud800" in self.written(log_format, "a\ud800b", "", "")

    def test_long_values_are_cut(self) -> None:
        event = fields(lambda log: log.info("{x}", x="m" * 10_000, gun="g" * 5_000))
        assert event["gun"] == "g" * 1024 + "..."
        assert event["msg"] == "m" * 8192 + "..."

    def test_of_a_long_traceback_the_end_is_kept(self) -> None:
        error = Failure(ValueError("x" * 20_000 + "the end"))
        event = fields(lambda log: log.failure("it broke", error))
        assert len(event["traceback"]) <= 8192
        assert "the end" in event["traceback"]


def test_the_id_of_the_request_that_is_served_is_in_the_line() -> None:
    with request_id.serving("an-id"):
        assert fields(lambda log: log.info("x"))["http.request.id"] == "an-id"
    assert "http.request.id" not in fields(lambda log: log.info("x"))


def test_an_event_may_name_the_request_itself() -> None:
    with request_id.serving("an-id"):
        event = fields(lambda log: log.info("x", **{"http.request.id": "its-own"}))
    assert event["http.request.id"] == "its-own"


@pytest.mark.parametrize(
    "message",
    [
        "",
        "{gun}",
        "of {gun} and {gun}: {reason}",
        "{{gun}} {gun}}}",
        "{reason!r}",
        "{gun:>20}",
        "{gun.real}",
        "{call()}",
        "{missing}",
        "{0} {}",
        "{gun",
        "gun}",
    ],
)
def test_messages_are_those_of_twisted(message: str) -> None:
    values = {"gun": 7, "reason": ValueError("none"), "call": lambda: "called"}
    for _ in range(2):  # the second time it is known
        told = fields(lambda log: log.info(message, **values))["msg"]
        assert told == formatEvent({"log_format": message, **values}) or "Unable" in told


@pytest.mark.parametrize("log_format", FORMATS)
def test_what_cannot_be_formatted_is_logged_all_the_same(log_format: str) -> None:
    (line,) = lines(lambda log: log.info("{missing}"), log_format=log_format)
    assert "Unable to format event" in line


@pytest.mark.parametrize("log_format", FORMATS)
def test_a_traceback_is_one_line(log_format: str) -> None:
    (line,) = lines(lambda log: log.failure("x", failure()), log_format=log_format)
    assert "Traceback" in line


def written_levels(level: str, namespace: str) -> list[str]:
    def emit(log: Logger) -> None:
        for each in LogLevel.iterconstants():
            log.emit(each, "x")

    return [json.loads(line)["level"] for line in lines(emit, level=level, namespace=namespace)]


ALL = ["debug", "info", "warning", "error", "fatal"]


@pytest.mark.parametrize(
    ("level", "first"),
    [("debug", 0), ("info", 1), ("warning", 2), ("error", 3), ("fatal", 4), ("panic", 4)],
)
def test_levels(level: str, first: int) -> None:
    assert level in LEVELS
    assert written_levels(level, OURS) == ALL[first:]
    others = ALL[2:] if level == "info" else ALL[first:]
    assert written_levels(level, TWISTED) == others


def test_events_of_the_older_log_are_written_too() -> None:
    stream = StringIO()
    publisher = LogPublisher(log_observer(stream, "json", LogThreshold("debug")))
    observer = legacy.LogPublisher(publishPublisher=publisher)
    observer.msg("hello")
    observer.msg(failure=failure(), isError=1, why="it broke")
    first, second = map(json.loads, stream.getvalue().splitlines())
    assert (first["level"], first["msg"]) == ("info", "hello")
    assert second["level"] == "fatal"
    assert second["msg"].startswith("it broke\nTraceback")


class TestDaemonLog:
    def test_standard_error_in_the_foreground(self) -> None:
        assert daemon_log({"nodaemon": True, "logfile": None}) is sys.stderr

    def test_standard_output_when_asked_for(self) -> None:
        assert daemon_log({"nodaemon": 1, "logfile": "-"}) is sys.stdout

    @pytest.mark.parametrize("nodaemon", [False, True])
    def test_the_file_that_is_named(self, tmp_path: Path, nodaemon: bool) -> None:
        name = tmp_path / "daemon.log"
        stream = daemon_log({"nodaemon": nodaemon, "logfile": str(name)})
        Logger(OURS, observer=log_observer(stream, "logfmt", LogThreshold("info"))).info(
            "caf\u00e9"
        )
        stream.close()
        assert "msg=caf\u00e9 " in name.read_text(encoding="utf-8")

    def test_twistd_log_in_the_background(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        daemon_log({}).close()
        assert (tmp_path / "twistd.log").exists()


WRITER = """
import sys
from twisted.logger import LogLevel
from notary.observe.levels import LogThreshold
from notary.observe.logs import log_observer
observer = log_observer(sys.stdout, "json", LogThreshold("warning"), lock=1)
class Known:
    def json(self, message, time):
        return f'{{"msg": "{message}"}}'
event = {"log_level": LogLevel.warn, "log_namespace": "notary", "log_time": 0.0}
if sys.argv[1] == "prepared":
    event["log_prepared"] = Known()
for _ in range(50):
    observer({**event, "log_format": sys.argv[2] * 8000})
"""


@pytest.mark.parametrize("kind", ["plain", "prepared"])
def test_lines_of_several_processes_stay_whole(kind: str) -> None:
    """Also if they are longer than what a pipe keeps whole."""
    reading, writing = os.pipe()
    command = [sys.executable, "-c", WRITER, kind]
    writers = [subprocess.Popen([*command, letter], stdout=writing) for letter in "ab"]
    os.close(writing)
    with open(reading) as stream:
        messages = Counter(json.loads(line)["msg"] for line in stream)
    assert [writer.wait() for writer in writers] == [0, 0]
    assert messages == {"a" * 8000: 50, "b" * 8000: 50}
