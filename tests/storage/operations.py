"""Whatever the two daemons do with their databases, one operation at a time.

An operation is prepared first; what that returns is then to be measured.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any, TypeVar, cast
from uuid import uuid4

import attrs
from sqlalchemy import Engine
from twisted.internet.defer import Deferred, maybeDeferred

from notary.server.states import SURE_AFTER
from notary.signing.local import LocalSigner
from notary.storage.cached import CachedMetadataStore
from notary.storage.interfaces import IMetadataStore, NewFile
from notary.storage.keys.sql import SQLKeyStore
from notary.storage.reading import holds_all_txn
from notary.storage.sql import SQLMetadataStore
from notary.storage.transactions import run_query
from notary.tuf.keys import PublicKey
from notary.tuf.names import SNAPSHOT, TIMESTAMP
from tests.server.harness import Answer, Service, base, result_of
from tests.signer.harness import Signer
from tests.support.forge import DAY, Collection

CACHED_BYTES = 16 * 1024 * 1024
MAX_BODY = 4 * 1024 * 1024
BIG_FILE = 600_000
"""Bytes that are more than a million in hexadecimal."""

BUSY = "docker.io/library/busy"
"""A collection that has many versions and changes where a database is filled."""

DELEGATION = "targets/releases"
_TIMESTAMP_EXPIRED = 15

T = TypeVar("T")


class AtOnce:
    """In place of threads: work is done when it is handed over."""

    def run(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> Deferred[T]:
        return maybeDeferred(function, *args, **kwargs)


@attrs.define
class Daemons:
    """Both daemons on one database.

    Attributes:
        engine: the database, with the tables of both.
        server: the metadata server.
        signer: the signer, whose keys are not the server's.
        gun: the collection that the last call of `published` made.
        collection: its publisher.
    """

    engine: Engine
    server: Service = attrs.field(init=False)
    signer: Signer = attrs.field(init=False)
    gun: str = ""
    collection: Collection = attrs.field(init=False)
    _keys: LocalSigner = attrs.field(factory=LocalSigner)

    def __attrs_post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Forget all that is in memory."""
        threads = cast(Any, AtOnce())

        def make_store(clock: Any) -> CachedMetadataStore:
            store = SQLMetadataStore(self.engine, threads, clock)
            return CachedMetadataStore(store, CACHED_BYTES, clock)

        self.server = Service.make(make_store=make_store, keys=self._keys, max_body=MAX_BODY)
        self.signer = Signer.make(SQLKeyStore(self.engine, threads, cast(Any, self.server.clock)))

    def new_gun(self) -> str:
        return f"docker.io/new/{uuid4().hex}"

    def published(self) -> None:
        """Publish a new collection that has a delegation."""
        self.gun = self.new_gun()
        self.collection = self.server.collection(self.gun)
        delegations = self.collection.delegations(DELEGATION)
        files = self.collection.first(delegations=delegations)
        self.publish({**files, DELEGATION: self.collection.delegation(DELEGATION)})

    def publish(self, files: dict[str, bytes]) -> None:
        answer = self.server.publish(files, self.gun)
        assert answer.status == 200, answer

    def read(self, file: str) -> Answer:
        """Read a file of the collection, which has to be there."""
        answer = self.server.get(f"{base(self.gun)}{file}")
        assert answer.status == 200, answer
        return answer

    def create_key(self, gun: str) -> PublicKey:
        return result_of(self.signer.create_key(gun))


Operation = Callable[[Daemons], Callable[[], object]]


def _reading(role: str, *, warm: bool) -> Operation:
    def prepare(daemons: Daemons) -> Callable[[], object]:
        daemons.published()
        daemons.restart()
        if warm:
            daemons.read(f"{role}.json")
        return lambda: daemons.read(f"{role}.json")

    return prepare


def _by_checksum(*, warm: bool) -> Operation:
    def prepare(daemons: Daemons) -> Callable[[], object]:
        daemons.published()
        checksum = sha256(daemons.read("targets.json").body).hexdigest()
        if not warm:
            daemons.restart()
        return lambda: daemons.read(f"targets.{checksum}.json")

    return prepare


def _by_version(daemons: Daemons) -> Callable[[], object]:
    daemons.published()
    return lambda: daemons.read("1.targets.json")


def _getting(path: str, status: int = 200) -> Operation:
    def prepare(daemons: Daemons) -> Callable[[], object]:
        def get() -> None:
            assert daemons.server.get(path).status == status

        return get

    return prepare


