"""What a parent and its workers say to each other: pairs of a name and a value, a line of JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

ORDERS = 3
"""The descriptor from which a worker reads what its parent wants."""

REPORTS = 4
"""The descriptor to which a worker writes what it has to say."""

FIRST_SOCKET = 5
"""The descriptor of the first of the sockets that are passed to a worker."""

ENVIRONMENT = "NOTARY_WORKER"
"""The variable that tells a process that it is a worker, and which."""

MAX_BYTES = 16 * 1024 * 1024
"""Bytes that a message may have; metrics take some hundred kilobytes."""


class TooLongError(Exception):
    """A message does not end."""


def encode(name: str, value: Any = None) -> bytes:
    """Return a message as it goes through a pipe."""
    return json.dumps([name, value]).encode() + b"\n"


class Messages:
    """Takes apart what comes through a pipe."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[tuple[str, Any]]:
        """Yield the names and values of the messages that are complete now.

        Raises:
            TooLongError: there is no end of one.
        """
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > MAX_BYTES:
            raise TooLongError(f"a message has more than {MAX_BYTES} bytes")
        for line in lines:
            name, value = json.loads(line)
            yield name, value
