"""The changefeed: which collections changed, page by page."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs

from notary.server.errors import INVALID_PARAMETERS, APIError
from notary.storage.interfaces import Change, IMetadataStore
from notary.tuf.times import format_time

DEFAULT_RECORDS = 100
MAX_RECORDS = 1000
"""Changes in one answer at the most; ask again from the last one for more."""

_INTEGER = re.compile(r"[+-]?[0-9]{1,10}", re.ASCII)
_INT32 = 2**31


async def changefeed_page(store: IMetadataStore, gun: str | None, uri: bytes) -> dict[str, Any]:
    """Return a page of the changefeed, ready for JSON.

    Args:
        store: holds the changes.
        gun: the collection to report on, None for all.
        uri: the request's, with its parameters: ``records``, how many changes, negative for
            backwards, 0 for `DEFAULT_RECORDS`; ``change_id``, the change to start from, not
            included.

    Raises:
        APIError: a parameter is missing or no 32-bit integer.
        StoreUnavailableError: the store cannot answer now.
    """
    query = parse_qs(uri.partition(b"?")[2].decode(errors="replace"))
    records = _integer(query, "records", "") or DEFAULT_RECORDS
    change_id = _integer(query, "change_id", "0")
    count = min(abs(records), MAX_RECORDS)
    backwards = records < 0 or change_id < 0
    start = change_id if change_id > 0 else None
    changes = await store.changes(gun, start, -count if backwards else count)
    return {"count": len(changes), "records": [_record(change) for change in changes]}


def _integer(query: Mapping[str, Sequence[str]], name: str, default: str) -> int:
    text = query.get(name, [default])[0]
    number = int(text) if _INTEGER.fullmatch(text) else _INT32
    if not -_INT32 <= number < _INT32:
        raise APIError(INVALID_PARAMETERS, f"{name} must be a 32-bit integer, not {text[:40]!r}")
    return number


def _record(change: Change) -> dict[str, object]:
    return {
        "ID": str(change.id),
        "CreatedAt": format_time(change.created_at),
        "GUN": change.gun,
        "Version": change.version,
        "SHA256": change.sha256,
        "Category": change.category,
    }
