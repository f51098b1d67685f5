"""Collections that are in the databases before anything is measured, the same for both servers."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping
from datetime import datetime, timezone
from hashlib import sha256, sha512
from itertools import islice
from typing import Any

import attrs
from sqlalchemy import Connection, Engine, insert

from notary.storage.schema import changefeed, tuf_files
from tests.support.forge import Collection, Key, file_meta

BIG = "registry.example.com/stock/big"
"""A collection whose targets have 200 KB."""

SMALL_TARGETS = 5
BIG_TARGETS = 800
_REST_OF_NAME = "build-of-a-release-candidate-for-linux-on-amd64"
_UNNUMBERED = "stock-000000"
_AT_ONCE = 500

Files = Mapping[str, bytes]


def base(gun: str) -> str:
    """The path below which the files of a collection are."""
    return f"/v2/{gun}/_trust/tuf/"


def many_targets(name: str, number: int) -> dict[str, Any]:
    """So many targets, each of which takes about 250 bytes."""
    names = [f"{name}-{n:04d}-{_REST_OF_NAME}" for n in range(number)]
    return {each: file_meta(each.encode()) for each in names}


def by_checksum(role: str, data: bytes) -> str:
    """The name under which a file of a role is asked for by its checksum."""
    return f"{role}.{sha256(data).hexdigest()}.json"


def publish_all(collection: Collection, targets: Mapping[str, Any]) -> Files:
    """The files of a new collection, all of whose keys are there."""
    assert isinstance(collection.timestamp_key, Key)
    files = collection.first(targets=targets)
    timestamp = collection.timestamp(snapshot=files["snapshot"], signers=[collection.timestamp_key])
    return {**files, "timestamp": timestamp}


@attrs.frozen
class Stock:
    """Collections by number. Servers read them, but signatures hold for the first one only.

    The others differ from it by what their targets are called, hence by all checksums.
    """

    _first: Files = attrs.field(init=False, repr=False)
    big: Files = attrs.field(init=False, repr=False)

    @_first.default
    def _make_first(self) -> Files:
        return publish_all(_collection("first"), many_targets(_UNNUMBERED, SMALL_TARGETS))

    @big.default
    def _make_big(self) -> Files:
        return publish_all(_collection("big"), many_targets("big", BIG_TARGETS))

    @staticmethod
    def gun(number: int) -> str:
        """The name of a collection."""
        return f"registry.example.com/stock/{number:06d}"

    def files(self, number: int) -> Files:
        """The current files of a collection by their roles."""
        first = self._first
        targets = first["targets"].replace(_UNNUMBERED.encode(), b"stock-%06d" % number)
        snapshot = _naming(first["snapshot"], first["targets"], targets)
        timestamp = _naming(first["timestamp"], first["snapshot"], snapshot)
        return {**first, "targets": targets, "snapshot": snapshot, "timestamp": timestamp}

    def insert(self, engine: Engine, numbers: Iterable[int]) -> None:
        """Put these collections into a database."""
        left = iter(numbers)
        while some := list(islice(left, _AT_ONCE)):
            with engine.begin() as connection:
                _insert(connection, {self.gun(n): self.files(n) for n in some})

    def insert_big(self, engine: Engine) -> None:
        """Put the big one into a database."""
        with engine.begin() as connection:
            _insert(connection, {BIG: self.big})


def _collection(name: str) -> Collection:
    gun = f"registry.example.com/stock/{name}"
    return Collection(gun, timestamp_key=Key.generate(), snapshot_key=Key.generate())


def _naming(file: bytes, old: bytes, new: bytes) -> bytes:
    """Put the checksums of one file in the place of those of another of the same length."""
    assert len(old) == len(new)
    for digest in (sha256, sha512):
        before, after = (b64encode(digest(data).digest()) for data in (old, new))
        assert before in file
        file = file.replace(before, after)
    return file


def _insert(connection: Connection, collections: Mapping[str, Files]) -> None:
    now = datetime.now(timezone.utc).replace(tzinfo=None, microsecond=0)
    rows = [
        {
            "created_at": now,
            "updated_at": now,
            "gun": gun,
            "role": role,
            "version": 1,
            "data": data,
            "sha256": sha256(data).hexdigest(),
        }
        for gun, files in collections.items()
        for role, data in files.items()
    ]
    changes = [
        {"created_at": now, "gun": row["gun"], "version": 1, "sha256": row["sha256"]}
        for row in rows
        if row["role"] == "timestamp"
    ]
    connection.execute(insert(tuf_files), rows)
    connection.execute(insert(changefeed), changes)
