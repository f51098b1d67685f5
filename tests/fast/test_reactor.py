"""Which reactor the server runs on, and what that makes of children and of trouble."""

from __future__ import annotations

import subprocess
import sys
from typing import cast

import pytest
from twisted.logger import LogLevel, capturedLogs, formatEvent

from notary.fast.reactor import FastReactor
from tests.support.reactor import reactor

OPTIONS = """
from notary.server.main import Options
assert "twisted.internet.reactor" not in sys.modules
Options().parseOptions(["--config=server.json"])
import notary.server.tap
from twisted.internet import reactor
print(type(reactor).__name__)
"""

CHILD = """
from notary.fast.reactor import install
install()
from twisted.internet import reactor
from twisted.internet.protocol import ProcessProtocol
class Child(ProcessProtocol):
    def processEnded(self, reason):
        print(reason.value.exitCode)
        reactor.stop()
reactor.callWhenRunning(reactor.spawnProcess, Child(), "/bin/sh", ["sh", "-c", "exit 3"])
reactor.callLater(30, reactor.stop)
reactor.run()
"""

CALLS = """
from notary.fast.reactor import install
install()
from twisted.internet import reactor
def called(number, name):
    print(f"{number}{name}", end=" ")
    if number == 2:
        reactor.stop()
def call():
    for number in range(3):
        reactor.callFromThread(called, number, name="a")
reactor.callInThread(call)
reactor.callLater(30, reactor.stop)
reactor.run()
"""


def output(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{program}"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("before", "name"),
    [
        ("", "FastReactor"),
        ("sys.modules['uvloop'] = None", "EPollReactor"),
        ("from twisted.internet import pollreactor; pollreactor.install()", "PollReactor"),
    ],
    ids=["uvloop", "no uvloop", "another chosen"],
)
def test_the_fast_one_is_taken_if_there_is_a_choice(before: str, name: str) -> None:
    program = OPTIONS
    if "pollreactor" in before:
        program = program.replace("assert", "assert True or")
    assert output(f"{before}\n{program}") == name


def test_children_are_noticed() -> None:
    assert output(CHILD) == "3"


def test_calls_from_threads_come_in_their_order_and_with_all_they_are_given() -> None:
    assert output(CALLS) == "0a 1a 2a"


class TestTrouble:
    """What happens in uvloop's callbacks and nobody catches."""

    def said(self, trouble: dict[str, object]) -> dict[str, object]:
        with capturedLogs() as events:
            cast(FastReactor, reactor).loop.call_exception_handler(trouble)
        (event,) = events
        return event

    def test_an_exception(self) -> None:
        event = self.said({"message": "it broke", "exception": LookupError("trouble")})
        assert formatEvent(event) == "it broke"
        assert event["log_level"] is LogLevel.critical
        assert "trouble" in str(event["log_failure"])

    def test_anything_else(self) -> None:
        event = self.said({"message": "it broke"})
        assert formatEvent(event) == "it broke"
        assert event["log_level"] is LogLevel.error
