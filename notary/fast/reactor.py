"""Twisted on uvloop."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Callable, Mapping
from functools import partial
from importlib.util import find_spec
from typing import Any

from twisted.internet import process
from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.main import installReactor
from twisted.logger import Logger
from twisted.python.failure import Failure

_log = Logger()


class FastReactor(AsyncioSelectorReactor):
    """A reactor on a loop of uvloop, where doors that do TLS may leave Twisted's layers out.

    Attributes:
        loop: what it runs on.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.loop = loop
        loop.set_exception_handler(_log_trouble)

    def startRunning(self, installSignalHandlers: bool = True) -> None:
        """Begin to run, and to notice children that end.

        Twisted learns of them by the descriptor that signals are written to, which uvloop replaces.
        """
        super().startRunning(installSignalHandlers=installSignalHandlers)
        if installSignalHandlers:
            signal.signal(signal.SIGCHLD, self._child_ended)
            signal.siginterrupt(signal.SIGCHLD, False)

    def callFromThread(  # type: ignore[override]  # Twisted itself calls it `callable`
        self, f: Callable[..., object], *args: Any, **kwargs: Any
    ) -> None:
        """Have the loop call something soon; Twisted would have a timer do so on its next turn."""
        self.loop.call_soon_threadsafe(partial(f, *args, **kwargs))

    def _child_ended(self, _number: int, _frame: object) -> None:
        self.callFromThread(process.reapAllProcesses)


def install() -> None:
    """Have Twisted run on uvloop, if that is installed and no other reactor was chosen before."""
    if "twisted.internet.reactor" in sys.modules or find_spec("uvloop") is None:
        return
    import uvloop

    installReactor(FastReactor(uvloop.new_event_loop()))


def _log_trouble(_loop: object, trouble: Mapping[str, Any]) -> None:
    """Log what nobody caught; asyncio would write it to standard error, in a form of its own."""
    message, error = trouble["message"], trouble.get("exception")
    if error is None:
        _log.error("{message}", message=message)
    else:
        _log.failure("{message}", Failure(error), message=message)
