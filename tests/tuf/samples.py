"""Files and keys that the tests of metadata start from.

The files in ``data`` are real: the Go client and server 0.7.0 made them for the collection `GUN`, a
little before `NOW`. ``first`` is after the first publish. In ``delegated`` the server signs the
snapshot, and two delegates have published, one with a P-384 and one with an RSA key. In ``rotated``
the root has a new key; its signatures are by both.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from functools import cache
from pathlib import Path
from typing import Any

from notary.tuf.files import Root, Targets
from notary.tuf.metadata import Metadata
from tests.support.forge import DAY, Collection, Key

GUN = "registry.example.com/notary/golden"
NOW = datetime(2026, 11, 23, tzinfo=timezone.utc)

DATA = Path(__file__).parent / "data"
REAL_FILES = sorted(str(path.relative_to(DATA)) for path in DATA.rglob("*.json"))


def real(name: str) -> Metadata:
    """One of the files that the Go programs made."""
    return Metadata.parse((DATA / name).read_bytes())


def root_key(gun: str = GUN, kind: str = "ecdsa-x509", **over: Any) -> Key:
    """A root key whose certificate is valid around `NOW`."""
    validity = {"not_before": NOW - 30 * DAY, "not_after": NOW + 3650 * DAY}
    return Key.certificate(gun, kind, **{**validity, **over})


@cache
def server_key() -> Key:
    return Key.generate("ed25519")


def collection(**over: Any) -> Collection:
    """A publisher of `GUN`, with new keys."""
    return Collection(GUN, **{"timestamp_key": server_key(), "root_key": root_key(), **over})


def parse(files: Mapping[str, bytes]) -> dict[str, Metadata]:
    return {role: Metadata.parse(data) for role, data in files.items()}


def read_root(data: bytes) -> Root:
    return Root.read(Metadata.parse(data))


def read_targets(data: bytes, role: str = "targets") -> Targets:
    return Targets.read(Metadata.parse(data), role)
