"""The changefeed: which collections changed, page by page."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from urllib.parse import parse_qs

from cachetools import LRUCache
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from notary.server.answers import to_json
from notary.server.errors import INVALID_PARAMETERS, APIError
from notary.storage.batches import Batches
from notary.storage.interfaces import Change, IMetadataStore
from notary.tuf.times import format_time

DEFAULT_RECORDS = 100
MAX_RECORDS = 1000
"""Changes in one answer at the most; ask again from the last one for more."""

_PAGES = 64
"""Pages of which it is known that they are being looked up."""

_INTEGER = re.compile(r"[+-]?[0-9]{1,10}", re.ASCII)
_INT32 = 2**31


Page = tuple[str | None, int | None, int]
"""Which page: the arguments of `IMetadataStore.changes`."""


class Changefeed:
    """The pages of the changefeed. Those who wait for the same one at the same time share it.

    Args:
        store: holds the changes.
        clock: tells when the store takes too long to wait for it.
    """

    def __init__(self, store: IMetadataStore, clock: IReactorTime) -> None:
        self._store = store
        self._clock = clock
        self._asked: LRUCache[Page, Batches[Page, bytes]] = LRUCache(_PAGES)

    def body(self, page: Page) -> Deferred[bytes]:
        """Fire with a page in JSON, no older than the request for it.

        Fails with `StoreUnavailableError` if the store cannot answer now.
        """
        asked = self._asked.get(page)
        if asked is None:
            asked = self._asked[page] = Batches(self._look_up, self._clock)
        return asked.get(page).addCallback(lambda body: body or b"")

    def _look_up(self, pages: Collection[Page]) -> Deferred[Mapping[Page, bytes]]:
        (page,) = pages
        return self._store.changes(*page).addCallback(lambda changes: {page: _body(changes)})


def page_of(gun: str | None, uri: bytes) -> Page:
    """Return the page that is asked for.

    Args:
        gun: the collection to report on, None for all.
        uri: the request's, with its parameters: ``records``, how many changes, negative for
            backwards, 0 for `DEFAULT_RECORDS`; ``change_id``, the change to start from, not
            included.

    Raises:
        APIError: a parameter is missing or no 32-bit integer.
    """
    query = parse_qs(uri.partition(b"?")[2].decode(errors="replace"))
    records = _integer(query, "records", "") or DEFAULT_RECORDS
    change_id = _integer(query, "change_id", "0")
    count = min(abs(records), MAX_RECORDS)
    backwards = records < 0 or change_id < 0
    start = change_id if change_id > 0 else None
    return gun, start, -count if backwards else count


def _integer(query: Mapping[str, Sequence[str]], name: str, default: str) -> int:
    text = query.get(name, [default])[0]
    number = int(text) if _INTEGER.fullmatch(text) else _INT32
    if not -_INT32 <= number < _INT32:
        raise APIError(INVALID_PARAMETERS, f"{name} must be a 32-bit integer, not {text[:40]!r}")
    return number


def _body(changes: Sequence[Change]) -> bytes:
    return to_json({"count": len(changes), "records": [_record(change) for change in changes]})


def _record(change: Change) -> dict[str, object]:
    return {
        "ID": str(change.id),
        "CreatedAt": format_time(change.created_at),
        "GUN": change.gun,
        "Version": change.version,
        "SHA256": change.sha256,
        "Category": change.category,
    }
