"""Snapshots that clients make."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from tests.differential.harness import Item, Site, case, updates, wait_until
from tests.support.forge import (
    OMIT,
    PAST,
    Collection,
    Files,
    Key,
    file_meta,
    public_keys,
    rfc3339,
    role,
)

Build = Callable[[Collection], Files]


def _snapshot(**how: Any) -> Build:
    """Snapshot 2 of what is stored, with something odd about it."""

    def build(forge: Collection) -> Files:
        known = {"root": forge.root(), "targets": forge.targets()}
        return {"snapshot": forge.snapshot(**{"version": 2, "meta_of": known, **how})}

    return build


def _meta(**changes: Any) -> Build:
    """Snapshot 2 beside targets 2, with members of ``meta`` replaced."""

    def build(forge: Collection) -> Files:
        targets = forge.targets(2)
        meta = {"root": file_meta(forge.root()), "targets": file_meta(targets)}
        for name, change in changes.items():
            value = change(meta[name]) if callable(change) and name in meta else change
            meta[name] = value
        meta = {name: value for name, value in meta.items() if value is not OMIT}
        return {"targets": targets, "snapshot": forge.snapshot(2, meta=meta)}

    return build


ZERO_256, ZERO_512 = "A" * 43 + "=", "A" * 86 + "=="

updates(
    "snapshot/next",
    {
        "version-next": _snapshot(),
        "version-same": _snapshot(version=1),
        "version-less": _snapshot(version=0),
        "version-skipped": _snapshot(version=5),
        "expired": _snapshot(expires=PAST),
        "type": _snapshot(_type="Targets"),
        "not-signed": _snapshot(signatures=[]),
        "signed-by-another": lambda forge: _snapshot(signers=[Key.generate()])(forge),
        "signed-by-targets-key": lambda forge: _snapshot(signers=[forge.targets_key])(forge),
        "meta-missing": _snapshot(meta=OMIT),
        "meta-null": _snapshot(meta=None),
        "meta-list": _snapshot(meta=[]),
        "member-beside": _snapshot(outer={"x": 1}),
        "indented": _snapshot(indent=1),
        "targets-not-stored": lambda forge: {
            "snapshot": forge.snapshot(
                2, meta_of={"root": forge.root(), "targets": forge.targets(2)}
            )
        },
        "root-not-stored": lambda forge: {
            "snapshot": forge.snapshot(
                2, meta_of={"root": forge.root(2), "targets": forge.targets()}
            )
        },
        "unknown-role": lambda forge: {
            "snapshot": forge.snapshot(
                2,
                meta_of={
                    "root": forge.root(),
                    "targets": forge.targets(),
                    "targets/a": forge.delegation("targets/a"),
                },
            )
        },
    },
)
updates(
    "snapshot/meta",
    {
        "right": _meta(),
        "without-root": _meta(root=OMIT),
        "without-targets": _meta(targets=OMIT),
        "only-sha256": _meta(targets=lambda m: {**m, "hashes": {"sha256": m["hashes"]["sha256"]}}),
        "only-sha512": _meta(targets=lambda m: {**m, "hashes": {"sha512": m["hashes"]["sha512"]}}),
        "wrong-sha256": _meta(
            targets=lambda m: {**m, "hashes": {**m["hashes"], "sha256": ZERO_256}}
        ),
        "wrong-sha512": _meta(
            targets=lambda m: {**m, "hashes": {**m["hashes"], "sha512": ZERO_512}}
        ),
        "wrong-root-hash": _meta(root=lambda m: {**m, "hashes": {"sha256": ZERO_256}}),
        "short-sha256": _meta(targets=lambda m: {**m, "hashes": {"sha256": "AAAA"}}),
        "more-hashes": _meta(targets=lambda m: {**m, "hashes": {**m["hashes"], "md5": "AAAA"}}),
        "no-hashes": _meta(targets=lambda m: {**m, "hashes": {}}),
        "hashes-null": _meta(targets=lambda m: {**m, "hashes": None}),
        "hash-in-hex": _meta(targets=lambda m: {**m, "hashes": {"sha256": "00" * 32}}),
        "hash-not-base64": _meta(targets=lambda m: {**m, "hashes": {"sha256": "!"}}),
        "wrong-length": _meta(targets=lambda m: {**m, "length": 1}),
        "length-missing": _meta(targets=lambda m: {"hashes": m["hashes"]}),
        "length-text": _meta(targets=lambda m: {**m, "length": "1"}),
        "null": _meta(targets=None),
        "odd-role": _meta(**{"odd role": {"hashes": {"sha256": ZERO_256}, "length": 1}}),
    },
)


@case("snapshot/threshold-2")
def threshold(site: Site) -> Iterator[Item]:
    """Root wants two snapshot signatures; one, one written twice, then both."""
    forge = site.collection()
    first, second = forge.snapshot_key, Key.generate()
    assert isinstance(first, Key)
    keys = [forge.root_key, forge.targets_key, first, second, forge.timestamp_key]
    root = forge.root(keys=public_keys(keys), roles={"snapshot": role([first, second], 2)})
    files = {"root": root, "targets": forge.targets()}
    for signers in ([first], [first, first], [first, second]):
        yield site.upload({**files, "snapshot": forge.snapshot(meta_of=files, signers=signers)})
    yield site.state(forge)


@case("snapshot/server-makes-it-then-the-client")
def both(site: Site) -> Iterator[Item]:
    """A key that the server holds is not the client's to sign with, but two keys may be named."""
    ours = Key.generate()
    forge = site.collection(server_snapshot=True)
    keys: list[Key | Mapping[str, Any]] = [
        forge.root_key,
        forge.targets_key,
        ours,
        forge.snapshot_key,
        forge.timestamp_key,
    ]
    root = forge.root(keys=public_keys(keys), roles={"snapshot": role([forge.snapshot_key, ours])})
    yield site.upload({"root": root, "targets": forge.targets()})
    yield site.state()
    files = {"root": root, "targets": forge.targets(2)}
    snapshot = forge.snapshot(2, meta_of=files, signers=[ours])
    yield site.upload({"targets": files["targets"], "snapshot": snapshot})
    yield site.state()


@case("snapshot/expired-later")
def expires_later(site: Site) -> Iterator[Item]:
    """A client's snapshot that has expired in the meantime is still served."""
    forge = site.collection()
    end = datetime.now(timezone.utc) + timedelta(seconds=1)
    files = {"root": forge.root(), "targets": forge.targets()}
    site.publish({**files, "snapshot": forge.snapshot(meta_of=files, expires=rfc3339(end))})
    wait_until(end)
    yield site.get("timestamp.json")
    yield site.get("snapshot.json")
    yield site.get("targets.json")
    yield site.upload(
        {
            "targets": forge.targets(2),
            "snapshot": forge.snapshot(
                2, meta_of={"root": forge.root(), "targets": forge.targets(2)}
            ),
        }
    )
    yield site.state(forge)
