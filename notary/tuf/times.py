"""Times as metadata writes them: RFC 3339."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(?:Z|([+-])(\d\d):(\d\d))", re.ASCII
)
_MAX_LENGTH = 64


def parse_time(text: str) -> datetime:
    """Return the time, in UTC, that an RFC 3339 text stands for.

    Fractions finer than a microsecond are cut off.

    Raises:
        ValueError: the text is no such time.
    """
    match = _RFC3339.fullmatch(text) if len(text) <= _MAX_LENGTH else None
    if match is None:
        raise ValueError(f"{text[:_MAX_LENGTH]!r} is not an RFC 3339 time")
    *moment, fraction, sign, hours, minutes = match.groups()
    year, month, day, hour, minute, second = map(int, moment)
    microsecond = int((fraction or "0")[:6].ljust(6, "0"))
    try:
        local = datetime(year, month, day, hour, minute, second, microsecond, timezone.utc)
        if sign is None:
            return local
        if int(hours) > 23 or int(minutes) > 59:
            raise ValueError("its time zone is out of range")
        offset = timedelta(hours=int(hours), minutes=int(minutes))
        return local - offset if sign == "+" else local + offset
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{text!r} is not an RFC 3339 time: {error}") from error


def format_time(time: datetime) -> str:
    """Return a UTC time as RFC 3339 text, to the second."""
    return time.astimezone(timezone.utc).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"
