"""What the log tells of an answered request, under the names that the original service uses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import attrs

from notary.observe.logs import json_field
from notary.server.headers import header

if TYPE_CHECKING:
    from notary.server.http import NotaryRequest


COMPLETED = "response completed"

_ORDER = (
    "http.request.id",
    "operation",
    "http.request.method",
    "http.request.uri",
    "http.request.remoteaddr",
    "http.response.duration",
    "http.response.status",
    "http.response.written",
    "gun",
    "auth.user.name",
    "http.request.contenttype",
    "http.request.host",
    "http.request.referer",
    "http.request.useragent",
    "http.response.contenttype",
)
_OF_LINE = (
    "gun",
    "http.request.method",
    "http.request.uri",
    "http.response.contenttype",
    "http.response.status",
    "operation",
)
_OF_HEADERS = (
    "http.request.contenttype",
    "http.request.host",
    "http.request.referer",
    "http.request.useragent",
)


def request_fields(request: NotaryRequest, seconds: float, remote_address: str) -> dict[str, Any]:
    """Return the fields of the line about a request; what it does not have is left out.

    Args:
        request: was answered.
        seconds: how long that took.
        remote_address: where it comes from.
    """
    content_types = request.responseHeaders.getRawHeaders(b"Content-Type", [b""])
    fields: dict[str, Any] = {
        "operation": request.operation,
        "http.request.id": request.request_id,
        "http.request.method": request.method.decode(errors="replace"),
        "http.request.uri": request.uri.decode(errors="replace"),
        "http.request.remoteaddr": remote_address,
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


@attrs.frozen(eq=False)
class KnownFields:
    """Fields that a line has in common with others.

    Attributes:
        values: by name; those without a value are left out.
        json: one text for each name, with a comma behind the field, or empty.
    """

    values: dict[str, Any]
    json: Sequence[str]

    @classmethod
    def of(cls, fields: dict[str, Any], names: Sequence[str]) -> KnownFields:
        """Take some fields of a line."""
        values = {name: fields[name] for name in names if name in fields}
        return cls(
            values,
            tuple(
                f"{json_field(name, values[name])}, " if name in values else "" for name in names
            ),
        )


def fields_of_line(fields: dict[str, Any]) -> KnownFields:
    """Return what goes with a request's first line and its answer."""
    return KnownFields.of(fields, _OF_LINE)


def fields_of_headers(fields: dict[str, Any]) -> KnownFields:
    """Return what goes with a request's headers."""
    return KnownFields.of(fields, _OF_HEADERS)


@attrs.frozen(eq=False)
class KnownRequest:
    """The line about a request that is known. Is `notary.observe.logs.Prepared`.

    Attributes:
        line: from `fields_of_line`.
        headers: from `fields_of_headers`.
        request_id: of one that needs no escapes.
        remote_address: where it comes from.
        user: whose access token came with it, if any.
        seconds: how long the answer took.
        written: bytes of its body.
    """

    line: KnownFields
    headers: KnownFields
    request_id: str
    remote_address: str
    user: str | None
    seconds: float
    written: int

    def fields(self) -> dict[str, Any]:
        """See `Prepared.fields`."""
        values = {
            **self.line.values,
            **self.headers.values,
            "http.request.id": self.request_id,
            "http.request.remoteaddr": self.remote_address,
            "http.response.duration": f"{self.seconds * 1000:.3f}ms",
            "http.response.written": self.written,
        }
        if self.user:
            values["auth.user.name"] = self.user
        return {name: values[name] for name in _ORDER if name in values}

    def json(self, message: str, time: str) -> str:
        """See `Prepared.json`."""
        user = f"{json_field('auth.user.name', self.user)}, " if self.user else ""
        gun, method, uri, answered, status, operation = self.line.json
        sent, host, referer, agent = self.headers.json
        return (
            f'{{{user}{gun}{sent}{host}"http.request.id": "{self.request_id}", {method}{referer}'
            f'"http.request.remoteaddr": "{self.remote_address}", {uri}{agent}{answered}'
            f'"http.response.duration": "{self.seconds * 1000:.3f}ms", {status}'
            f'"http.response.written": {self.written}, "level": "info", "msg": "{message}", '
            f'{operation}"time": "{time}"}}'
        )
