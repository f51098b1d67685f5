"""One request to a server, byte by byte as it is wanted, and what came back."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Mapping
from contextlib import closing
from http.client import HTTPException, HTTPResponse
from typing import Any

import attrs

DROPPED = "connection dropped"
PATIENCE = 20.0
"""How many seconds a server may take for one answer."""

CACHE_HEADERS = ("cache-control", "pragma")
VARYING = {"sig", "sha256", "sha512", "public", "expires", "length", "ID", "CreatedAt"}
"""Members of metadata and changes whose values differ from server to server."""

HEX = re.compile("[0-9a-f]{64}")
"""Key IDs and checksums."""


@attrs.frozen
class Answer:
    """What a server answered; a status of 0 says that it dropped the connection."""

    status: int
    headers: Mapping[str, str] = attrs.field(factory=dict)
    body: bytes = attrs.field(default=b"", repr=False)

    @property
    def json(self) -> Any:
        """The decoded body, None if it is not JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def error(self) -> Mapping[str, Any]:
        """The first error of the body, empty if there is none."""
        data = self.json
        errors = data.get("errors") if isinstance(data, dict) else None
        return errors[0] if errors else {}

    @property
    def update_error(self) -> Mapping[str, Any]:
        """What an INVALID_UPDATE says about the cause, empty for any other answer."""
        detail = self.error.get("detail")
        return detail if self.error.get("code") == "INVALID_UPDATE" and detail else {}

    def __str__(self) -> str:
        if not self.status:
            return DROPPED
        words = [str(self.status), self.error.get("code"), self.update_error.get("Name")]
        missing = self.update_error.get("Error", {}).get("Missing")
        return " ".join(filter(None, [*words, missing]))

    def facts(self) -> dict[str, Any]:
        """All that has to be the same on both servers, normalised."""
        facts: dict[str, Any] = {name: self.headers.get(name) for name in CACHE_HEADERS}
        facts["www-authenticate"] = challenge(self)
        facts["location"] = self.headers.get("location")
        facts["last-modified"] = "last-modified" in self.headers
        if self.error:
            facts["content-type"] = self.headers.get("content-type")
            facts["message"] = self.error.get("message")
            if self.error.get("code") in {"INVALID_ROLE", "UNAUTHORIZED"}:
                facts["detail"] = self.error.get("detail")
            return facts
        if self.status < 400:
            facts["body"] = normalised(self.json) if self.body else None
        return facts


def challenge(answer: Answer) -> str:
    """The header of a refusal; the Go server names actions in any order."""
    header = answer.headers.get("www-authenticate", "no challenge")
    return header.replace(":pull,push", ":push,pull")


def normalised(value: Any) -> Any:
    """Blot out what differs from server to server: key IDs, signatures, hashes, times."""
    if isinstance(value, dict):
        members = {
            name: "*" if name in VARYING else normalised(each) for name, each in value.items()
        }
        if any(map(HEX.fullmatch, members)):
            return sorted(map(repr, members.values()))
        return members
    if isinstance(value, list):
        return [normalised(each) for each in value]
    if isinstance(value, str) and HEX.fullmatch(value):
        return "*"
    return value


@attrs.frozen
class Origin:
    """Where a server listens with plain HTTP."""

    name: str
    host: str
    port: int

    def listens(self) -> bool:
        """Whether the server answers at all."""
        try:
            return self.request("GET", "/v2/").status in {200, 401}
        except ConnectionRefusedError:
            return False

    def request(
        self,
        method: str,
        target: str | bytes,
        body: bytes = b"",
        *,
        headers: Mapping[str, str] | None = None,
        length: int | None = None,
    ) -> Answer:
        """Send one request on a connection of its own and return the answer.

        Args:
            target: the request target; sent as it is.
            headers: in addition to Connection and Content-Length, and to Host if that is not here.
            length: a Content-Length that is not the body's; -1 sends none.
        """
        raw = target if isinstance(target, bytes) else target.encode()
        host = (headers or {}).get("Host", self.host)
        lines = [b"%s %s HTTP/1.1" % (method.encode(), raw), f"Host: {host}".encode()]
        lines.append(b"Connection: close")
        length = len(body) if length is None else length
        if length > 0 or (length == 0 and method in {"POST", "PUT", "PATCH"}):
            lines.append(b"Content-Length: %d" % length)
        lines += [
            f"{name}: {value}".encode() for name, value in (headers or {}).items() if name != "Host"
        ]
        message = b"\r\n".join([*lines, b"", body])
        with closing(socket.create_connection((self.host, self.port), PATIENCE)) as connection:
            try:
                connection.sendall(message)
                if length > len(body):
                    connection.shutdown(socket.SHUT_WR)
                response = HTTPResponse(connection, method=method)
                response.begin()
                data = response.read()
            except (HTTPException, ConnectionError):
                return Answer(0)
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, data)
