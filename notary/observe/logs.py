"""Log lines as the original service writes them: JSON or logfmt, one event a line."""

from __future__ import annotations

import fcntl
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone
from functools import lru_cache
from json import JSONEncoder
from string import Formatter
from time import time
from typing import Any, Protocol, TextIO, cast

from twisted.logger import (
    ILogObserver,
    LogEvent,
    Logger,
    LogLevel,
    formatEvent,
)
from twisted.python.logfile import LogFile
from zope.interface import provider

from notary import request_id
from notary.observe.journal import PRIORITIES
from notary.observe.levels import LogThreshold

FORMATS = ("json", "logfmt")

FIELDS = frozenset({"gun", "role", "key_id", "operation"})
"""Values of an event that become fields of its line, besides all whose names have a dot in them.

Other values are only for the message. ``level``, ``msg``, ``time``, ``error`` and ``traceback`` are
what an event always has, and cannot be given.
"""

REQUEST_ID = "http.request.id"
"""The field with the ID of the request that is being served."""

MAX_FIELD = 1024
"""Characters of a field that are written."""

MAX_MESSAGE = 8192
"""Characters that are written of a message, an error or the end of a traceback."""

_NAMES = {
    LogLevel.debug: "debug",
    LogLevel.info: "info",
    LogLevel.warn: "warning",
    LogLevel.error: "error",
    LogLevel.critical: "fatal",
}
_FIRST_KEYS = ("level", "msg", "time")

PREPARED = "log_prepared"
"""The name of a `Prepared` in an event."""

_to_json = JSONEncoder(sort_keys=True).encode


class Prepared(Protocol):
    """The fields of a line of which most were written before."""

    def fields(self) -> dict[str, Any]:
        """Return the fields, as an event would have them."""

    def json(self, message: str, time: str) -> str:
        """Return the line in JSON, of level ``info``, in the order of names."""


def tell(logger: Logger, message: str, **values: Any) -> None:
    """Log an event at level ``info``, as the logger would; that takes three times as long.

    Args:
        logger: whose event it is.
        message: its format.
        values: of the event.
    """
    logger.observer(
        {
            **values,
            "log_logger": logger,
            "log_level": LogLevel.info,
            "log_namespace": logger.namespace,
            "log_source": logger.source,
            "log_format": message,
            "log_time": time(),
        }
    )


def json_field(name: str, value: Any) -> str:
    """Return a field as it stands in a line in JSON."""
    return f'"{name}": {_json(_value(value))}'


def json_text(text: str) -> str:
    """Return a text as it stands within a longer one in a line in JSON."""
    return _json(_value(text))[1:-1]


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


def descriptor_of(stream: TextIO) -> int | None:
    """Return the descriptor of a stream, None for the log files of Twisted and the like."""
    try:
        return stream.fileno()
    except (AttributeError, OSError, ValueError):
        return None


def log_observer(
    stream: TextIO,
    log_format: str,
    threshold: LogThreshold,
    *,
    lock: int | None = None,
    journal: bool = False,
) -> ILogObserver:
    """Return an observer that writes events to a stream.

    Args:
        stream: where the lines go.
        log_format: ``json`` or ``logfmt``.
        threshold: which events are written.
        lock: the descriptor of the stream, if other processes write to it at the same time. Each
            locks it for a line, since a pipe keeps only short ones whole.
        journal: whether lines begin with their priority and have no time, which systemd's journal
            has itself.
    """
    render: Callable[[dict[str, Any]], str] = _json if log_format == "json" else _logfmt()
    takes_prepared = log_format == "json" and not journal

    @provider(ILogObserver)
    def write(event: LogEvent) -> None:
        if not threshold.lets_through(event):
            return
        if takes_prepared and PREPARED in event:
            line = event[PREPARED].json(event["log_format"], _time(int(event["log_time"]))) + "\n"
        else:
            fields = _fields(event)
            prefix = ""
            if journal:
                del fields["time"]
                prefix = f"<{PRIORITIES[fields['level']]}>"
            line = f"{prefix}{render(fields)}\n"
        if lock is None:
            stream.write(line)
            stream.flush()
            return
        fcntl.lockf(lock, fcntl.LOCK_EX)
        try:
            stream.write(line)
            stream.flush()
        finally:
            fcntl.lockf(lock, fcntl.LOCK_UN)

    return cast(ILogObserver, write)


def _json(value: Any) -> str:
    # All that is not ASCII is escaped already.
    return _to_json(value).replace("\x7f", "\\u007f")


def _logfmt() -> Callable[[dict[str, Any]], str]:
    # Not before: it takes 5 MB, and 15 MB where rich is installed.
    from structlog.processors import LogfmtRenderer

    to_logfmt = LogfmtRenderer(key_order=_FIRST_KEYS, drop_missing=True, bool_as_flag=False)

    def render(fields: dict[str, Any]) -> str:
        """Escape, on the whole line, what a terminal or a reader could take for more than text."""
        line = to_logfmt(None, "", fields)
        if line.isprintable():
            return line
        return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in line)

    return render


def _fields(event: LogEvent) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "level": _NAMES.get(event["log_level"], "info"),
        "msg": _text(_message(event), MAX_MESSAGE),
        "time": _time(int(event["log_time"])),
    }
    served = request_id.current()
    if served:
        fields[REQUEST_ID] = served
    failure = event.get("log_failure")
    if failure is not None:
        fields["error"] = _text(failure.getErrorMessage(), MAX_MESSAGE)
        fields["traceback"] = _text(failure.getTraceback()[-MAX_MESSAGE:], MAX_MESSAGE)
    if PREPARED in event:
        event = event[PREPARED].fields()
    for name, value in event.items():
        if "." in name or name in FIELDS:
            fields[name] = _value(value)
    return fields


def _value(value: Any) -> Any:
    return value if isinstance(value, (int, float)) else _text(str(value), MAX_FIELD)


def _message(event: LogEvent) -> str:
    try:
        pieces = _pieces(event["log_format"])
        return "".join([text if name is None else str(event[name]) for text, name in pieces])
    except Exception:
        return formatEvent(event)


@lru_cache(maxsize=512)
def _pieces(message: str) -> Sequence[tuple[str, str | None]]:
    """Take a format apart, which takes longer than to put its message together.

    Returns:
        Texts without a name, and names of values; what is more than a name has the name of none,
        and is left to Twisted, as are formats that are wrong.

    Raises:
        Exception: it is no format.
    """
    pieces: list[tuple[str, str | None]] = []
    for text, name, how, conversion in Formatter().parse(message):
        pieces.append((text, None))
        if name is not None:
            pieces.append(("", "" if how or conversion or not name.isidentifier() else name))
    return pieces


def _text(text: str, limit: int) -> str:
    """Return a text that is not too long and has an encoding, which lone surrogates have not."""
    if len(text) > limit:
        text = f"{text[:limit]}..."
    return text if text.isascii() else text.encode(errors="backslashreplace").decode()


@lru_cache(maxsize=2)
def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
