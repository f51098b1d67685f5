"""Taking in files anew that were replaced while the daemon runs, such as certificates."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

INTERVAL = 5
"""Seconds between two looks at the files."""

_Stamp = tuple[int, int, int, int] | None


class Reloadable(Protocol):
    """Something that was made of files."""

    @property
    def files(self) -> Sequence[Path]:
        """What it is made of."""

    def reload(self) -> None:
        """Be made of the files as they are now, or stay as it was.

        Raises:
            Exception: the files will not do; the message says which and why.
        """


class Reloader(Service):
    """Reloads what it was given when asked to, and whatever has a file that changed.

    A file that will not do is told as an error, once for each change of it, and what was made of
    its predecessor stays in use.

    Args:
        clock: tells when to look at the files.
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self._watched: list[tuple[Reloadable, list[_Stamp]]] = []
        self._looking = LoopingCall(self._look)
        self._looking.clock = clock

    def watch(self, *watched: Reloadable) -> None:
        """Look after more of them."""
        self._watched += [(each, _stamps(each)) for each in watched]

    def startService(self) -> None:
        """Begin to look at the files."""
        super().startService()
        self._looking.start(INTERVAL, now=False)

    def stopService(self) -> None:
        """Cease to look."""
        super().stopService()
        self._looking.stop()

    def reload(self) -> None:
        """Reload everything, changed or not."""
        for each, stamps in self._watched:
            stamps[:] = _stamps(each)
            self._reload(each)

    def _look(self) -> None:
        for each, stamps in self._watched:
            found = _stamps(each)
            if found != stamps:
                stamps[:] = found
                self._reload(each)

    def _reload(self, each: Reloadable) -> None:
        files = ", ".join(str(file) for file in each.files)
        try:
            each.reload()
        except Exception as error:
            self._log.error(
                "{files} cannot be taken in, the former content stays in use: {reason}",
                files=files,
                reason=str(error),
            )
        else:
            self._log.info("reloaded {files}", files=files)


def _stamps(reloadable: Reloadable) -> list[_Stamp]:
    return [_stamp(file) for file in reloadable.files]


def _stamp(file: Path) -> _Stamp:
    """Return what changes with a file and its permissions, links that lead to it included.

    The time of the last change is not that of the content, which tools set as they like.
    """
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_ctime_ns, found.st_size
