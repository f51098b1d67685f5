"""What an answer depended on: with that, the next one like it can be given a shorter way."""

from __future__ import annotations

from math import inf

import attrs
from twisted.web.http import NOT_FOUND, OK

from notary.server.changefeed import Page
from notary.server.errors import METADATA_NOT_FOUND, APIError
from notary.storage.interfaces import StoredFile
from notary.tuf.names import TIMESTAMP


@attrs.frozen
class Lesson:
    """That the same request line, from whoever may ask it, gets the same answer again, and when.

    Attributes:
        is_current: whether the collection's newest timestamp has to be the same.
        timestamp: the checksum of that timestamp, None if there was none.
        missing: role and checksum of the file that was asked for, if it must not be there yet.
        file: role and checksum of the file that was served, which has to be in memory still; None
            if that was the timestamp itself, or no file.
        until: Unix time from which on it has to be looked at again whether a file is to be renewed.
        page: the page of the changefeed that was served, which has to be the same still.
        body: the answer's body if it was no file.
    """

    is_current: bool = False
    timestamp: str | None = None
    missing: tuple[str, str] | None = None
    file: tuple[str, str] | None = None
    until: float = inf
    page: Page | None = None
    body: bytes | None = None

    @property
    def waits(self) -> bool:
        """Whether the store has to be asked."""
        return self.is_current or self.missing is not None or self.page is not None

    @property
    def status(self) -> int:
        """The status of the answer."""
        return OK if self.body is None or self.page is not None else NOT_FOUND


_NOT_FOUND = APIError(METADATA_NOT_FOUND).body

NO_ROUTE = Lesson(body=_NOT_FOUND)
"""There is nothing of that name, ever."""

NO_COLLECTION = Lesson(is_current=True, body=_NOT_FOUND)
"""There is no such collection."""


def no_file(role: str, checksum: str) -> Lesson:
    """Return what an answer depended on that there is no such file."""
    return Lesson(missing=(role, checksum), body=_NOT_FOUND)


def of_file(file: StoredFile) -> Lesson:
    """Return what an answer with a file that was asked for by checksum depended on."""
    return Lesson(file=(file.role, file.sha256))


def of_current(timestamp: StoredFile, file: StoredFile, until: float) -> Lesson:
    """Return what an answer with a current file depended on.

    Args:
        timestamp: of its collection.
        file: was served.
        until: as in `Lesson`.
    """
    named = None if file.role == TIMESTAMP else (file.role, file.sha256)
    return Lesson(is_current=True, timestamp=timestamp.sha256, file=named, until=until)


def of_page(page: Page, body: bytes) -> Lesson:
    """Return what an answer with a page of the changefeed depended on."""
    return Lesson(page=page, body=body)
