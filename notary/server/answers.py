"""Answers in JSON, with what goes before them."""

from __future__ import annotations

import json
from typing import Any

from twisted.web.http import SERVICE_UNAVAILABLE
from twisted.web.iweb import IRequest

from notary.server.errors import APIError

JSON = "application/json; charset=utf-8"

RETRY_AFTER = 5
"""Seconds that a client is asked to wait when something behind the server is away."""


def render_json(request: IRequest, value: Any) -> bytes:
    """Return the body of an answer with a value, having set its headers."""
    return render_body(request, to_json(value))


def render_body(request: IRequest, body: bytes) -> bytes:
    """Return the body of an answer that is JSON already, having set its headers."""
    request.setHeader("Content-Type", JSON)
    return body


def to_json(value: Any) -> bytes:
    """Return a value as it is written in the bodies of answers."""
    return json.dumps(value).encode()


def render_error(request: IRequest, error: APIError) -> bytes:
    """Return the body of an answer with an error, having set its headers and status."""
    request.setResponseCode(error.code.status)
    request.setHeader("Content-Type", JSON)
    request.setHeader("Content-Length", str(len(error.body)))
    if error.code.status == SERVICE_UNAVAILABLE:
        request.setHeader("Retry-After", str(RETRY_AFTER))
    return error.body
