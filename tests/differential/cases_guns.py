"""Names of collections: each asks for a key, publishes, and reads back under the same name."""

from __future__ import annotations

import string
from collections.abc import Iterator
from urllib.parse import quote, unquote

from tests.differential.harness import Item, Site, case
from tests.support.forge import Key

GUNS = {
    "port": "localhost:5000/{}",
    "dots": "{}/a.b/c..d/.e",
    "docker": "docker.io/library/{}",
    "upper-case": "Docker.IO/Library/{}",
    "punctuation": "{}/~!$&'()+,;=@-_:",
    "single-segment": "{}",
    "encoded-slash": "docker.io%2Flibrary%2F{}",
    "encoded-letter": "%64ocker.io/{}",
    "encoded-percent": "{}%2520b",
    "encoded-question-mark": "{}%3Fb",
    "encoded-hash": "{}%23b",
    "plus": "{}+b",
    "blank-inside": "{}%20b",
    "blank-leading": "%20{}",
    "blank-trailing": "{}%20",
    "no-break-space-trailing": "{}%C2%A0",
    "no-break-space-inside": "{}%C2%A0b",
    "utf8-encoded": "{}/%E5%8D%81%C3%A9",
    "outside-the-bmp": "{}/%F0%9F%90%B3",
    "combining": "{}/e%CC%81",
    "asterisk-raw": "{}/*",
    "asterisk-encoded": "{}/%2A",
    "length-255": "{:a<255}",
    "length-256": "{:a<256}",
    "length-1000": "{:a<1000}",
    "length-255-characters-of-two-bytes": "{:é<255}",
    "empty-segment": "{}//b",
    "empty-segment-encoded": "{}/%2Fb",
    "dot-segment": "{}/./b",
    "parent-segment": "{}/x/../b",
    "parent-segment-encoded": "{}/x/%2e%2e/b",
    "trailing-slash": "{}/",
    "leading-slash": "/{}",
    "leading-slash-encoded": "%2F{}",
    "trust-inside": "{}/_trust/tuf/b",
    "trust-alone": "{}/_trust",
    "changefeed-inside": "{}/_trust/changefeed",
    "bracket": "{}/[b]|^`",
    "backslash": "{}\\b",
    "backslash-encoded": "{}%5Cb",
    "quote": '{}"b',
    "quote-encoded": "{}%22b",
    "newline": "{}%0Ab",
    "tab": "{}%09b",
    "nul": "{}%00b",
    "delete-character": "{}%7Fb",
    "c1-control": "{}%C2%85b",
    "invalid-utf8": "{}%FFb",
    "surrogate": "{}%ED%A0%80b",
    "bad-escape": "{}%zzb",
    "short-escape": "{}%4",
    "json-suffix": "{}.json",
    "right-to-left": "{}/%D7%90%E2%80%8F",
    "zero-width": "{}%E2%80%8Bb",
    "byte-order-mark": "%EF%BB%BF{}",
}

for case_name, pattern in GUNS.items():

    @case(f"gun/{case_name}")
    def use(site: Site, pattern: str = pattern) -> Iterator[Item]:
        written = quote(pattern.format(site.gun), safe=string.punctuation)
        answer = site.get("timestamp.key", gun=written)
        yield answer
        key = answer.json if answer.status == 200 else Key.generate("ed25519").public_json()
        name = unquote(written, errors="replace").replace("\0", "?")
        forge = site.collection(gun=written, name=name, timestamp_key=key)
        yield site.upload(forge.first(), gun=written)
        yield site.state(forge, gun=written)
        yield site.request("DELETE", site.base(written))
        yield site.request("GET", f"/v2/{written}/_trust/changefeed?records=10")


@case("gun/not-encoded")
def not_encoded(site: Site) -> Iterator[Item]:
    """Bytes beyond ASCII in a request line, as no standard allows."""
    yield site.get("timestamp.key", gun=site.gun + "/é")


@case("gun/encoding-does-not-matter")
def encoding(site: Site) -> Iterator[Item]:
    """``a%2Fb`` and ``a/b`` are one collection."""
    forge = site.published(gun=site.gun + "/b")
    yield site.state(forge, gun=site.gun + "%2Fb")
    yield site.state(forge, gun=site.gun.replace("c", "%63", 1) + "/b")


@case("gun/case-matters")
def letters(site: Site) -> Iterator[Item]:
    site.published(gun=site.gun + "/b")
    yield site.state(gun=site.gun + "/B")


@case("gun/composition-matters")
def composition(site: Site) -> Iterator[Item]:
    """An accented letter is another one than a letter followed by an accent."""
    site.published(gun=site.gun + "/%C3%A9", name=site.gun + "/é")
    yield site.state(gun=site.gun + "/e%CC%81")


@case("gun/trailing-dot-matters")
def trailing_dot(site: Site) -> Iterator[Item]:
    site.published(gun=site.gun + "b")
    yield site.state(gun=site.gun + "b.")


@case("prefix/allowed", "prefixes")
def allowed(site: Site) -> Iterator[Item]:
    forge = site.published(gun="docker.io/" + site.gun)
    yield site.state(forge, gun="docker.io/" + site.gun)


PREFIXED = {
    "other": "quay.io/{}",
    "without-slash": "docker.io.evil/{}",
    "upper-case": "Docker.io/{}",
    "parent-segments": "docker.io/%2e%2e/{}",
    "second": "registry.example/team/{}",
    "second-too-short": "registry.example/{}",
    "leading-slash": "%2Fdocker.io/{}",
}

for case_name, pattern in PREFIXED.items():

    @case(f"prefix/{case_name}", "prefixes")
    def prefixed(site: Site, pattern: str = pattern) -> Iterator[Item]:
        gun = pattern.format(site.gun)
        yield site.request("POST", site.base(gun), b"x")
        yield site.get("timestamp.key", gun=gun)
        yield site.request("POST", site.base(gun) + "snapshot.key")
        yield site.get("root.json", gun=gun)
        yield site.get("1.root.json", gun=gun)
        yield site.request("DELETE", site.base(gun))
        yield site.request("GET", f"/v2/{gun}/_trust/changefeed?records=1")


@case("prefix/not-for-the-server-changefeed", "prefixes")
def server_changefeed(site: Site) -> Iterator[Item]:
    yield str(site.request("GET", "/v2/_trust/changefeed?records=1&change_id=-1"))
    yield site.request("GET", "/v2/")
