"""JSON that is none, and JSON that says odd things, in an upload that is right otherwise."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from tests.differential.harness import Item, Site, case
from tests.support.forge import FAR, OMIT, Collection, seal

Build = Callable[[Collection], bytes]

PLAIN = {
    "_type": "Targets",
    "delegations": {"keys": {}, "roles": []},
    "expires": FAR,
    "targets": {},
    "version": 1,
}


def _field(name: str, value: Any) -> Build:
    return lambda forge: forge.targets(**{name: value})


def _text(old: str, new: str) -> Build:
    """Rewrite the file after it was signed."""

    def build(forge: Collection) -> bytes:
        text = forge.targets().decode()
        if old not in text:
            raise ValueError(f"{old} is not in {text}")
        return text.replace(old, new, 1).encode("utf-8", "surrogatepass")

    return build


def _raw(value: str) -> Build:
    """Write a raw version into the signed bytes, signed as a plain number if it is one."""
    return _text('"version":1', f'"version":{value}')


def _outer(**members: Any) -> Build:
    return lambda forge: forge.targets(outer=members)


def _signature(**members: Any) -> Build:
    def build(forge: Collection) -> bytes:
        file = json.loads(forge.targets())
        file["signatures"][0].update(members)
        kept = {k: v for k, v in file["signatures"][0].items() if v is not OMIT}
        return seal(file["signed"], [], signatures=[kept])

    return build


def _nested(depth: int) -> Build:
    """An unknown member of lists in lists, written and signed as text: it is too deep to build."""

    def build(forge: Collection) -> bytes:
        text = seal({**PLAIN, "deep": "@"}, [], signatures=[]).decode()
        payload = text[len('{"signed":') : text.index(',"signatures"')]
        payload = payload.replace('"@"', "[" * depth + "]" * depth)
        signature = json.dumps(forge.targets_key.sign(payload.encode()))
        return f'{{"signed":{payload},"signatures":[{signature}]}}'.encode()

    return build


def _custom(raw: str) -> Build:
    """Targets with one file whose ``custom`` is written as given, signed over what it means."""

    def build(forge: Collection) -> bytes:
        marker = {"a": {"hashes": {"sha256": "A" * 43 + "="}, "length": 1, "custom": "@"}}
        text = forge.targets(targets=marker).decode()
        meant = {"a": {**marker["a"], "custom": json.loads(raw)}}
        signatures = json.loads(forge.targets(targets=meant), strict=False)["signatures"]
        signed = re.sub(r'"custom":"@"', lambda _: f'"custom":{raw}', text).partition(
            ',"signatures"'
        )[0]
        return f'{signed},"signatures":{json.dumps(signatures)}}}'.encode("utf-8", "surrogatepass")

    return build


FILES: dict[str, Build] = {
    # No JSON, or not an object
    "empty": lambda _: b"",
    "blank": lambda _: b"  \n",
    "text": lambda _: b"targets",
    "null": lambda _: b"null",
    "list": lambda _: b"[]",
    "string": lambda _: b'"x"',
    "number": lambda _: b"1",
    "object": lambda _: b"{}",
    "cut": lambda forge: forge.targets()[:-20],
    "trailing-newline": lambda forge: forge.targets() + b"\n",
    "trailing-blanks": lambda forge: forge.targets() + b" \t\r\n",
    "trailing-garbage": lambda forge: forge.targets() + b"x",
    "trailing-object": lambda forge: forge.targets() + b"{}",
    "leading-blanks": lambda forge: b" \n" + forge.targets(),
    "byte-order-mark": lambda forge: b"\xef\xbb\xbf" + forge.targets(),
    "utf-16": lambda forge: forge.targets().decode().encode("utf-16"),
    "single-quotes": lambda forge: forge.targets().replace(b'"', b"'"),
    "comment": lambda forge: forge.targets().replace(b"{", b"/* */{", 1),
    "trailing-comma": _text('"version":1', '"version":1,'),
    "invalid-utf8": lambda forge: forge.targets().replace(
        b'"targets":{}', b'"targets":{"\xff":{}}'
    ),
    "nul": lambda forge: forge.targets() + b"\0",
    # Numbers
    "nan": _raw("NaN"),
    "infinity": _raw("Infinity"),
    "version-float": _raw("1.0"),
    "version-fraction": _raw("1.5"),
    "version-exponent": _raw("1e0"),
    "version-string": _field("version", "1"),
    "version-null": _field("version", None),
    "version-missing": _field("version", OMIT),
    "version-true": _field("version", True),
    "version-list": _field("version", [1]),
    "version-0": _field("version", 0),
    "version-negative": _field("version", -1),
    "version-minus-zero": _raw("-0"),
    "version-leading-zero": _raw("01"),
    "version-plus": _raw("+1"),
    "version-2": _field("version", 2),
    "version-1000": _field("version", 1000),
    "version-1001": _field("version", 1001),
    "version-2^31-2": _field("version", 2**31 - 2),
    "version-2^31-1": _field("version", 2**31 - 1),
    "version-2^31": _field("version", 2**31),
    "version-2^53+1": _field("version", 2**53 + 1),
    "version-2^63": _field("version", 2**63),
    "version-2^64+1": _field("version", 2**64 + 1),
    "version-5000-digits": _raw("9" * 5000),
    "version-1e400": _raw("1e400"),
    # Expiry and type
    "expires-missing": _field("expires", OMIT),
    "expires-null": _field("expires", None),
    "expires-number": _field("expires", 1),
    "expires-empty": _field("expires", ""),
    "expires-text": _field("expires", "tomorrow"),
    "expires-date-only": _field("expires", "2046-01-01"),
    "expires-without-zone": _field("expires", "2046-01-01T00:00:00"),
    "expires-offset": _field("expires", "2046-01-01T02:00:00+02:00"),
    "expires-lower-case": _field("expires", "2046-01-01t00:00:00z"),
    "expires-blank-for-t": _field("expires", "2046-01-01 00:00:00Z"),
    "expires-nanoseconds": _field("expires", "2046-01-01T00:00:00.123456789Z"),
    "expires-trailing-zeros": _field("expires", "2046-01-01T00:00:00.120000000Z"),
    "expires-10-digits": _field("expires", "2046-01-01T00:00:00.1234567891Z"),
    "expires-february-30": _field("expires", "2046-02-30T00:00:00Z"),
    "expires-hour-24": _field("expires", "2046-01-01T24:00:00Z"),
    "expires-leap-second": _field("expires", "2046-01-01T00:00:60Z"),
    "expires-year-9999": _field("expires", "9999-12-31T23:59:59Z"),
    "expires-year-10000": _field("expires", "10000-01-01T00:00:00Z"),
    "expires-year-0": _field("expires", "0000-01-01T00:00:00Z"),
    "expires-past": _field("expires", "2016-01-01T00:00:00Z"),
    "type-missing": _field("_type", OMIT),
    "type-null": _field("_type", None),
    "type-number": _field("_type", 1),
    "type-lower-case": _field("_type", "targets"),
    "type-other": _field("_type", "Root"),
    # Members
    "signed-null": _outer(signed=None),
    "signed-missing": _outer(signed=OMIT),
    "signed-list": _outer(signed=[]),
    "signed-string": _outer(signed="x"),
    "signed-empty": _outer(signed={}),
    "signatures-missing": _outer(signatures=OMIT),
    "signatures-null": _outer(signatures=None),
    "signatures-empty": _outer(signatures=[]),
    "signatures-object": _outer(signatures={}),
    "signatures-string": _outer(signatures="x"),
    "signatures-of-null": _outer(signatures=[None]),
    "signatures-of-numbers": _outer(signatures=[1]),
    "signature-keyid-missing": _signature(keyid=OMIT),
    "signature-keyid-number": _signature(keyid=1),
    "signature-keyid-upper-case": lambda forge: forge.targets(
        signers=[lambda data: {**(s := forge.targets_key.sign(data)), "keyid": s["keyid"].upper()}]
    ),
    "signature-method-missing": _signature(method=OMIT),
    "signature-method-null": _signature(method=None),
    "signature-method-upper-case": _signature(method="ECDSA"),
    "signature-method-unknown": _signature(method="dsa"),
    "signature-sig-missing": _signature(sig=OMIT),
    "signature-sig-null": _signature(sig=None),
    "signature-sig-number": _signature(sig=1),
    "signature-sig-empty": _signature(sig=""),
    "signature-sig-not-base64": _signature(sig="!!!!"),
    "signature-sig-url-base64": _signature(sig="-_-_"),
    "signature-sig-no-padding": _signature(sig="AAA"),
    "signature-extra-member": _signature(comment="x"),
    "member-beside": _outer(comment="x"),
    "member-beside-upper-case": lambda forge: forge.targets(outer={"SIGNED": {}}),
    "names-in-other-case": lambda forge: (
        forge.targets().replace(b'"signed"', b'"Signed"').replace(b'"signatures"', b'"SIGNATURES"')
    ),
    "member-in-signed": _field("comment", "x"),
    "field-in-other-case": lambda forge: forge.targets(version=OMIT, Version=1),
    "fields-in-both-cases": _field("VERSION", 9),
    "twice-signed": lambda forge: forge.targets().replace(
        b'{"signed"', b'{"signed":{},"signed"', 1
    ),
    "twice-version": _raw('9,"version":1'),
    "twice-version-last-wrong": _raw('1,"version":9'),
    "twice-escaped": _raw('1,"\\u0076ersion":1'),
    "escaped-name": _text('"version"', '"\\u0076ersion"'),
    "indented": lambda forge: forge.targets(indent=1),
    "nested-100": _nested(100),
    "nested-1000": _nested(1000),
    "nested-20000": _nested(20_000),
    # What targets may hold
    "targets-null": _field("targets", None),
    "targets-missing": _field("targets", OMIT),
    "targets-list": _field("targets", []),
    "target-null": _field("targets", {"a": None}),
    "target-empty": _field("targets", {"a": {}}),
    "target-length-negative": _field("targets", {"a": {"length": -1, "hashes": {}}}),
    "target-length-string": _field("targets", {"a": {"length": "1", "hashes": {}}}),
    "target-length-2^63": _field("targets", {"a": {"length": 2**63, "hashes": {}}}),
    "target-hashes-missing": _field("targets", {"a": {"length": 1}}),
    "target-hash-short": _field("targets", {"a": {"length": 1, "hashes": {"sha256": "AAAA"}}}),
    "target-hash-number": _field("targets", {"a": {"length": 1, "hashes": {"sha256": 1}}}),
    "target-hash-unknown": _field("targets", {"a": {"length": 1, "hashes": {"md5": "AAAA"}}}),
    "target-name-empty": _field(
        "targets", {"": {"length": 1, "hashes": {"sha256": "A" * 43 + "="}}}
    ),
    "target-name-unicode": _field(
        "targets", {"é🐳": {"length": 1, "hashes": {"sha256": "A" * 43 + "="}}}
    ),
    "delegations-null": _field("delegations", None),
    "delegations-missing": _field("delegations", OMIT),
    "delegations-list": _field("delegations", []),
    "delegations-keys-null": _field("delegations", {"keys": None, "roles": []}),
    "delegations-roles-null": _field("delegations", {"keys": {}, "roles": None}),
    "delegations-role-null": _field("delegations", {"keys": {}, "roles": [None]}),
    "custom-null": _custom("null"),
    "custom-object": _custom('{"b": [1, "x", true, null], "a": {}}'),
    "custom-float": _custom("1.5"),
    "custom-2^53+1": _custom(str(2**53 + 1)),
    "custom-html": _custom('"<a href=\\"x\\">&</a>"'),
    "custom-control-characters": _custom('"a\\nb\\u0001\\u007f"'),
    "custom-line-separator": _custom('"\u2028\\u2029"'),
    "custom-escaped-pair": _custom('"\\ud83d\\udc33"'),
    "custom-lone-surrogate": _custom('"\\ud800"'),
    "custom-escaped-slash": _custom('"a\\/b"'),
}

for name, make in FILES.items():

    @case(f"json/{name}")
    def publish(site: Site, make: Build = make) -> Iterator[Item]:
        """The snapshot is the server's, so that nothing of ours vouches for the bytes."""
        forge = site.collection(server_snapshot=True)
        yield site.upload({"root": forge.root(), "targets": make(forge)})
        yield site.state(forge)


for name, other in {"capitals": "VERSION", "long-s": "ver\u017fion"}.items():

    @case(f"json/field-twice-to-go/{name}")
    def other_last(site: Site, other: str = other) -> Iterator[Item]:
        """Programs in Go take either member for the version, and the last one counts."""
        forge = site.collection()
        targets = seal({**PLAIN, other: 9}, [forge.targets_key], indent=0)
        files = {"root": forge.root(), "targets": targets}
        yield site.upload({**files, "snapshot": forge.snapshot(meta_of=files)})
        yield site.get("1.targets.json")
        yield site.get("9.targets.json")


@case("json/signed-null-for-root")
def null_root(site: Site) -> Iterator[Item]:
    forge = site.collection()
    yield site.upload({**forge.first(), "root": forge.root(outer={"signed": None})})


@case("json/expires-offset-served-as-sent")
def as_sent(site: Site) -> Iterator[Item]:
    """What is read is what was sent, byte by byte."""
    forge = site.collection(server_snapshot=True)
    data = forge.targets(expires=FAR, comment="x")
    yield site.upload({"root": forge.root(), "targets": data})
    yield "as sent" if site.get("targets.json").body == data else "not as sent"
