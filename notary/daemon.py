"""What the two daemons have in common as plugins of `twistd`."""

from __future__ import annotations

import atexit
import os
import platform
import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from twisted.application.service import IService, MultiService, Service
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred
from twisted.logger import ILogObserver, Logger
from twisted.python import usage

from notary import __version__
from notary.observe.journal import goes_to_journal
from notary.observe.levels import LogThreshold
from notary.observe.logs import FORMATS, daemon_log, log_observer
from notary.reloading import Reloader
from notary.signals import Signals
from notary.systemd import Systemd

_log = Logger()


class Options(usage.Options):
    """The command line of a daemon."""

    optParameters = [
        ["config", "c", None, "Path to the configuration file."],
        ["logf", None, "json", "Format of the log: json or logfmt."],
    ]

    def postOptions(self) -> None:
        """Check what was given."""
        if self["config"] is None:
            raise usage.UsageError("--config=FILE is required")
        if self["logf"] not in FORMATS:
            raise usage.UsageError(f"--logf must be json or logfmt, not {self['logf']}")


class Daemon(MultiService):
    """The services of a daemon, and where its log goes.

    They stop one after the other, each when what was added after it has stopped.

    Args:
        options: its command line.
        level: the least severe level that is logged at first.
        reactor: runs them.

    Attributes:
        log_level: the present one: SIGUSR1 asks for more detail, SIGUSR2 for less.
        reloader: takes in files anew that change, and all of them on SIGHUP.
    """

    def __init__(self, options: Options, level: str, reactor: Any) -> None:
        super().__init__()
        self._reactor = reactor
        self._waiting_for: Deferred[object] = Deferred()
        self._systemd = Systemd(reactor, os.environ)
        self.log_level = LogThreshold(level)
        self.reloader = Reloader(reactor)
        actions: dict[signal.Signals, Callable[[], object]] = {
            signal.SIGHUP: partial(self._systemd.reload, self.reloader.reload),
            signal.SIGUSR1: self.log_level.more,
            signal.SIGUSR2: self.log_level.less,
        }
        # They stop last: without this, these signals would end a daemon that stops.
        Signals(reactor, actions).setServiceParent(self)
        self.reloader.setServiceParent(self)
        stream = daemon_log(options.parent or {})
        self._observer = log_observer(
            stream,
            options["logf"],
            self.log_level,
            journal=goes_to_journal(stream, os.environ),
        )

    def setServiceParent(self, parent: Any) -> None:
        """Become part of an application, whose log `twistd` then writes as ours."""
        parent.setComponent(ILogObserver, self._observer)
        super().setServiceParent(parent)

    def startService(self) -> None:
        """Start the services, and tell systemd that they are ready."""
        super().startService()
        self._systemd.startService()

    def stopService(self) -> Deferred[None]:
        """Stop the services, the last one first. Another SIGTERM or SIGINT ends the wait for one.

        Returns:
            A Deferred that fires with None when they have stopped.
        """
        Service.stopService(self)
        return Deferred.fromCoroutine(self._stop_in_order())

    async def _stop_in_order(self) -> None:
        hurry = dict.fromkeys((signal.SIGTERM, signal.SIGINT), self._hurry)
        signals = Signals(self._reactor, hurry)
        signals.startService()
        self._systemd.stopService()
        try:
            for service in reversed(self.services):
                await self._stop(service)
        finally:
            signals.stopService()

    async def _stop(self, service: IService) -> None:
        self._waiting_for = maybeDeferred(service.stopService)
        try:
            await self._waiting_for
        except CancelledError:
            _log.warn("stopped without waiting any longer")
        except Exception:
            _log.failure("{service} did not stop as it should", service=service)

    def _hurry(self) -> None:
        self._waiting_for.cancel()


def give_up(reactor: Any, error: Exception) -> None:
    """End the daemon in good order, but with exit status 1, since it cannot be of any use."""
    _log.critical("{reason}", reason=str(error))
    # `twistd` knows no other status than 0 for a reactor that was stopped.
    atexit.register(_exit_in_vain)
    reactor.stop()


def _exit_in_vain() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)


def announce(warnings: Sequence[str], reactor: Any) -> None:
    """Log which version starts on what, and what of its configuration has no effect."""
    _log.info(
        "Version: {version}, Python version: {python}, reactor: {reactor}",
        version=__version__,
        python=platform.python_version(),
        reactor=type(reactor).__name__,
    )
    for warning in warnings:
        _log.warn("{warning}", warning=warning)
