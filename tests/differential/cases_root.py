"""Root in a first publish: who signed it, keys, thresholds, structure."""

from __future__ import annotations

from collections.abc import Callable

from tests.differential.harness import uploads
from tests.support.forge import OMIT, PAST, Collection, Files, Key, public_keys, role

Build = Callable[[Collection], Files]


def _first(root: Callable[[Collection], bytes]) -> Build:
    """A first publish with a root of its own, which the snapshot knows."""

    def build(forge: Collection) -> Files:
        files = {"root": root(forge), "targets": forge.targets()}
        return {**files, "snapshot": forge.snapshot(meta_of=files)}

    return build


def _roles(**roles: object) -> Callable[[Collection], bytes]:
    return lambda forge: forge.root(roles=roles)


def _renamed_key(forge: Collection) -> bytes:
    """The targets key under an ID that is not its own."""
    keys = public_keys([forge.root_key, forge.snapshot_key, forge.timestamp_key])
    keys["0" * 64] = forge.targets_key.public_json()
    return forge.root(keys=keys, roles={"targets": {"keyids": ["0" * 64], "threshold": 1}})


def _two_root_keys(threshold: int, signers: int) -> Callable[[Collection], bytes]:
    def build(forge: Collection) -> bytes:
        both = [forge.root_key, Key.certificate(forge.gun)]
        keys = public_keys([*both, forge.targets_key, forge.snapshot_key, forge.timestamp_key])
        return forge.root(keys=keys, roles={"root": role(both, threshold)}, signers=both[:signers])

    return build


def _signed_twice(forge: Collection) -> bytes:
    """A threshold of two, met by one key's signature written twice."""
    other = Key.certificate(forge.gun)
    keys = [forge.root_key, other, forge.targets_key, forge.snapshot_key, forge.timestamp_key]
    roles = {"root": role([forge.root_key, other], 2)}
    return forge.root(keys=public_keys(keys), roles=roles, signers=[forge.root_key] * 2)


def _key_listed_twice(forge: Collection) -> bytes:
    return forge.root(roles={"root": role([forge.root_key] * 2, 2)}, signers=[forge.root_key] * 2)


def _wrong_signature(forge: Collection) -> bytes:
    return forge.root(signers=[lambda data: forge.root_key.sign(data + b" ")])


def _other_timestamp_key(forge: Collection) -> Files:
    forge.timestamp_key = Key.generate("ed25519").public_json()
    return forge.first()


uploads(
    "root/first",
    {
        "version-2": _first(lambda forge: forge.root(2)),
        "version-0": _first(lambda forge: forge.root(0)),
        "version-3": _first(lambda forge: forge.root(3)),
        "expired": _first(lambda forge: forge.root(expires=PAST)),
        "type-targets": _first(lambda forge: forge.root(_type="Targets")),
        "not-signed": _first(lambda forge: forge.root(signatures=[])),
        "signed-by-another": _first(lambda forge: forge.root(signers=[Key.certificate(forge.gun)])),
        "signed-by-bare-key": _first(
            lambda forge: forge.root(
                signers=[
                    lambda data: {**forge.root_key.sign(data), "keyid": forge.root_key.canonical_id}
                ]
            )
        ),
        "wrong-signature": _first(_wrong_signature),
        "two-signatures-one-wrong": _first(
            lambda forge: forge.root(signers=[Key.generate(), forge.root_key])
        ),
        "signature-right-after-wrong": _first(
            lambda forge: forge.root(
                signers=[lambda data: forge.root_key.sign(data + b" "), forge.root_key]
            )
        ),
        "keys-missing": _first(lambda forge: forge.root(keys=OMIT)),
        "keys-null": _first(lambda forge: forge.root(keys=None)),
        "keys-list": _first(lambda forge: forge.root(keys=[])),
        "key-missing": _first(
            lambda forge: forge.root(
                keys=public_keys([forge.root_key, forge.targets_key, forge.snapshot_key])
            )
        ),
        "key-under-another-id": _first(_renamed_key),
        "roles-missing": _first(lambda forge: forge.root(roles=None)),
        "consistent-snapshot-missing": _first(lambda forge: forge.root(consistent_snapshot=OMIT)),
        "consistent-snapshot-true": _first(lambda forge: forge.root(consistent_snapshot=True)),
        "consistent-snapshot-text": _first(lambda forge: forge.root(consistent_snapshot="no")),
        "role-null": _first(_roles(targets=None)),
        "role-without-keys": _first(_roles(targets={"keyids": [], "threshold": 1})),
        "role-keyids-null": _first(_roles(targets={"keyids": None, "threshold": 1})),
        "threshold-0": _first(
            lambda forge: forge.root(roles={"targets": role([forge.targets_key], 0)})
        ),
        "threshold-negative": _first(
            lambda forge: forge.root(roles={"root": role([forge.root_key], -1)})
        ),
        "threshold-text": _first(
            lambda forge: forge.root(roles={"root": role([forge.root_key], "1")})
        ),
        "threshold-float": _first(
            lambda forge: forge.root(roles={"root": role([forge.root_key], 1.5)})
        ),
        "threshold-2-of-1": _first(
            lambda forge: forge.root(roles={"root": role([forge.root_key], 2)})
        ),
        "threshold-2-of-2": _first(_two_root_keys(2, 2)),
        "threshold-2-signed-once": _first(_two_root_keys(2, 1)),
        "threshold-1-of-2": _first(_two_root_keys(1, 1)),
        "threshold-2-signed-twice": _first(_signed_twice),
        "threshold-2-key-listed-twice": _first(_key_listed_twice),
        "timestamp-threshold-2": _first(
            lambda forge: forge.root(roles={"timestamp": role([forge.timestamp_key], 2)})
        ),
        "mirrors-role": _first(
            lambda forge: forge.root(roles={"mirrors": role([forge.targets_key])})
        ),
        "timestamp-key-not-the-servers": _other_timestamp_key,
        "member-in-signed": _first(lambda forge: forge.root(comment="x")),
        "member-beside": _first(lambda forge: forge.root(outer={"comment": "x"})),
        "indented": _first(lambda forge: forge.root(indent=2)),
        **{
            f"without-{name}": _first(_roles(**{name: OMIT}))
            for name in ("root", "targets", "snapshot", "timestamp")
        },
    },
)
