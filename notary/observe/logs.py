"""Log lines as the original service writes them: JSON or logfmt, one event a line."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any, TextIO, cast

from structlog.processors import JSONRenderer, LogfmtRenderer
from twisted.logger import (
    FilteringLogObserver,
    ILogFilterPredicate,
    ILogObserver,
    LogEvent,
    LogLevel,
    LogLevelFilterPredicate,
    formatEvent,
)
from twisted.python.logfile import LogFile
from zope.interface import implementer, provider

LEVELS = {
    "debug": LogLevel.debug,
    "info": LogLevel.info,
    "warning": LogLevel.warn,
    "error": LogLevel.error,
    "fatal": LogLevel.critical,
    "panic": LogLevel.critical,
}
"""Twisted's level for each that a configuration may name."""

FORMATS = ("json", "logfmt")

_NAMES = {
    LogLevel.debug: "debug",
    LogLevel.info: "info",
    LogLevel.warn: "warning",
    LogLevel.error: "error",
    LogLevel.critical: "fatal",
}
_OURS = "notary"
_CONTROL_CHARACTERS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_OWN_KEYS = ("level", "msg", "time")


def daemon_log(twistd_options: Mapping[str, Any]) -> TextIO:
    """Return the stream that a daemon's log goes to, by the options of `twistd` itself.

    That is the file they name, ``-`` being standard output; without one standard error in the
    foreground, and ``twistd.log`` in the background.
    """
    name = twistd_options.get("logfile")
    if name == "-":
        return sys.stdout
    if not name and twistd_options.get("nodaemon"):
        return sys.stderr
    return cast(TextIO, LogFile.fromFullPath(name or "twistd.log"))


def log_observer(stream: TextIO, log_format: str, level: str) -> ILogObserver:
    """Return an observer that writes events to a stream.

    Args:
        stream: where the lines go.
        log_format: ``json`` or ``logfmt``.
        level: the least of the `LEVELS` to be written. What Twisted itself says at info counts as
            debug.
    """
    render: Callable[[Any, str, dict[str, Any]], str | bytes] = (
        JSONRenderer(sort_keys=True, default=str)
        if log_format == "json"
        else LogfmtRenderer(key_order=_OWN_KEYS)
    )

    @provider(ILogObserver)
    def write(event: LogEvent) -> None:
        line = render(None, "", _fields(event))
        stream.write(f"{_one_line(line if isinstance(line, str) else line.decode())}\n")
        stream.flush()

    return FilteringLogObserver(write, [_LevelPredicate(LEVELS[level])])


@implementer(ILogFilterPredicate)
class _LevelPredicate:
    """Lets events of a level or above through, and Twisted's own only one level higher."""

    def __init__(self, level: Any) -> None:
        self._ours = LogLevelFilterPredicate(level)
        self._others = LogLevelFilterPredicate(LogLevel.warn if level is LogLevel.info else level)

    def __call__(self, event: LogEvent) -> Any:
        ours = str(event.get("log_namespace", "")).startswith(_OURS)
        return (self._ours if ours else self._others)(event)


def _one_line(line: str) -> str:
    """Escape what a terminal or a reader of lines could take for more than text."""
    return _CONTROL_CHARACTERS.sub(lambda match: ascii(match.group())[1:-1], line)


def _fields(event: LogEvent) -> dict[str, Any]:
    time = datetime.fromtimestamp(event["log_time"], timezone.utc)
    fields: dict[str, Any] = {
        "level": _NAMES.get(event["log_level"], "info"),
        "msg": formatEvent(event),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    failure = event.get("log_failure")
    if failure is not None:
        fields["error"] = failure.getErrorMessage()
        fields["traceback"] = failure.getTraceback()
    for name, value in event.items():
        if _is_field(name) and name not in fields:
            fields[name] = value if isinstance(value, (int, float)) else str(value)
    return fields


def _is_field(name: str) -> bool:
    return name == "gun" or name.startswith("http.")
