"""Delegations: chains of them, their keys, names and versions. The snapshots are the server's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import Any

from tests.differential.harness import Item, Site, case
from tests.support.forge import OMIT, PAST, Collection, Files, Key, public_keys, role

A, B, C = "targets/a", "targets/a/b", "targets/a/b/c"
Build = Callable[[Collection], Files]


def _chain(forge: Collection) -> dict[str, bytes]:
    """Targets and three delegations, each below the one before."""
    return {
        "targets": forge.targets(2, delegations=forge.delegations(A)),
        A: forge.delegation(A, delegations=forge.delegations(B)),
        B: forge.delegation(B, delegations=forge.delegations(C)),
        C: forge.delegation(C),
    }


def _without(*roles: str) -> Build:
    return lambda forge: {k: v for k, v in _chain(forge).items() if k not in roles}


def _field(**changes: Any) -> Build:
    """Targets that delegate to ``targets/a`` in an odd way, and the delegation."""

    def build(forge: Collection) -> Files:
        field = forge.delegations(A)
        kept = {**field["roles"][0], **changes}
        field["roles"] = [{k: v for k, v in kept.items() if v is not OMIT}]
        return {"targets": forge.targets(2, delegations=field), A: forge.delegation(A)}

    return build


def _named(name: str) -> Build:
    """Targets that delegate to an odd name; the delegation itself is not uploaded."""
    return lambda forge: {"targets": forge.targets(2, delegations=forge.delegations(name))}


def _delegation(**how: Any) -> Build:
    return lambda forge: {
        "targets": forge.targets(2, delegations=forge.delegations(A)),
        A: forge.delegation(A, **how),
    }


def _two_of_two(signers: int) -> Build:
    def build(forge: Collection) -> Files:
        keys = [forge.delegation_key(A), Key.generate("ed25519")]
        entry = {"name": A, "paths": [""], **role(keys, 2)}
        field = {"keys": public_keys(keys), "roles": [entry]}
        return {
            "targets": forge.targets(2, delegations=field),
            A: forge.delegation(A, signers=keys[:signers]),
        }

    return build


def _role_twice(forge: Collection) -> Files:
    field = forge.delegations(A)
    field["roles"] *= 2
    return {"targets": forge.targets(2, delegations=field), A: forge.delegation(A)}


def _keys(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Build:
    def build(forge: Collection) -> Files:
        field = forge.delegations(A)
        field["keys"] = change(field["keys"])
        return {"targets": forge.targets(2, delegations=field), A: forge.delegation(A)}

    return build


def _signed_by_parent(forge: Collection) -> Files:
    return _delegation(signers=[forge.targets_key])(forge)


def _certificate(forge: Collection) -> Files:
    """The Go client's delegation keys are certificates."""
    forge.delegation_keys[A] = Key.certificate("", cn="someone")
    return _delegation()(forge)


def _expired_certificate(forge: Collection) -> Files:
    forge.delegation_keys[A] = Key.certificate(
        "",
        cn="someone",
        not_before=datetime(2015, 1, 1, tzinfo=timezone.utc),
        not_after=datetime(2016, 1, 1, tzinfo=timezone.utc),
    )
    return _delegation()(forge)


TABLE: dict[str, Build] = {
    "chain": _chain,
    "chain-reversed": lambda forge: list(reversed(_chain(forge).items())),
    "chain-without-the-last": _without(C),
    "chain-without-a-link": _without(B),
    "chain-without-the-first": _without(A),
    "chain-without-targets": _without("targets"),
    "only-the-last": _without("targets", A, B),
    "unknown": lambda forge: {A: forge.delegation(A)},
    "unknown-deep": lambda forge: {B: forge.delegation(B)},
    "unknown-beside-known": lambda forge: {
        **_chain(forge),
        "targets/x": forge.delegation("targets/x"),
    },
    "by-grandparent": lambda forge: {
        "targets": forge.targets(2, delegations=forge.delegations(B)),
        B: forge.delegation(B),
    },
    "signed-by-another": lambda forge: _delegation(signers=[Key.generate()])(forge),
    "signed-by-parent": _signed_by_parent,
    "not-signed": _delegation(signatures=[]),
    "expired": _delegation(expires=PAST),
    "version-0": _delegation(version=0),
    "version-9": _delegation(version=9),
    "version-2^31-1": _delegation(version=2**31 - 1),
    "type": _delegation(_type="Delegation"),
    "member-beside": _delegation(outer={"x": 1}),
    "indented": _delegation(indent=1),
    "threshold-2": _two_of_two(2),
    "threshold-2-signed-once": _two_of_two(1),
    "threshold-0": _field(threshold=0),
    "threshold-missing": _field(threshold=OMIT),
    "threshold-text": _field(threshold="1"),
    "threshold-beyond-keys": _field(threshold=2),
    "keyids-empty": _field(keyids=[]),
    "keyids-null": _field(keyids=None),
    "keyids-unknown": _field(keyids=["0" * 64]),
    "paths-missing": _field(paths=OMIT),
    "paths-empty": _field(paths=[]),
    "paths-null": _field(paths=None),
    "paths-text": _field(paths="a"),
    "paths-number": _field(paths=[1]),
    "role-twice": _role_twice,
    "role-member-extra": _field(comment="x"),
    "role-path-hash-prefixes": _field(path_hash_prefixes=["00"]),
    "keys-unused": _keys(lambda keys: {**keys, **public_keys([Key.generate()])}),
    "keys-missing": _keys(lambda _: {}),
    "keys-renamed": _keys(lambda keys: dict.fromkeys(["0" * 64], *keys.values())),
    "key-certificate": _certificate,
    "key-certificate-expired": _expired_certificate,
    "name-missing": _field(name=OMIT),
    "name-number": _field(name=1),
    "name-empty": _named(""),
    "name-base-role": _named("snapshot"),
    "name-targets": _named("targets"),
    "name-upper-case": _named("targets/A"),
    "name-dots": _named("targets/.."),
    "name-other-parent": _named("other/a"),
    "name-of-a-grandchild": _named(B),
    "name-trailing-slash": _named("targets/a/"),
    "name-wildcard": _named("targets/*"),
    "name-long": _named("targets/" + "a" * 247),
    "name-too-long": _named("targets/" + "a" * 248),
}

