"""What the two daemons have in common as plugins of `twistd`."""

from __future__ import annotations

import atexit
import os
import platform
import sys
from collections.abc import Sequence
from typing import Any

from twisted.application.service import MultiService
from twisted.logger import ILogObserver, Logger
from twisted.python import usage

from notary import __version__
from notary.observe.logs import FORMATS, daemon_log, log_observer

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

    Args:
        options: its command line.
        level: the least severe level that is logged.
    """

    def __init__(self, options: Options, level: str) -> None:
        super().__init__()
        self._observer = log_observer(daemon_log(options.parent or {}), options["logf"], level)

    def setServiceParent(self, parent: Any) -> None:
        """Become part of an application, whose log `twistd` then writes as ours."""
        parent.setComponent(ILogObserver, self._observer)
        super().setServiceParent(parent)


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


def announce(warnings: Sequence[str]) -> None:
    """Log which version starts, and what of its configuration has no effect."""
    _log.info(
        "Version: {version}, Python version: {python}",
        version=__version__,
        python=platform.python_version(),
    )
    for warning in warnings:
        _log.warn("{warning}", warning=warning)
