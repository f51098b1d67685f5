"""Whether a log goes to systemd's journal, and what the journal wants to know of each line."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TextIO

PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "fatal": 2}
"""The number of syslog for each level; it goes before a line in angle brackets (sd-daemon(3))."""


def goes_to_journal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Tell whether a stream is the one that systemd connected to the journal.

    systemd tells the device and inode of that one in ``JOURNAL_STREAM`` (systemd.exec(5)); a
    process may have inherited the variable, but not the stream.
    """
    try:
        status = os.fstat(stream.fileno())
    except (AttributeError, OSError, ValueError):  # log files of Twisted have no fileno
        return False
    return environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"
