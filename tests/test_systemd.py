"""What systemd hears from a daemon, over a real socket of its kind."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent

from notary.systemd import Systemd

SECOND = 1_000_000


class Listener:
    """The end of systemd.

    Attributes:
        address: as it is named to the daemon.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address.replace("@", "\0", 1))
        self._socket.setblocking(False)

    def heard(self) -> list[str]:
        """What was said since the last time."""
        messages = []
        while True:
            try:
                messages.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return messages

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["file", "abstract"])
def listener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Listener]:
    path = str(tmp_path / "notify")
    listener = Listener(path if request.param == "file" else f"@notary-test-{os.getpid()}")
    yield listener
    listener.close()


def test_hears_of_a_whole_life(listener: Listener) -> None:
    systemd = Systemd(Clock(), {"NOTIFY_SOCKET": listener.address})
    systemd.startService()
    assert listener.heard() == ["READY=1\nSTATUS=Serving"]
    systemd.reload(lambda: listener.heard()[0].index("RELOADING=1\nMONOTONIC_USEC="))
    assert listener.heard() == ["READY=1"]
    systemd.stopService()
    assert listener.heard() == ["STOPPING=1\nSTATUS=Finishing what is under way"]


def test_hears_the_end_of_a_reload_that_fails(listener: Listener) -> None:
    systemd = Systemd(Clock(), {"NOTIFY_SOCKET": listener.address})
    with pytest.raises(ZeroDivisionError):
        systemd.reload(lambda: 1 / 0)
    reloading, ready = listener.heard()
    assert re.fullmatch(r"RELOADING=1\nMONOTONIC_USEC=\d+", reloading)
    assert ready == "READY=1"


@pytest.mark.parametrize("own", [{}, {"WATCHDOG_PID": str(os.getpid())}])
def test_sees_that_the_reactor_is_not_stuck(listener: Listener, own: dict[str, str]) -> None:
    """Also while the daemon stops."""
    clock = Clock()
    environ = {"NOTIFY_SOCKET": listener.address, "WATCHDOG_USEC": str(10 * SECOND), **own}
    systemd = Systemd(clock, environ)
    systemd.startService()
    assert listener.heard()[1:] == ["WATCHDOG=1"]
    clock.advance(4.9)
    assert listener.heard() == []
    clock.advance(0.1)
    assert listener.heard() == ["WATCHDOG=1"]
    systemd.stopService()
    listener.heard()
    clock.advance(5)
    assert listener.heard() == ["WATCHDOG=1"]


@pytest.mark.parametrize(
    "environ", [{}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "9", "WATCHDOG_PID": "1"}]
)
def test_does_not_watch_unless_it_is_to(listener: Listener, environ: dict[str, str]) -> None:
    clock = Clock()
    Systemd(clock, {"NOTIFY_SOCKET": listener.address, **environ}).startService()
    assert listener.heard() == ["READY=1\nSTATUS=Serving"]
    assert clock.getDelayedCalls() == []


def test_may_be_somebody_else_who_started_the_daemon() -> None:
    with capturedLogs() as events:
        systemd = Systemd(Clock(), {})
        systemd.startService()
        systemd.reload(lambda: None)
        systemd.stopService()
    assert list(events) == []


def test_may_be_gone(tmp_path: Path) -> None:
    with capturedLogs() as events:
        Systemd(Clock(), {"NOTIFY_SOCKET": str(tmp_path / "gone")}).startService()
    (event,) = events
    assert str(formatEvent(event)).endswith("No such file or directory")
