"""Request headers as text, whatever bytes a client put into them."""

from __future__ import annotations

from twisted.web.iweb import IRequest


def header(request: IRequest, name: bytes) -> str:
    """Return a request's header, empty if absent; what is not UTF-8 in it is replaced."""
    return (request.getHeader(name) or b"").decode(errors="replace")
