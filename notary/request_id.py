"""Which request is being served: its ID goes into every log line, here and in the signer.

It is a context variable. Coroutines and worker threads keep the context that they were begun in;
plain callbacks have that of whoever fires them, so what calls them back has to see to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from secrets import token_hex

MAX_LENGTH = 128

_SANE = re.compile(rf"[A-Za-z0-9._:+/=@-]{{1,{MAX_LENGTH}}}")
_current: ContextVar[str] = ContextVar("request_id", default="")


def current() -> str:
    """Return the ID of the request that is being served, empty if there is none."""
    return _current.get()


def is_sane(text: str) -> bool:
    """Tell whether an ID that others chose can be taken over: short, and nothing to be escaped."""
    return _SANE.fullmatch(text) is not None


def new() -> str:
    """Return an ID that no other request has."""
    return token_hex(16)


@contextmanager
def serving(request_id: str) -> Iterator[None]:
    """Let what is done within the block, and what is begun there, be for that request."""
    token = _current.set(request_id)
    try:
        yield
    finally:
        _current.reset(token)
