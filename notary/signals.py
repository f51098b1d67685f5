"""What a daemon does when it gets a signal."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from typing import Any

from twisted.application.service import Service


class Signals(Service):
    """Calls functions on signals, in the reactor's thread, as long as the service runs.

    Args:
        reactor: runs the functions.
        actions: what to do, by signal. Those that the reactor itself handles are not for this.
    """

    def __init__(
        self, reactor: Any, actions: Mapping[signal.Signals, Callable[[], object]]
    ) -> None:
        self._reactor = reactor
        self._actions = actions
        self._before: dict[signal.Signals, Any] = {}

    def startService(self) -> None:
        """Begin to listen to the signals."""
        super().startService()
        for number in self._actions:
            self._before[number] = signal.signal(number, self._received)

    def stopService(self) -> None:
        """Leave the signals to who handled them before."""
        super().stopService()
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before.clear()

    def _received(self, number: int, _frame: object) -> None:
        self._reactor.callFromThread(self._actions[signal.Signals(number)])
