"""The header WWW-Authenticate, as the Go server writes it."""

from __future__ import annotations

from typing import cast

import pytest
from twisted.web.iweb import IRequest
from twisted.web.test.requesthelper import DummyRequest

from notary.server.access.challenge import Challenge, quoted
from notary.server.access.interfaces import CATALOG, Scope

REALM = "https://auth.example.com/token"


def header(
    challenge: Challenge,
    scope: Scope = CATALOG,
    error: str | None = None,
    host: bytes | None = b"localhost",
    uri: bytes = b"/v2/",
) -> str:
    request = DummyRequest([b"v2"])
    request.uri = uri
    if host is not None:
        request.requestHeaders.setRawHeaders(b"Host", [host])
    return challenge.header(cast(IRequest, request), scope, error)


def test_parameters_and_their_order() -> None:
    challenge = Challenge(REALM, "notary")
    start = f'Bearer realm="{REALM}",service="notary",scope='
    assert header(challenge) == f'{start}"registry:catalog:*"'
    scope = Scope("repository", "a/b", ("push", "pull"))
    assert header(challenge, scope, "invalid_token") == (
        f'{start}"repository:a/b:push,pull",error="invalid_token"'
    )


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("", '""'),
        ("docker.io/a b", '"docker.io/a b"'),
        ('a"b\\c', r'"a\"b\\c"'),
        ("\a\b\f\n\r\t\v", r'"\a\b\f\n\r\t\v"'),
        ("\x00\x1f\x7f", r'"\x00\x1f\x7f"'),
        ("\u00fc\u00a0\u200b\ufffd", '"\u00fc\\u00a0\\u200b\ufffd"'),
        ("\U0001f600\U000e0001", '"\U0001f600\\U000e0001"'),
    ],
)
def test_quoting(text: str, written: str) -> None:
    assert quoted(text) == written


@pytest.mark.parametrize(
    ("host", "uri", "realm"),
    [
        (b"example.com", b"/v2/", "https://example.com/auth/token"),
        (b"example.com:5000", b"/v2/", "https://example.com:5000/auth/token"),
        (b"[::1]:33", b"/v2/", "https://[::1]:33/auth/token"),
        (b"example.com", b"http://other.example:77/v2/", "https://other.example:77/auth/token"),
        (None, b"/v2/", REALM),
        (b"", b"/v2/", REALM),
        (b'a",error="', b"/v2/", REALM),
        (b"user@example.com", b"/v2/", REALM),
        (b"example.com/path", b"/v2/", REALM),
        (b"\xff", b"/v2/", REALM),
        (b"example.com", b"http://a b/v2/", REALM),
    ],
)
def test_redirection_to_the_host_that_was_asked(host: bytes | None, uri: bytes, realm: str) -> None:
    written = header(Challenge(REALM, "notary", autoredirect=True), host=host, uri=uri)
    assert written.startswith(f'Bearer realm="{realm}",service="notary"')
    assert header(Challenge(REALM, "x"), host=host, uri=uri).startswith(f'Bearer realm="{REALM}"')
