"""Which events are logged, as an operator decides: at the start, and later by signals."""

from __future__ import annotations

from typing import Any

from twisted.logger import LogEvent, Logger, LogLevel

LEVELS = {
    "debug": LogLevel.debug,
    "info": LogLevel.info,
    "warning": LogLevel.warn,
    "error": LogLevel.error,
    "fatal": LogLevel.critical,
    "panic": LogLevel.critical,
}
"""Twisted's level for each that a configuration may name, from the most detail to the least."""

_NAMES = tuple(LEVELS)
_OURS = "notary"

_log = Logger()


class LogThreshold:
    """Lets events of a level or above through. What Twisted itself says at info counts as debug.

    Args:
        level: one of the `LEVELS`.

    Attributes:
        level: the present one.
    """

    def __init__(self, level: str) -> None:
        self._set(level)

    def more(self) -> None:
        """Log one level more, as long as there is one."""
        self._step(-1)

    def less(self) -> None:
        """Log one level less, as long as there is one."""
        self._step(1)

    def _step(self, step: int) -> None:
        index = _NAMES.index(self.level) + step
        if 0 <= index < len(_NAMES):
            self._set(_NAMES[index])
            text = "the log level is {name} from now on"
        else:
            text = "the log level stays {name}: there is no other beyond it"
        _log.info(text, name=self.level, log_always=True)

    def _set(self, level: str) -> None:
        self.level = level
        least = LEVELS[level]
        self._ours = _from(least)
        self._others = _from(LogLevel.warn if least is LogLevel.info else least)

    def lets_through(self, event: LogEvent) -> bool:
        """Judge an event. One that has ``log_always`` is let through whatever the level."""
        ours = str(event.get("log_namespace", "")).startswith(_OURS)
        levels = self._ours if ours else self._others
        return event.get("log_level") in levels or "log_always" in event


def _from(least: Any) -> frozenset[Any]:
    return frozenset(level for level in LogLevel.iterconstants() if level >= least)
