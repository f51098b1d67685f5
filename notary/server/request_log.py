"""What the log tells of an answered request, under the names that the original service uses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from notary.server.headers import header
from notary.server.remote import Networks, remote_address

if TYPE_CHECKING:
    from notary.server.http import NotaryRequest


def request_fields(request: NotaryRequest, seconds: float, proxies: Networks) -> dict[str, Any]:
    """Return the fields of the line about a request; what it does not have is left out.

    Args:
        request: was answered.
        seconds: how long that took.
        proxies: whose word is taken for where the request comes from.
    """
    peer: Any = request.getClientAddress()
    forwarded = ""
    if proxies:
        values = request.requestHeaders.getRawHeaders(b"X-Forwarded-For", [])
        forwarded = b",".join(values).decode(errors="replace")
    content_types = request.responseHeaders.getRawHeaders(b"Content-Type", [b""])
    fields: dict[str, Any] = {
        "operation": request.operation,
        "http.request.id": request.request_id,
        "http.request.method": request.method.decode(errors="replace"),
        "http.request.uri": request.uri.decode(errors="replace"),
        "http.request.remoteaddr": remote_address(peer.host, peer.port, forwarded, proxies),
        "http.response.duration": f"{seconds * 1000:.3f}ms",
        "http.response.status": request.code,
        "http.response.written": request.sentLength,
    }
    optional = {
        "gun": request.gun,
        "auth.user.name": request.user,
        "http.request.contenttype": header(request, b"Content-Type"),
        "http.request.host": header(request, b"Host"),
        "http.request.referer": header(request, b"Referer"),
        "http.request.useragent": header(request, b"User-Agent"),
        "http.response.contenttype": content_types[-1].decode(errors="replace"),
    }
    fields.update((name, value) for name, value in optional.items() if value)
    return fields