def _publishing(*roles: str, warm: bool = True, size: int = 0) -> Operation:
    """The second publish of some roles; the server makes the snapshot."""

    def prepare(daemons: Daemons) -> Callable[[], object]:
        daemons.published()
        daemons.restart()
        if warm:
            for role in ("root", "targets", DELEGATION):
                daemons.read(f"{role}.json")
        padding: dict[str, Any] = {"x": "x" * size}
        makers: dict[str, Callable[[], bytes]] = {
            "root": lambda: daemons.collection.root(2),
            "targets": lambda: daemons.collection.targets(2, **padding),
            DELEGATION: lambda: daemons.collection.delegation(DELEGATION, 2),
        }
        files = {role: makers[role]() for role in roles}
        return lambda: daemons.publish(files)

    return prepare


def _publishing_on(daemons: Daemons) -> Callable[[], object]:
    """A publish by a server whose publishes nobody else has come between for long."""
    daemons.published()
    for version in range(2, SURE_AFTER + 2):
        daemons.publish({"targets": daemons.collection.targets(version)})
    files = {"targets": daemons.collection.targets(SURE_AFTER + 2)}
    return lambda: daemons.publish(files)


def _first_publish(daemons: Daemons) -> Callable[[], object]:
    daemons.gun = daemons.new_gun()
    files = daemons.server.collection(daemons.gun).first()
    return lambda: daemons.publish(files)


def _publish_again(daemons: Daemons) -> Callable[[], object]:
    """What is asked after a commit whose confirmation was lost."""
    files = [NewFile(role, 1, role.encode()) for role in ("root", "targets", "timestamp")]
    gun = daemons.new_gun()
    result_of(daemons.server.store.publish(gun, files, None))
    return lambda: run_query(daemons.engine, lambda c: holds_all_txn(c, gun, files))


def _renewal(daemons: Daemons) -> Callable[[], object]:
    daemons.published()
    daemons.read("timestamp.json")
    daemons.server.clock.advance(_TIMESTAMP_EXPIRED * DAY.total_seconds())
    return lambda: daemons.read("timestamp.json")


def _delete(daemons: Daemons) -> Callable[[], object]:
    daemons.published()
    return lambda: daemons.server.ask("DELETE", base(daemons.gun))


def _server_key(*, warm: bool) -> Operation:
    def prepare(daemons: Daemons) -> Callable[[], object]:
        daemons.published()
        if not warm:
            daemons.restart()
        else:
            daemons.read("root.json")
        return lambda: daemons.read("timestamp.key")

    return prepare


def _rotate_key(daemons: Daemons) -> Callable[[], object]:
    daemons.published()
    return lambda: daemons.server.ask("POST", f"{base(daemons.gun)}timestamp.key", b"")


def _busy(ask: Callable[[IMetadataStore], Deferred[Any]]) -> Operation:
    def prepare(daemons: Daemons) -> Callable[[], object]:
        daemons.restart()
        return lambda: result_of(ask(daemons.server.store))

    return prepare


def _create_key(*, again: bool) -> Operation:
    def prepare(daemons: Daemons) -> Callable[[], object]:
        gun = daemons.new_gun()
        if again:
            daemons.create_key(gun)
        return lambda: daemons.create_key(gun)

    return prepare


def _signing(*, before: int, warm: bool) -> Operation:
    def prepare(daemons: Daemons) -> Callable[[], object]:
        gun = daemons.new_gun()
        key = daemons.create_key(gun)
        for _ in range(before):
            result_of(daemons.signer.sign(key, gun))
        if not warm:
            daemons.restart()
        return lambda: result_of(daemons.signer.sign(key, gun))

    return prepare


def _key_info(*, warm: bool) -> Operation:
    def prepare(daemons: Daemons) -> Callable[[], object]:
        key = daemons.create_key(daemons.new_gun())
        if not warm:
            daemons.restart()
        vault = daemons.signer.vault
        return lambda: result_of(Deferred.fromCoroutine(vault.public_key(key.key_id)))

    return prepare


def _delete_key(daemons: Daemons) -> Callable[[], object]:
    key = daemons.create_key(daemons.new_gun())
    vault = daemons.signer.vault
    return lambda: result_of(Deferred.fromCoroutine(vault.delete_key(key.key_id)))


