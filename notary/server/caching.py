"""What answers say about how long they may be kept, and which file they are."""

from __future__ import annotations

import attrs
from twisted.web.http import NOT_MODIFIED, datetimeToString
from twisted.web.iweb import IRequest
from werkzeug.http import parse_etags

from notary.server.answers import JSON
from notary.server.headers import header
from notary.storage.interfaces import StoredFile


@attrs.frozen
class CacheControl:
    """How long an answer may be kept.

    Attributes:
        max_age: seconds; 0 forbids to keep it.
        must_revalidate: whether it may not be used beyond that time.
        shared: whether it may also be kept for others than the client that asked.
    """

    max_age: int
    must_revalidate: bool = False
    shared: bool = True

    @property
    def headers(self) -> dict[str, str]:
        """The headers that say so."""
        if self.max_age == 0:
            return {"Cache-Control": "max-age=0, no-cache, no-store", "Pragma": "no-cache"}
        value = f"private, max-age={self.max_age}"
        if self.shared:
            value = f"public, max-age={self.max_age}, s-maxage={self.max_age}"
        if self.must_revalidate:
            value += ", must-revalidate"
        return {"Cache-Control": value}


def render_file(request: IRequest, file: StoredFile, cache: CacheControl) -> bytes:
    """Return the body of an answer with a metadata file, having set its headers and status.

    The file's checksum is its entity tag, so a client that has it gets a 304 without a body. The
    time of the last change has whole seconds, too coarse to tell two publishes apart: it is told,
    but nothing is decided by it.
    """
    for name, value in cache.headers.items():
        request.setHeader(name, value)
    request.setHeader("Last-Modified", datetimeToString(file.created_at.timestamp()))
    request.setHeader("ETag", f'"{file.sha256}"')
    known = parse_etags(header(request, b"If-None-Match"))
    if known.contains_weak(file.sha256):
        request.setResponseCode(NOT_MODIFIED)
        return b""
    request.setHeader("Content-Type", JSON)
    return file.data
