"""Requests whose answers are known, as long as some things have not changed.

Nothing is parsed here. What was learnt is found by the exact bytes of a request's head: its line,
and the headers below it, but for the value of an ``X-Request-ID``. The ordinary parser took both
apart before, and the line was answered the ordinary way.
"""

from __future__ import annotations

from typing import Any

import attrs
from cachetools import LRUCache
from twisted.web.http_headers import Headers

from notary import request_id
from notary.server.access.control import bearer_token
from notary.server.access.interfaces import Scope
from notary.server.headers import header
from notary.server.lessons import Lesson
from notary.server.request_log import KnownFields, fields_of_headers, fields_of_line

LONGEST_HEAD = 4096
"""Bytes of a head that is learnt: any two of them together are less than the parser would take."""

_KNOWN_BLOCKS = 1024
_LINE_OVERHEAD = 3072
_LARGEST_SHARE = 8

_TELLING = frozenset(
    {
        *(b"content-length", b"transfer-encoding", b"trailer", b"te", b"expect", b"upgrade"),
        *(b"if-match", b"if-none-match", b"if-modified-since", b"if-unmodified-since"),
        *(b"if-range", b"range", b"http2-settings"),
    }
)
"""Headers that have a say in how a request is answered."""

_ID = b"x-request-id"
_ID_LINE = _ID + b":"
_LINE_END = b"\r\n"


@attrs.frozen(eq=False)
class KnownHeaders:
    """The headers of a request that ask for nothing but what its line does.

    Attributes:
        token: the access token in them.
        forwarded: where proxies say that it comes from.
        fields: what the log tells of them.
    """

    token: bytes | None
    forwarded: str
    fields: KnownFields


@attrs.frozen(eq=False)
class KnownLine:
    """A request line, and how it was answered.

    Attributes:
        gun: the collection it is about, empty if it is about none.
        operation: what it asks for.
        scope: what whoever asks needs; None if anybody may.
        lesson: what the answer depended on.
        status: of the answer.
        head: of the answer, with places for the request's ID and the date.
        reason: what the log says of a refusal.
        fields: what it tells of the request and the answer.
    """

    gun: str
    operation: str
    scope: Scope | None
    lesson: Lesson
    status: int
    head: bytes
    reason: str
    fields: KnownFields


class Shortcuts:
    """Lines and headers that were seen and may be seen again, as far as there is room.

    Args:
        max_bytes: how much memory the lines may take, about.

    Attributes:
        lines: by their bytes, without the end.
        headers: by what `take_out_id` leaves of the bytes between a line and what follows the head.
    """

    def __init__(self, max_bytes: int) -> None:
        self.lines: LRUCache[bytes, KnownLine] = LRUCache(max_bytes, _size)
        self.headers: LRUCache[bytes, KnownHeaders] = LRUCache(_KNOWN_BLOCKS)

    def learn(self, line: bytes, block: bytes, request: Any, fields: dict[str, Any]) -> None:
        """Take in how a request was answered, if that may be so again.

        Args:
            line: its first line.
            block: the rest of its head.
            request: the `notary.server.http.NotaryRequest`.
            fields: what the log tells of it.
        """
        lesson, head = request.lesson, _head(request)
        if head is None or request.code != lesson.status:
            return
        block, given = take_out_id(block)
        if block not in self.headers:
            if not _ask_nothing_else(request.requestHeaders) or header(request, _ID) != given:
                return
            self.headers[block] = KnownHeaders(
                bearer_token(request), request.forwarded, fields_of_headers(fields)
            )
        known = KnownLine(
            gun=request.gun or "",
            operation=request.operation,
            scope=request.scope,
            lesson=lesson,
            status=lesson.status,
            head=head,
            reason=request.reason,
            fields=fields_of_line(fields),
        )
        if _size(known) <= self.lines.maxsize // _LARGEST_SHARE:
            self.lines[line] = known


def take_out_id(block: bytes) -> tuple[bytes, str]:
    """Part headers from the ID that stands in them, which proxies make another each time.

    Only the value is taken out, and only if it is a sane one, makes up the whole of a single line,
    and no other place of the headers looks like one with an ID: so the parser makes the same of
    all headers of which the same is left, but for that ID.

    Returns:
        What is left, and the ID; all of it, and an empty text, if there is no such line.
    """
    lowered = block.lower()
    start = lowered.find(_ID_LINE)
    if (
        start < 0
        or lowered.count(_ID) > 1
        or not (start == 0 or block.endswith(_LINE_END, 0, start))
    ):
        return block, ""
    start += len(_ID_LINE)
    end = block.find(_LINE_END, start)
    given = block[start:end].strip(b" \t").decode("latin-1")
    if not request_id.is_sane(given) or block[end + 2 : end + 3] in (b" ", b"\t"):
        return block, ""
    return block[:start] + block[end:], given


def _ask_nothing_else(headers: Headers) -> bool:
    names = {name.lower() for name, _ in headers.getAllRawHeaders()}
    connection = [value.lower() for value in headers.getRawHeaders(b"Connection", [])]
    return names.isdisjoint(_TELLING) and connection in ([], [b"keep-alive"])


def _head(request: Any) -> bytes | None:
    """Return the head of an answer as a template; None if it cannot be given again."""
    if request.clientproto != b"HTTP/1.1":
        return None
    lines = [b"HTTP/1.1 %d %b" % (request.code, request.code_message)]
    places = []
    for name, values in request.responseHeaders.getAllRawHeaders():
        if name.lower() in (b"x-request-id", b"date"):
            places.append(name.lower())
            lines.append(b"%b: %%b" % name)
        else:
            lines += [b"%b: %b" % (name, value.replace(b"%", b"%%")) for value in values]
    if places != [b"x-request-id", b"date"] or request.responseHeaders.hasHeader(b"Connection"):
        return None
    return b"\r\n".join([*lines, b"", b""])


def _size(line: KnownLine) -> int:
    return _LINE_OVERHEAD + len(line.head) + len(line.lesson.body or b"")
