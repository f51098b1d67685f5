"""Targets: versions, signatures, keys."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from tests.differential.harness import Item, Site, case, updates, uploads, wait_until
from tests.support.forge import (
    PAST,
    Collection,
    Files,
    Key,
    public_keys,
    rfc3339,
    role,
    seal,
)

Build = Callable[[Collection], Files]


def _targets(build: Callable[[Collection], bytes]) -> Build:
    """New targets, and the snapshot that knows them."""

    def files(forge: Collection) -> Files:
        data = build(forge)
        known = {"root": forge.root(), "targets": data}
        return {"targets": data, "snapshot": forge.snapshot(2, meta_of=known)}

    return files


def _signed_with(method: str) -> Callable[[Collection], bytes]:
    """Name another method than the one that was used."""
    return lambda forge: forge.targets(
        2, signers=[lambda data: {**forge.targets_key.sign(data), "method": method}]
    )


updates(
    "targets/next",
    {
        "version-same": _targets(lambda forge: forge.targets(1)),
        "version-same-other-content": _targets(lambda forge: forge.targets(1, comment="x")),
        "version-next": _targets(lambda forge: forge.targets(2)),
        "version-skipped": _targets(lambda forge: forge.targets(9)),
        "version-less": _targets(lambda forge: forge.targets(0)),
        "version-step-1000": _targets(lambda forge: forge.targets(1001)),
        "version-step-1001": _targets(lambda forge: forge.targets(1002)),
        "version-2^31-1": _targets(lambda forge: forge.targets(2**31 - 1)),
        "expired": _targets(lambda forge: forge.targets(2, expires=PAST)),
        "type": _targets(lambda forge: forge.targets(2, _type="Snapshot")),
        "signed-by-another": _targets(lambda forge: forge.targets(2, signers=[Key.generate()])),
        "signed-by-snapshot-key": _targets(
            lambda forge: forge.targets(2, signers=[forge.snapshot_key])  # type: ignore[list-item]
        ),
        "not-signed": _targets(lambda forge: forge.targets(2, signatures=[])),
        "wrong-signature": _targets(
            lambda forge: forge.targets(
                2, signers=[lambda data: forge.targets_key.sign(data + b" ")]
            )
        ),
        "another-keyid": _targets(
            lambda forge: forge.targets(
                2, signers=[lambda data: {**forge.targets_key.sign(data), "keyid": "0" * 64}]
            )
        ),
        "method-eddsa": _targets(_signed_with("eddsa")),
        "method-rsapss": _targets(_signed_with("rsapss")),
        "without-snapshot": lambda forge: {"targets": forge.targets(2)},
        "snapshot-of-old": lambda forge: {
            "targets": forge.targets(2),
            "snapshot": forge.snapshot(
                2, meta_of={"root": forge.root(), "targets": forge.targets()}
            ),
        },
        "nothing": lambda _: {},
    },
)
updates(
    "targets/server-snapshot",
    {
        "version-next": lambda forge: {"targets": forge.targets(2)},
        "version-same": lambda forge: {"targets": forge.targets(1)},
        "indented": lambda forge: {"targets": forge.targets(2, indent=4)},
        "member-in-signed": lambda forge: {"targets": forge.targets(2, comment="x")},
        "member-beside": lambda forge: {"targets": forge.targets(2, outer={"comment": "x"})},
        "zeros-in-expires": lambda forge: {
            "targets": forge.targets(2, expires="2046-01-01T00:00:00.100Z")
        },
        "root-again": lambda forge: {"root": forge.root(1), "targets": forge.targets(2)},
        "root-and-targets": lambda forge: {"root": forge.root(2), "targets": forge.targets(2)},
        "nothing": lambda _: {},
        "snapshot-by-client": lambda forge: {
            "snapshot": forge.snapshot(
                2,
                meta_of={"root": forge.root(), "targets": forge.targets()},
                signers=[Key.generate()],
            )
        },
    },
    server_snapshot=True,
)


def _keyed(make: Callable[[], Key], method: str | None = None) -> Build:
    def build(forge: Collection) -> Files:
        forge.targets_key = key = make()
        targets = forge.targets(signers=[lambda data: key.sign(data, method)])
        files = {"root": forge.root(), "targets": targets}
        return {**files, "snapshot": forge.snapshot(meta_of=files)}

    return build


def _pss_with_salt(salt: int) -> Build:
    def build(forge: Collection) -> Files:
        forge.targets_key = key = Key.generate("rsa")

        def sign(data: bytes) -> dict[str, Any]:
            assert isinstance(key.private, rsa.RSAPrivateKey)
            pss = padding.PSS(padding.MGF1(hashes.SHA256()), salt_length=salt)
            sig = key.private.sign(data, pss, hashes.SHA256())
            return {"keyid": key.key_id, "method": "rsapss", "sig": b64encode(sig).decode()}

        files = {"root": forge.root(), "targets": forge.targets(signers=[sign])}
        return {**files, "snapshot": forge.snapshot(meta_of=files)}

    return build


def _ecdsa_in_der(forge: Collection) -> Files:
    """An ECDSA signature as the rest of the world writes it."""
    key = forge.targets_key

    def sign(data: bytes) -> dict[str, Any]:
        assert isinstance(key.private, ec.EllipticCurvePrivateKey)
        sig = key.private.sign(data, ec.ECDSA(hashes.SHA256()))
        return {"keyid": key.key_id, "method": "ecdsa", "sig": b64encode(sig).decode()}

    files = {"root": forge.root(), "targets": forge.targets(signers=[sign])}
    return {**files, "snapshot": forge.snapshot(meta_of=files)}


def _x509_targets_key(forge: Collection) -> Files:
    forge.targets_key = Key.certificate("anything")
    return forge.first()


uploads(
    "targets/key",
    {
        "ed25519": _keyed(lambda: Key.generate("ed25519")),
        "rsa-pss": _keyed(lambda: Key.generate("rsa"), "rsapss"),
        "rsa-pkcs1v15": _keyed(lambda: Key.generate("rsa"), "rsapkcs1v15"),
        "rsa-pss-as-pkcs1v15": lambda forge: _mislabelled(forge, "rsapss", "rsapkcs1v15"),
        "rsa-pkcs1v15-as-pss": lambda forge: _mislabelled(forge, "rsapkcs1v15", "rsapss"),
        "rsa-pss-salt-20": _pss_with_salt(20),
        "rsa-1024": _keyed(lambda: Key.generate("rsa", bits=1024)),
        "ecdsa-in-der": _ecdsa_in_der,
        "certificate": _x509_targets_key,
        "ed25519-short": lambda forge: _publish_key(
            forge, {"keytype": "ed25519", "public": "AAAA"}
        ),
        "type-unknown": lambda forge: _publish_key(forge, {"keytype": "dsa", "public": "AAAA"}),
        "type-missing": lambda forge: _publish_key(forge, {"public": "AAAA"}),
        "not-base64": lambda forge: _publish_key(forge, {"keytype": "ecdsa", "public": "!"}),
        "with-private-part": lambda forge: _publish_key(
            forge, {"keytype": "ecdsa", "public": "AAAA", "private": "AAAA"}
        ),
    },
)


def _mislabelled(forge: Collection, used: str, named: str) -> Files:
    forge.targets_key = key = Key.generate("rsa")
    targets = forge.targets(signers=[lambda data: {**key.sign(data, used), "method": named}])
    files = {"root": forge.root(), "targets": targets}
    return {**files, "snapshot": forge.snapshot(meta_of=files)}


def _publish_key(forge: Collection, parts: dict[str, str]) -> Files:
    """Root names an odd key beside the targets key."""
    value = {"private": parts.get("private"), "public": parts["public"]}
    odd = {k: v for k, v in {**parts, "keyval": value}.items() if k in {"keytype", "keyval"}}
    keys = [forge.root_key, forge.targets_key, forge.snapshot_key, forge.timestamp_key, odd]
    root = forge.root(keys=public_keys(keys), roles={"targets": role([forge.targets_key, odd])})
    files = {"root": root, "targets": forge.targets()}
    return {**files, "snapshot": forge.snapshot(meta_of=files)}


@case("targets/expired-later")
def targets_expire_later(site: Site) -> Iterator[Item]:
    """Expired targets are served, and a delegation below them is still accepted."""
    forge = site.collection(server_snapshot=True)
    end = datetime.now(timezone.utc) + timedelta(seconds=1)
    field = forge.delegations("targets/a")
    site.publish(
        {"root": forge.root(), "targets": forge.targets(delegations=field, expires=rfc3339(end))}
    )
    wait_until(end)
    yield site.get("targets.json")
    yield site.upload({"targets/a": forge.delegation("targets/a")})
    yield site.state(forge)


@case("json/sealed-by-hand")
def by_hand(site: Site) -> Iterator[Item]:
    """The payload's members in any order, with blanks: what counts is the canonical form."""
    forge = site.collection(server_snapshot=True)
    data = seal(
        {
            "version": 1,
            "targets": {},
            "expires": "2046-01-01T00:00:00Z",
            "delegations": {"roles": [], "keys": {}},
            "_type": "Targets",
        },
        [forge.targets_key],
        indent=3,
    )
    yield site.upload({"root": forge.root(), "targets": data})
    yield site.state(forge)
