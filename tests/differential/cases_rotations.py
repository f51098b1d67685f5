"""A new root for a collection: versions, and keys that change."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone

from tests.differential.harness import Item, Site, case, updates, wait_until
from tests.support.forge import DAY, PAST, Collection, Files, Key

Build = Callable[[Collection], Files]


def _next(root: Callable[[Collection], bytes]) -> Build:
    """A second publish, of root and a snapshot that knows it."""

    def build(forge: Collection) -> Files:
        data = root(forge)
        files = {"root": data, "targets": forge.targets()}
        return {"root": data, "snapshot": forge.snapshot(2, meta_of=files)}

    return build


updates(
    "root/next",
    {
        "version-same": _next(lambda forge: forge.root(1)),
        "version-same-other-content": _next(lambda forge: forge.root(1, consistent_snapshot=True)),
        "version-next": _next(lambda forge: forge.root(2)),
        "version-skipped": _next(lambda forge: forge.root(3)),
        "version-less": _next(lambda forge: forge.root(0)),
        "root-alone": lambda forge: {"root": forge.root(2)},
        "expired": _next(lambda forge: forge.root(2, expires=PAST)),
        "signed-by-another": _next(
            lambda forge: forge.root(2, signers=[Key.certificate(forge.gun)])
        ),
    },
)


def _rotated(forge: Collection, *, old: bool = True, new: bool = True, version: int = 2) -> Files:
    before, forge.root_key = forge.root_key, Key.certificate(forge.gun)
    signers = [key for key, signs in ((before, old), (forge.root_key, new)) if signs]
    return _next(lambda forge: forge.root(version, signers=signers))(forge)


def _rotated_to_bare(forge: Collection) -> Files:
    before, forge.root_key = forge.root_key, Key.generate()
    return _next(lambda forge: forge.root(2, signers=[before, forge.root_key]))(forge)


def _targets_key_changed(forge: Collection, *, with_targets: bool) -> Files:
    """A new targets key, with or without new targets that it signed."""
    old = forge.targets()
    forge.targets_key = Key.generate()
    root, targets = forge.root(2), forge.targets(2) if with_targets else old
    snapshot = forge.snapshot(2, meta_of={"root": root, "targets": targets})
    return {"root": root, "snapshot": snapshot, **({"targets": targets} if with_targets else {})}


def _snapshot_key_changed(forge: Collection) -> Files:
    forge.snapshot_key = Key.generate()
    return _next(lambda forge: forge.root(2))(forge)


def _timestamp_key_changed(forge: Collection) -> Files:
    forge.timestamp_key = Key.generate("ed25519").public_json()
    return _next(lambda forge: forge.root(2))(forge)


updates(
    "root/rotated",
    {
        "signed-by-both": _rotated,
        "signed-by-old": lambda forge: _rotated(forge, new=False),
        "signed-by-new": lambda forge: _rotated(forge, old=False),
        "same-version": lambda forge: _rotated(forge, version=1),
        "to-a-bare-key": _rotated_to_bare,
        "targets-key": lambda forge: _targets_key_changed(forge, with_targets=True),
        "targets-key-without-targets": lambda forge: _targets_key_changed(
            forge, with_targets=False
        ),
        "snapshot-key": _snapshot_key_changed,
        "timestamp-key-not-the-servers": _timestamp_key_changed,
    },
)


@case("root/rotated/timestamp-key")
def rotate_timestamp_key(site: Site) -> Iterator[Item]:
    forge = site.published()
    yield site.request("POST", site.base() + "timestamp.key")
    forge.timestamp_key = site.request("POST", site.base() + "timestamp.key").json
    yield site.upload(_next(lambda forge: forge.root(2))(forge))
    yield site.state(forge)


@case("root/rotated/snapshot-key-to-the-server")
def rotate_snapshot_key(site: Site) -> Iterator[Item]:
    forge = site.published()
    forge.snapshot_key = site.server_key("snapshot")
    yield site.upload({"root": forge.root(2)})
    yield site.state(forge)
    yield site.upload({"targets": forge.targets(2)})
    yield site.state(forge)


@case("root/rotated/snapshot-key-to-the-client")
def rotate_snapshot_key_back(site: Site) -> Iterator[Item]:
    forge = site.published(server_snapshot=True)
    forge.snapshot_key = Key.generate()
    yield site.upload({"root": forge.root(2)})
    yield site.upload(_next(lambda forge: forge.root(2))(forge))
    yield site.state(forge)


@case("root/rotated/three-times")
def rotate_often(site: Site) -> Iterator[Item]:
    """Each new root needs the keys of the one before, not of the first."""
    forge = site.published()
    for version in (2, 3, 4):
        before, forge.root_key = forge.root_key, Key.certificate(forge.gun)
        root = forge.root(version, signers=[before, forge.root_key])
        files = {"root": root, "targets": forge.targets()}
        yield site.upload({"root": root, "snapshot": forge.snapshot(version, meta_of=files)})
    yield site.state(forge)
    yield site.get("1.root.json")
    yield site.get("4.root.json")


def _expiring(site: Site, *guns: str) -> list[Collection]:
    """Collections whose root certificates are expired by now."""
    end = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(seconds=2)
    made = []
    for gun in guns:
        key = Key.certificate(gun, not_before=end - DAY, not_after=end)
        made.append(site.published(gun=gun, root_key=key))
    wait_until(end + timedelta(seconds=1))
    return made


@case("root/certificate-expired")
def expired(site: Site) -> Iterator[Item]:
    """New targets; a new root that the old one's key signed, too; one that it did not sign."""
    targets, rotated, stolen = _expiring(site, *(f"{site.gun}/{n}" for n in range(3)))
    files = {"root": targets.root(), "targets": targets.targets(2)}
    files["snapshot"] = targets.snapshot(2, meta_of=files)
    del files["root"]
    attempts = [
        (targets, files),
        (rotated, _rotated(rotated)),
        (stolen, _rotated(stolen, old=False)),
    ]
    for forge, upload in attempts:
        yield site.upload(upload, gun=forge.gun)
        yield site.state(forge, gun=forge.gun)
