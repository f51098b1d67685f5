"""Workloads that publish, or have keys made."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any
from uuid import uuid4

import attrs

from benchmarks.contenders import RSA, Contender
from benchmarks.crowds import crowd
from benchmarks.https import Connection, WrongAnswerError, client_context, get, post
from benchmarks.loads import Go
from benchmarks.stock import base, many_targets
from tests.support.forge import FAR, TYPES, Collection, canonical, multipart

_MOST_PER_SECOND = 2000
_MOST_TARGETS_PER_SECOND = 400_000
"""So many publishes, or such with so many targets, are prepared: nothing publishes faster."""

_OF_THE_SERVER = ("timestamp", "snapshot")
_VERSION = b'"version":0'
_FIRST_VERSION = 2


@attrs.frozen
class Publishes:
    """Each publisher publishes targets of a collection of its own again and again.

    The server makes the snapshot and the timestamp.

    Attributes:
        publishers: how many.
        targets: how many each file has.
    """

    name: str
    title: str
    publishers: int
    targets: int
    certificate: str = RSA

    @contextmanager
    def ready(self, contender: Contender, seconds: float) -> Iterator[Go]:
        """Publish the first version of each, and sign those that follow."""
        port = contender.server(self.certificate).port
        per_second = min(_MOST_PER_SECOND, _MOST_TARGETS_PER_SECOND / self.targets)
        versions = max(2, round(per_second * seconds / self.publishers))
        publishers = [
            Publisher.prepare(port, many_targets("bench", self.targets), versions)
            for _ in range(self.publishers)
        ]
        with crowd(publishers, seconds) as go:
            yield go


@attrs.define
class Publisher:
    """Somebody who has signed many versions and now publishes them in turn."""

    _port: int
    _gun: str
    _payload: bytes = attrs.field(repr=False)
    _signatures: Iterator[tuple[int, Mapping[str, str]]] = attrs.field(repr=False)
    _connection: Connection = attrs.field(init=False)

    @classmethod
    def prepare(cls, port: int, targets: Mapping[str, Any], versions: int) -> Publisher:
        """Publish a new collection, and sign so many versions of its targets."""
        gun = f"registry.example.com/bench/{uuid4().hex}"
        with closing(Connection(port, client_context())) as connection:
            timestamp, snapshot = (_key(connection, gun, role) for role in _OF_THE_SERVER)
            collection = Collection(gun, timestamp, snapshot)
            _publish(connection, gun, collection.first(targets=targets))
        payload = canonical(
            {
                "_type": TYPES["targets"],
                "delegations": {"keys": {}, "roles": []},
                "expires": FAR,
                "targets": targets,
                "version": 0,
            }
        )
        assert payload.count(_VERSION) == 1
        key = attrs.evolve(collection.targets_key)
        signatures = []
        for version in range(_FIRST_VERSION, _FIRST_VERSION + versions):
            # Not kept by the key: the payloads may be large.
            signature = attrs.evolve(key).sign(_at_version(payload, version))
            signatures.append((version, signature))
        return cls(port, gun, payload, iter(signatures))

    def begin(self) -> None:
        """Connect."""
        self._connection = Connection(self._port, client_context())

    def step(self) -> None:
        """Publish the next version.

        Raises:
            WrongAnswerError: it was refused, or there are no more.
        """
        version, signature = next(self._signatures, (0, {}))
        if not version:
            raise WrongAnswerError("more publishes were possible than were prepared")
        signed = _at_version(self._payload, version)
        signatures = canonical([signature])
        file = b'{"signed":' + signed + b',"signatures":' + signatures + b"}"
        _publish(self._connection, self._gun, {"targets": file})


def _at_version(payload: bytes, version: int) -> bytes:
    return payload.replace(_VERSION, b'"version":%d' % version)


def _publish(connection: Connection, gun: str, files: Mapping[str, bytes]) -> None:
    answer = connection.ask(post(base(gun), *multipart(files)))
    if answer.status != 200:
        raise WrongAnswerError(f"publish: status {answer.status}: {answer.body[:200]!r}")


def _key(connection: Connection, gun: str, role: str) -> Mapping[str, Any]:
    """Ask for the server's key of a collection, which is made if there is none."""
    answer = connection.ask(get(f"{base(gun)}{role}.key"))
    if answer.status != 200:
        raise WrongAnswerError(f"{role}.key: status {answer.status}: {answer.body[:200]!r}")
    key: dict[str, Any] = json.loads(answer.body)
    if key["keytype"] != "ecdsa" or not key["keyval"]["public"]:
        raise WrongAnswerError(f"{role}.key: {answer.body[:200]!r}")
    return key


@attrs.frozen
class NewKeys:
    """Each client asks for the timestamp key of one new collection after the other.

    Attributes:
        clients: how many.
    """

    name: str
    title: str
    clients: int
    certificate: str = RSA

    @contextmanager
    def ready(self, contender: Contender, seconds: float) -> Iterator[Go]:
        """Connect the clients."""
        port = contender.server(self.certificate).port
        with crowd([_Newcomer(port) for _ in range(self.clients)], seconds) as go:
            yield go


@attrs.define
class _Newcomer:
    _port: int
    _connection: Connection = attrs.field(init=False)

    def begin(self) -> None:
        self._connection = Connection(self._port, client_context())

    def step(self) -> None:
        _key(self._connection, f"registry.example.com/new/{uuid4().hex}", "timestamp")
