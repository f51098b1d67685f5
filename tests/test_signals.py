"""Signals reach the functions that they are for, in the reactor's thread."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from notary.signals import Signals


class Reactor:
    """Remembers what it is to call."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], object]] = []

    def callFromThread(self, function: Callable[[], object]) -> None:
        self.calls.append(function)


def test_a_signal_calls_its_function_while_the_service_runs() -> None:
    reactor, received = Reactor(), list[str]()
    before = signal.getsignal(signal.SIGHUP), signal.getsignal(signal.SIGUSR1)
    signals = Signals(
        reactor,
        {
            signal.SIGHUP: lambda: received.append("HUP"),
            signal.SIGUSR1: lambda: received.append("USR1"),
        },
    )
    signals.startService()
    try:
        os.kill(os.getpid(), signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGHUP)
        assert received == []
        for call in reactor.calls:
            call()
        assert sorted(received) == ["HUP", "USR1"]
    finally:
        signals.stopService()
    assert (signal.getsignal(signal.SIGHUP), signal.getsignal(signal.SIGUSR1)) == before