def _check_signer(daemons: Daemons) -> Callable[[], object]:
    return lambda: result_of(Deferred.fromCoroutine(daemons.signer.vault.check()))


_GUN_FEED = "/v2/docker.io/team1/app50/_trust/changefeed"
_FEED = "/v2/_trust/changefeed"
_BUSY_FEED = f"/v2/{BUSY}/_trust/changefeed"

OPERATIONS: dict[str, Operation] = {
    **{
        f"{role}.json, {state}": _reading(role, warm=state == "warm")
        for role in ("timestamp", "snapshot", "targets", "root", DELEGATION)
        for state in ("cold", "warm")
    },
    "file by checksum, cold": _by_checksum(warm=False),
    "file by checksum, warm": _by_checksum(warm=True),
    "file by version": _by_version,
    "file of no collection": _getting(f"{base('none')}root.json", 404),
    "timestamp.json, expired": _renewal,
    "first publish": _first_publish,
    "publish targets, warm": _publishing("targets"),
    "publish targets, cold": _publishing("targets", warm=False),
    "publish root and targets, warm": _publishing("root", "targets"),
    "publish delegation, warm": _publishing(DELEGATION),
    "publish delegation, cold": _publishing(DELEGATION, warm=False),
    "publish targets, state remembered": _publishing_on,
    "publish big targets, warm": _publishing("targets", size=BIG_FILE),
    "publish once more": _publish_again,
    "delete": _delete,
    "changefeed": _getting(f"{_FEED}?records=100"),
    "changefeed from a change on": _getting(f"{_FEED}?records=100&change_id=100000"),
    "changefeed, newest": _getting(f"{_FEED}?records=-100"),
    "changefeed, before a change": _getting(f"{_FEED}?records=-100&change_id=100000"),
    "changefeed of one": _getting(f"{_GUN_FEED}?records=100"),
    "changefeed of one from a change on": _getting(f"{_GUN_FEED}?records=100&change_id=100000"),
    "changefeed of one, newest": _getting(f"{_GUN_FEED}?records=-100"),
    "changefeed of one, before a change": _getting(f"{_GUN_FEED}?records=-1&change_id=100000"),
    "timestamp.key, cold": _server_key(warm=False),
    "timestamp.key, warm": _server_key(warm=True),
    "rotate timestamp.key": _rotate_key,
    "health": _getting("/_notary_server/health"),
    "signer: create key": _create_key(again=False),
    "signer: create key again": _create_key(again=True),
    "signer: first signature": _signing(before=0, warm=True),
    "signer: first signature, cold": _signing(before=0, warm=False),
    "signer: signature, warm": _signing(before=1, warm=True),
    "signer: signature, cold": _signing(before=1, warm=False),
    "signer: key info, warm": _key_info(warm=True),
    "signer: key info, cold": _key_info(warm=False),
    "signer: delete key": _delete_key,
    "signer: health": _check_signer,
}
"""All of them by name. What is cold has nothing in memory, what is warm all that can be there."""

BUSY_OPERATIONS: dict[str, Operation] = {
    "busy: newest": _busy(lambda store: store.newest(BUSY, TIMESTAMP)),
    "busy: newest with versions": _busy(
        lambda store: store.newest_with_versions(BUSY, TIMESTAMP, [TIMESTAMP, SNAPSHOT])
    ),
    "busy: file by version": _busy(lambda store: store.by_version(BUSY, TIMESTAMP, 7)),
    "busy: file by checksum": _busy(
        lambda store: store.by_checksum(BUSY, TIMESTAMP, sha256(b"7").hexdigest())
    ),
    "busy: many by checksum": _busy(
        lambda store: store.many_by_checksum(
            [(BUSY, TIMESTAMP, sha256(str(number).encode()).hexdigest()) for number in range(20)]
        )
    ),
    "busy: files by checksums": _busy(
        lambda store: store.by_checksums(BUSY, {TIMESTAMP: sha256(b"7").hexdigest()}, [SNAPSHOT])
    ),
    "busy: changefeed": _getting(f"{_BUSY_FEED}?records=100"),
    "busy: changefeed from a change on": _getting(f"{_BUSY_FEED}?records=100&change_id=100000"),
    "busy: changefeed, newest": _getting(f"{_BUSY_FEED}?records=-100"),
    "busy: changefeed, before a change": _getting(f"{_BUSY_FEED}?records=-100&change_id=199000"),
}
"""Those on the collection with many versions and changes that a filled database has."""
