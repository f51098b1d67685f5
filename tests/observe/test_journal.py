"""Lines for systemd's journal: no time, and the priority in front."""

from __future__ import annotations

import json
import os
from io import StringIO
from pathlib import Path

import pytest
from twisted.logger import Logger, LogLevel

from notary.observe.journal import PRIORITIES, goes_to_journal
from notary.observe.levels import LogThreshold
from notary.observe.logs import daemon_log, log_observer

PRIORITY = {"debug": 7, "info": 6, "warn": 4, "error": 3, "critical": 2}


def test_the_stream_is_known_by_its_inode(tmp_path: Path) -> None:
    with (tmp_path / "stream").open("w") as stream, (tmp_path / "other").open("w") as other:
        status = os.fstat(stream.fileno())
        environ = {"JOURNAL_STREAM": f"{status.st_dev}:{status.st_ino}"}
        assert goes_to_journal(stream, environ)
        assert not goes_to_journal(other, environ)
        assert not goes_to_journal(stream, {})
        assert not goes_to_journal(stream, {"JOURNAL_STREAM": "nonsense"})


def test_what_is_no_file_does_not_go_there() -> None:
    assert not goes_to_journal(StringIO(), {"JOURNAL_STREAM": "1:2"})


def test_a_log_file_of_twistd_does_not_go_there(tmp_path: Path) -> None:
    stream = daemon_log({"logfile": str(tmp_path / "notary.log")})
    assert not goes_to_journal(stream, {"JOURNAL_STREAM": "1:2"})
    stream.close()


def test_a_closed_stream_does_not_go_there(tmp_path: Path) -> None:
    with (tmp_path / "stream").open("w") as stream:
        pass
    assert not goes_to_journal(stream, {"JOURNAL_STREAM": "1:2"})


@pytest.mark.parametrize(("level", "priority"), PRIORITY.items())
@pytest.mark.parametrize("log_format", ["json", "logfmt"])
def test_lines_begin_with_the_priority_and_have_no_time(
    log_format: str, level: str, priority: int
) -> None:
    stream = StringIO()
    observer = log_observer(stream, log_format, LogThreshold("debug"), journal=True)
    Logger("notary.x", observer=observer).emit(LogLevel.lookupByName(level), "{x}", x="a\n<0>b")
    (line,) = stream.getvalue().splitlines()
    prefix, rest = line[:3], line[3:]
    assert prefix == f"<{priority}>"
    name = next(name for name, number in PRIORITIES.items() if number == priority)
    if log_format == "json":
        assert json.loads(rest) == {"level": name, "msg": "a\n<0>b"}
    else:
        assert rest == f"level={name} msg=a\\n<0>b"
