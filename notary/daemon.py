"""What the two daemons have in common as plugins of `twistd`."""

from __future__ import annotations

import atexit
import os
import platform
import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol

from twisted.application.service import IService, MultiService, Service
from twisted.internet.defer import CancelledError, Deferred, maybeDeferred, succeed
from twisted.logger import ILogObserver, Logger
from twisted.python import usage

from notary import __version__
from notary.allocator import give_back_big_blocks
from notary.collector import spare_what_is_there
from notary.fast.reactor import install
from notary.observe.journal import goes_to_journal
from notary.observe.levels import LogThreshold
from notary.observe.logs import FORMATS, daemon_log, descriptor_of, log_observer
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
        """Check what was given, and have the fastest reactor, if none was given."""
        if self["config"] is None:
            raise usage.UsageError("--config=FILE is required")
        if self["logf"] not in FORMATS:
            raise usage.UsageError(f"--logf must be json or logfmt, not {self['logf']}")
        install()


class Followers(Protocol):
    """The processes that work for a daemon, if it is not one alone.

    Attributes:
        ready: fires with None when they have begun to serve.
    """

    ready: Deferred[None]

    def order(self, name: str) -> None:
        """Have each do one of `Daemon.orders`."""

    def answering(self) -> bool:
        """Return whether none is stuck."""

    def setServiceParent(self, parent: Any) -> None:
        """Become one of the services of the daemon."""


class Daemon(MultiService):
    """The services of a daemon, and where its log goes.

    They stop one after the other, each when what was added after it has stopped.

    Args:
        options: its command line.
        level: the least severe level that is logged at first.
        reactor: runs them.
        several: whether several processes write to the log.
        follows: whether this is one of the processes that work for another, which alone it heeds.

    Attributes:
        log: the stream that the log goes to.
        log_level: the present one: SIGUSR1 asks for more detail, SIGUSR2 for less.
        reloader: takes in files anew that change, and all of them on SIGHUP.
        orders: what can be asked of a daemon, by the name that a process calls it which it follows.
    """

    def __init__(
        self,
        options: Options,
        level: str,
        reactor: Any,
        *,
        several: bool = False,
        follows: bool = False,
    ) -> None:
        super().__init__()
        give_back_big_blocks()
        self._reactor = reactor
        self._waiting_for: Deferred[object] = Deferred()
        self._systemd = Systemd(reactor, os.environ)
        self.log_level = LogThreshold(level)
        self.reloader = Reloader(reactor)
        self._ready: Deferred[None] = succeed(None)
        self._pass_on: Callable[[str], object] = _do_nothing
        self._heed_signals = not follows
        self.orders: dict[str, Callable[[], object]] = {
            "reload": partial(self._systemd.reload, self.reloader.reload),
            "more": self.log_level.more,
            "less": self.log_level.less,
            "hurry": self._hurry,
        }
        actions = {
            signal.SIGHUP: self._action("reload"),
            signal.SIGUSR1: self._action("more"),
            signal.SIGUSR2: self._action("less"),
        }
        # They stop last: without this, these signals would end a daemon that stops.
        Signals(reactor, actions).setServiceParent(self)
        self.reloader.setServiceParent(self)
        self.log = daemon_log(options.parent or {})
        self._observer = log_observer(
            self.log,
            options["logf"],
            self.log_level,
            lock=descriptor_of(self.log) if several else None,
            journal=goes_to_journal(self.log, os.environ),
        )

    def setServiceParent(self, parent: Any) -> None:
        """Become part of an application, whose log `twistd` then writes as ours.

        By now all is loaded that stays until the end.
        """
        parent.setComponent(ILogObserver, self._observer)
        super().setServiceParent(parent)
        spare_what_is_there()

    def lead(self, followers: Followers) -> None:
        """Have other processes do the work: what is asked of this one is passed on to them."""
        followers.setServiceParent(self)
        self._ready = followers.ready
        self._pass_on = followers.order
        self._systemd.alive = followers.answering

    def startService(self) -> None:
        """Start the services, and tell systemd when they are ready."""
        super().startService()
        self._ready.addCallback(lambda _: self._systemd.startService() if self.running else None)

    def stopService(self) -> Deferred[None]:
        """Stop the services, the last one first. Another SIGTERM or SIGINT ends the wait for one.

        Returns:
            A Deferred that fires with None when they have stopped.
        """
        Service.stopService(self)
        return Deferred.fromCoroutine(self._stop_in_order())

    async def _stop_in_order(self) -> None:
        hurry = self._hurry if self._heed_signals else _do_nothing
        signals = Signals(self._reactor, dict.fromkeys((signal.SIGTERM, signal.SIGINT), hurry))
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

    def _action(self, order: str) -> Callable[[], object]:
        """Return what a signal does that stands for an order."""

        if not self._heed_signals:
            return _do_nothing

        def act() -> None:
            self.orders[order]()
            self._pass_on(order)

        return act


def _do_nothing(*_: object) -> None:
    pass


def give_up(reactor: Any, error: Exception) -> None:
    """End the daemon in good order, but with exit status 1, since it cannot be of any use."""
    _log.critical("{reason}", reason=str(error))
    end_in_vain(reactor)


def end_in_vain(reactor: Any) -> None:
    """End the daemon in good order, but with exit status 1; why has been told."""
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