for name, make in TABLE.items():

    @case(f"delegation/{name}")
    def publish(site: Site, make: Build = make) -> Iterator[Item]:
        forge = site.published(server_snapshot=True)
        yield site.upload(make(forge))
        yield site.state(forge)


LATER: dict[str, Build] = {
    "last-next": lambda forge: {C: forge.delegation(C, 2)},
    "last-same": lambda forge: {C: forge.delegation(C, 1)},
    "last-less": lambda forge: {C: forge.delegation(C, 0)},
    "middle-next": lambda forge: {B: forge.delegation(B, 2, delegations=forge.delegations(C))},
    "middle-drops-last": lambda forge: {B: forge.delegation(B, 2)},
    "middle-drops-last-which-follows": lambda forge: {
        B: forge.delegation(B, 2),
        C: forge.delegation(C, 2),
    },
    "middle-changes-key": lambda forge: _changed_key(forge),
    "middle-changes-key-without-last": lambda forge: {B: _changed_key(forge)[B]},
    "targets-drop-all": lambda forge: {"targets": forge.targets(3)},
    "all-next": lambda forge: {
        "targets": forge.targets(3, delegations=forge.delegations(A)),
        A: forge.delegation(A, 2, delegations=forge.delegations(B)),
        B: forge.delegation(B, 2, delegations=forge.delegations(C)),
        C: forge.delegation(C, 2),
    },
    "last-old-beside-new-targets": lambda forge: {
        "targets": forge.targets(3, delegations=forge.delegations(A)),
        C: forge.delegation(C, 1),
    },
}


def _changed_key(forge: Collection) -> dict[str, bytes]:
    forge.delegation_keys[C] = Key.generate()
    return {B: forge.delegation(B, 2, delegations=forge.delegations(C)), C: forge.delegation(C, 2)}


for name, make in LATER.items():

    @case(f"delegation/later/{name}")
    def later(site: Site, make: Build = make) -> Iterator[Item]:
        forge = site.published(server_snapshot=True)
        site.publish(_chain(forge))
        yield site.upload(make(forge))
        yield site.state(forge)


@case("delegation/reads")
def reads(site: Site) -> Iterator[Item]:
    forge = site.published(server_snapshot=True)
    site.publish(_chain(forge))
    for role_name in (A, B, C, "targets/x", "targets/a/x", "targets/a/"):
        yield site.get(f"{role_name}.json")
        yield site.get(f"1.{role_name}.json")


@case("delegation/client-snapshot")
def client_snapshot(site: Site) -> Iterator[Item]:
    forge = site.published()
    files = _chain(forge)
    yield site.upload(
        {**files, "snapshot": forge.snapshot(2, meta_of={"root": forge.root(), **files})}
    )
    yield site.state(forge)


@case("delegation/client-snapshot-without-it")
def client_snapshot_without(site: Site) -> Iterator[Item]:
    """The snapshot leaves out a delegation that comes with it."""
    forge = site.published()
    files = _chain(forge)
    known = {"root": forge.root(), **{k: v for k, v in files.items() if k != C}}
    yield site.upload({**files, "snapshot": forge.snapshot(2, meta_of=known)})
    yield site.state(forge)


@case("delegation/dropped-by-client-snapshot")
def dropped(site: Site) -> Iterator[Item]:
    """A snapshot without the delegation hides it from current reads, not from others."""
    forge = site.published()
    files = {"targets": forge.targets(2, delegations=forge.delegations(A)), A: forge.delegation(A)}
    known = {"root": forge.root(), **files}
    site.publish({**files, "snapshot": forge.snapshot(2, meta_of=known)})
    targets = forge.targets(3)
    known = {"root": forge.root(), "targets": targets}
    yield site.upload({"targets": targets, "snapshot": forge.snapshot(3, meta_of=known)})
    yield site.state(forge)
    yield site.get(f"{A}.json")
    yield site.get(f"1.{A}.json")
