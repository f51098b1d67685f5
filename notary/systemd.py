"""What systemd is told: see sd_notify(3) and sd_watchdog_enabled(3)."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger


class Systemd(Service):
    """Tells systemd, if that started the process, when the daemon is ready, reloads and stops.

    If systemd asks for it, the reactor shows that it is not stuck, twice in the time after which
    systemd would act, also while the daemon stops.

    Args:
        clock: tells when to show that.
        environ: the environment variables, which name the socket.

    Attributes:
        alive: whether the processes that work for this one are not stuck, either.
    """

    _log = Logger()
    alive: Callable[[], bool] = staticmethod(lambda: True)

    def __init__(self, clock: IReactorTime, environ: Mapping[str, str]) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._watchdog = LoopingCall(self._watch)
        self._watchdog.clock = clock
        self._interval = 0.0
        if environ.get("WATCHDOG_PID") in (None, str(os.getpid())):
            self._interval = int(environ.get("WATCHDOG_USEC", "0")) / 1_000_000 / 2

    def startService(self) -> None:
        """Tell that the daemon is ready: it is the last of the services."""
        super().startService()
        self._tell("READY=1", "STATUS=Serving")
        if self._interval and not self._watchdog.running:
            self._watchdog.start(self._interval)

    def _watch(self) -> None:
        if self.alive():
            self._tell("WATCHDOG=1")

    def reload(self, reload: Callable[[], object]) -> None:
        """Tell that the daemon reloads while it does."""
        self._tell("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            reload()
        finally:
            self._tell("READY=1")

    def stopService(self) -> None:
        """Tell that the daemon finishes what it does."""
        super().stopService()
        self._tell("STOPPING=1", "STATUS=Finishing what is under way")

    def _tell(self, *lines: str) -> None:
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)
            try:
                sender.sendto("\n".join(lines).encode(), self._address)
            except OSError as error:
                self._log.warn(
                    "systemd cannot be told {lines}: {reason}", lines=lines, reason=str(error)
                )
