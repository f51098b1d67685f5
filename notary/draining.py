"""Connections that are to end without loss when a daemon stops."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from twisted.application.service import Service
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

GRACE = 1
"""Seconds in which what is on its way to an idle connection is still answered."""

DRAIN_SECONDS = 25
"""Seconds until connections that are still busy are cut off; supervisors give a daemon 30."""


class Drainable(Protocol):
    """A connection that can be asked to end."""

    def drain(self) -> None:
        """End as soon as what is under way is done."""

    def close_if_idle(self) -> None:
        """End if nothing is under way: the grace is over."""

    def abort(self) -> None:
        """End at once."""


class Connections(Service):
    """The connections that are open at a door. They end when the service stops.

    The door has to be stopped before: whoever connects afterwards might be cut off.

    Args:
        clock: tells when they have to be over.

    Attributes:
        draining: whether they are being ended.
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._open: set[Drainable] = set()
        self._all_closed: Deferred[None] | None = None
        self.draining = False

    def __iter__(self) -> Iterator[Drainable]:
        return iter(tuple(self._open))

    def __len__(self) -> int:
        return len(self._open)

    def add(self, connection: Drainable) -> None:
        """Have one more."""
        self._open.add(connection)
        if self.draining:
            connection.drain()

    def discard(self, connection: Drainable) -> None:
        """Forget one that is closed, if it is among them."""
        self._open.discard(connection)
        if not self._open and self._all_closed is not None:
            closed, self._all_closed = self._all_closed, None
            closed.callback(None)

    def startService(self) -> None:
        """Let connections stay open."""
        super().startService()
        self.draining = False

    def stopService(self) -> Deferred[None]:
        """End the connections.

        Returns:
            A Deferred that fires with None when all are closed, or were cut off since it took
            too long. Cancelling it cuts them off at once.
        """
        super().stopService()
        self.draining = True
        return Deferred.fromCoroutine(self._drain())

    async def _drain(self) -> None:
        for connection in self:
            connection.drain()
        try:
            if await self._closed_within(GRACE):
                return
            for connection in self:
                connection.close_if_idle()
            if not await self._closed_within(DRAIN_SECONDS - GRACE):
                self._log.warn(
                    "{number} connections were still busy after {seconds} s and are cut off",
                    number=len(self),
                    seconds=DRAIN_SECONDS,
                )
        finally:
            for connection in self:
                connection.abort()

    async def _closed_within(self, seconds: float) -> bool:
        if not self._open:
            return True
        self._all_closed = Deferred()
        try:
            await self._all_closed.addTimeout(seconds, self._clock)
        except TimeoutError:
            return False
        finally:
            self._all_closed = None
        return True
