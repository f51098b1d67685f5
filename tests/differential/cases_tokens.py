"""Servers that want access tokens: what each operation needs, and which tokens will do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from tests.differential.cases_routes import METHODS, ROUTES
from tests.differential.exchange import Answer, challenge
from tests.differential.harness import Item, Site, case
from tests.differential.tokens import (
    BELOW,
    EXPIRED,
    EXPIRED_LEAF,
    GUARDED,
    KNOWN,
    LEAF,
    OF_LEAF,
    OF_STRANGER,
    REDIRECTING,
    STRANGER,
)
from tests.support.forge import multipart
from tests.support.tokens import CATALOG, REALM, SERVICE, Signer, access, claims, x5c

USUAL = f'Bearer realm="{REALM}",service="{SERVICE}",'

NAMES = {
    "quote": 'case/a"b',
    "backslash": "case/a\\b",
    "bell": "case/a\ab",
    "control": "case/a\x01b",
    "letters": "case/\u00fc\u5341",
    "invisible": "case/a\u200bb",
    "outside-the-bmp": "case/\U0001f433",
    "colon": "case/a:b,c",
    "another-prefix": "other/a",
}
HEADERS: Mapping[str, dict[str, Any]] = {
    "kid": KNOWN.kid(),
    "thumbprint": KNOWN.thumbprint(),
    "unknown-kid": {"kid": "x"},
    "no-key": {},
    "jwk": {"jwk": KNOWN.jwk},
    "jwk-before-kid": {"jwk": KNOWN.jwk, "kid": "x"},
    "jwk-of-stranger": {"jwk": STRANGER.jwk},
    "jwk-private": {"jwk": {**KNOWN.jwk, "d": "AA"}},
    "crit": {**KNOWN.kid(), "crit": ["x"], "x": 1},
    "other-members": {**KNOWN.kid(), "x": 1, "typ": "whatever"},
    "kid-is-a-number": {"kid": 1},
    "x5c-is-a-text": {"x5c": "x"},
    "x5c-of-rubbish": {"x5c": ["AAAA"]},
}
CHAINS: Mapping[str, tuple[Signer, dict[str, Any]]] = {
    "leaf": (LEAF, LEAF.x5c()),
    "intermediate": (BELOW, BELOW.x5c()),
    "missing-intermediate": (BELOW, {"x5c": x5c([BELOW.certificate])}),
    "issued-by-a-leaf": (OF_LEAF, {"x5c": x5c([OF_LEAF.certificate, LEAF.certificate])}),
    "in-the-bundle": (KNOWN, KNOWN.x5c()),
    "expired": (EXPIRED_LEAF, EXPIRED_LEAF.x5c()),
    "expired-in-the-bundle": (EXPIRED, EXPIRED.x5c()),
    "key-of-an-expired-one": (EXPIRED, EXPIRED.kid()),
    "stranger": (OF_STRANGER, OF_STRANGER.x5c()),
    "before-jwk-and-kid": (LEAF, {**LEAF.x5c(), "jwk": {}, "kid": "x"}),
    "in-jwk": (LEAF, {"jwk": {**LEAF.jwk, **LEAF.x5c()}}),
    "of-another-key": (STRANGER, LEAF.x5c()),
}
CLAIMS: Mapping[str, Callable[[int], dict[str, Any]]] = {
    "issuer": lambda _: {"iss": "other"},
    "no-issuer": lambda _: {"iss": None},
    "audience": lambda _: {"aud": "other"},
    "audiences": lambda _: {"aud": [SERVICE, "other"]},
    "expired": lambda now: {"exp": now - 120},
    "expired-within-the-leeway": lambda now: {"exp": now - 30},
    "expires-in-parts": lambda now: {"exp": now + 100.5},
    "expires-never": lambda _: {"exp": None},
    "not-yet": lambda now: {"nbf": now + 120},
    "not-yet-within-the-leeway": lambda now: {"nbf": now + 30},
    "begins-always": lambda _: {"nbf": None},
    "subject": lambda _: {"sub": 5},
    "no-subject": lambda _: {"sub": None},
    "access-is-a-text": lambda _: {"access": "*"},
    "no-access": lambda _: {"access": None},
}
SHOWN = {
    "lower-case": "bearer {}",
    "upper-case": "BEARER {}",
    "two-blanks": "Bearer  {}",
    "trailing-blank": "Bearer {} ",
    "scheme-alone": "Bearer",
    "basic": "Basic {}",
    "no-scheme": "{}",
    "three-parts": "Bearer a.b.c",
    "garbage": "Bearer x",
}
GRANTED: Mapping[str, tuple[str, ...]] = {
    "nothing": (),
    "pull": ("pull",),
    "push": ("push",),
    "both": ("push", "pull"),
    "everything": ("*",),
}


def shown(answer: Answer) -> Iterator[Item]:
    """An answer, and what the header of a refusal says."""
    yield answer
    yield challenge(answer).replace(USUAL, "")


def bearer(text: str, form: str = "Bearer {}") -> dict[str, Any]:
    return {"headers": {"Authorization": form.format(text)}}


def good(site: Site, *actions: str, **changed: Any) -> dict[str, Any]:
    return claims(access(site.gun, *(actions or ("pull",))), **changed)


def cases_of_roles(name: str, make: Callable[[Site], str]) -> None:
    """Register a request for a file under a token."""

    @case(f"token/{name}", GUARDED)
    def scenario(site: Site) -> Iterator[Item]:
        yield from shown(site.get("root.json", **bearer(make(site))))


for route, path in ROUTES.items():
    for method in METHODS:

        @case(f"access/{route}/{method}", GUARDED)
        def call(site: Site, method: str = method, path: str = path) -> Iterator[Item]:
            yield from shown(site.request(method, path.format(gun=site.gun)))


for name, gun in NAMES.items():

    @case(f"access/name/{name}", GUARDED)
    def get(site: Site, gun: str = gun) -> Iterator[Item]:
        yield from shown(site.get("root.json", gun=quote(gun)))


for name, header in HEADERS.items():
    cases_of_roles(f"key/{name}", lambda site, header=header: KNOWN.sign(good(site), header))  # type: ignore[misc]

for name, (signer, header) in CHAINS.items():
    cases_of_roles(
        f"chain/{name}",
        lambda site, signer=signer, header=header: signer.sign(good(site), header),  # type: ignore[misc]
    )

for name, change in CLAIMS.items():
    cases_of_roles(
        f"claim/{name}",
        lambda site, change=change: KNOWN.sign(  # type: ignore[misc]
            good(site, **change(int(time.time()))), KNOWN.kid()
        ),
    )

for name, form in SHOWN.items():

    @case(f"token/shown/{name}", GUARDED)
    def show(site: Site, form: str = form) -> Iterator[Item]:
        token = KNOWN.sign(good(site), KNOWN.kid())
        yield from shown(site.get("root.json", **bearer(token, form)))


for name, actions in GRANTED.items():

    @case(f"token/granted/{name}", GUARDED)
    def use(site: Site, actions: tuple[str, ...] = actions) -> Iterator[Item]:
        token = KNOWN.sign(claims(access(site.gun, *actions)), KNOWN.kid())
        for method, path in [
            ("GET", "root.json"),
            ("GET", "timestamp.key"),
            ("POST", "timestamp.key"),
            ("POST", ""),
            ("DELETE", ""),
        ]:
            yield from shown(site.request(method, site.base() + path, **bearer(token)))


@case("token/granted/catalog", GUARDED)
def catalog(site: Site) -> Iterator[Item]:
    token = KNOWN.sign(claims(CATALOG), KNOWN.kid())
    for path in ("/v2/", "/v2/_trust/changefeed?records=1&change_id=-1", "/nothing"):
        answer = site.request("GET", path, **bearer(token))
        yield f"{answer.status}"
    yield from shown(site.get("root.json", **bearer(token)))


@case("token/cached", GUARDED)
def cached(site: Site) -> Iterator[Item]:
    """Whether caches may give others what somebody got for a token."""
    permission = bearer(KNOWN.sign(claims(access(site.gun, "push", "pull")), KNOWN.kid()))
    key = site.get("timestamp.key", **permission).json
    content_type, body = multipart(site.collection(timestamp_key=key).first())
    headers = {"Content-Type": content_type, **permission["headers"]}
    yield f"{site.request('POST', site.base(), body, headers=headers).status}"
    for name in ("root.json", "1.root.json"):
        answer = site.get(name, **permission)
        yield f"{answer.status} {answer.headers.get('cache-control', 'none')}"


for name, host in {
    "name": "example.com",
    "port": "example.com:5000",
    "ipv6": "[::1]:33",
    "nothing": "",
    "quote": 'a"b',
}.items():

    @case(f"access/host/{name}", REDIRECTING)
    def redirect(site: Site, host: str = host) -> Iterator[Item]:
        yield from shown(site.request("GET", "/v2/", headers={"Host": host}))


@case("access/host/absolute", REDIRECTING)
def absolute(site: Site) -> Iterator[Item]:
    yield from shown(site.request("GET", "http://other.example:77/v2/"))
