"""The present, by the reactor's clock."""

from __future__ import annotations

from datetime import datetime, timezone

from twisted.internet.interfaces import IReactorTime


def utc_now(clock: IReactorTime) -> datetime:
    """Return the present time in UTC."""
    return datetime.fromtimestamp(clock.seconds(), timezone.utc)
