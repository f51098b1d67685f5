"""What whoever is refused is told: where tokens are to be had, and for what."""

from __future__ import annotations

import re
from typing import Any

import attrs
from twisted.web.iweb import IRequest

from notary.server.access.interfaces import Scope

INVALID_TOKEN = "invalid_token"  # noqa: S105
INSUFFICIENT_SCOPE = "insufficient_scope"

_AUTHORITY = re.compile(rb"\Ahttps?://([^/]*)", re.IGNORECASE)
_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_ESCAPES = {
    '"': r"\"",
    "\\": r"\\",
    "\a": r"\a",
    "\b": r"\b",
    "\f": r"\f",
    "\n": r"\n",
    "\r": r"\r",
    "\t": r"\t",
    "\v": r"\v",
}


@attrs.frozen
class Challenge:
    """The header ``WWW-Authenticate`` (RFC 6750), with the parameters in the Go server's order.

    Attributes:
        realm: the URL of the token server.
        service: the name of this service there.
        autoredirect: whether the token server is at the host that the client asked, in place of
            the realm.
    """

    realm: str
    service: str
    autoredirect: bool = False

    def header(self, request: IRequest, scope: Scope, error: str | None) -> str:
        """Return the header's value; the error is a code of RFC 6750, None without a token."""
        parameters = {"realm": self._realm(request), "service": self.service, "scope": str(scope)}
        if error is not None:
            parameters["error"] = error
        pairs = (f"{name}={quoted(value)}" for name, value in parameters.items())
        return f"Bearer {','.join(pairs)}"

    def _realm(self, request: Any) -> str:
        """Return where to send the client; a host that is none does not get into the header."""
        if not self.autoredirect:
            return self.realm
        absolute = _AUTHORITY.match(request.uri)
        host = absolute[1] if absolute else request.getHeader(b"Host") or b""
        text = host.decode(errors="replace")
        return f"https://{text}/auth/token" if _HOST.fullmatch(text) else self.realm


def quoted(text: str) -> str:
    """Return a text in quotes as the Go server writes it: what is not printable is escaped."""
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(character: str) -> str:
    code = ord(character)
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
