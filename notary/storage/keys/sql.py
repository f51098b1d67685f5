"""Keys in a SQL database. The functions take an open connection and may be run again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError
from twisted.internet.defer import Deferred
from zope.interface import implementer

from notary.storage.interfaces import ConflictError
from notary.storage.keys.interfaces import MOST_UNUSED, IKeyStore, KeyNotStoredError, SealedKey
from notary.storage.keys.schema import private_keys
from notary.storage.limits import refuse_unstorable_name
from notary.storage.sql_common import SQLStore, is_named, names
from notary.storage.transactions import run_query, run_statement

_columns = private_keys.c
_KEYS = select(
    _columns.key_id,
    _columns.algorithm,
    _columns.gun,
    _columns.role,
    _columns.public,
    _columns.private,
    _columns.passphrase_alias,
    _columns.keywrap_alg,
    _columns.encryption_alg,
    _columns.last_used,
).where(_columns.deleted_at.is_(None))
_BY_ID = _KEYS.where(is_named(_columns.key_id, "key_id"))
_UNUSED = (
    _KEYS.where(
        is_named(_columns.gun, "gun"),
        is_named(_columns.role, "role"),
        is_named(_columns.algorithm, "algorithm"),
        _columns.last_used.is_(None),
    )
    .order_by(_columns.key_id)
    .limit(MOST_UNUSED)
)
_IS_THERE = select(_columns.id).where(is_named(_columns.key_id, "key_id"))
_ADD = insert(private_keys)
_MARK_USED = (
    update(private_keys)
    .where(is_named(_columns.key_id, "wanted"), _columns.last_used.is_(None))
    .values(last_used=bindparam("now"), updated_at=bindparam("now"))
)
_DELETE = (
    update(private_keys)
    .where(is_named(_columns.key_id, "wanted"), _columns.deleted_at.is_(None))
    .values(deleted_at=bindparam("now"), updated_at=bindparam("now"))
)


@implementer(IKeyStore)
class SQLKeyStore(SQLStore):
    """Keeps all keys in a SQL database; see `SQLStore` for its arguments."""

    def add(self, key: SealedKey) -> Deferred[None]:
        """See `IKeyStore.add`."""
        return self._threads.run(self._add, key, self._now())

    def _add(self, key: SealedKey, now: datetime) -> None:
        try:
            run_statement(self._engine, lambda c: add_txn(c, key, now))
        except ConflictError:
            # The key is new: if its ID is there, an earlier run was committed.
            if not run_query(self._engine, lambda c: is_there_txn(c, key.key_id)):
                raise

    def by_id(self, key_id: str) -> Deferred[SealedKey]:
        """See `IKeyStore.by_id`."""
        return self._query(by_id_txn, key_id)

    def unused(self, gun: str, role: str, algorithm: str) -> Deferred[Sequence[SealedKey]]:
        """See `IKeyStore.unused`."""
        return self._query(unused_txn, gun, role, algorithm)

    def mark_used(self, key_id: str) -> Deferred[None]:
        """See `IKeyStore.mark_used`."""
        return self._execute(mark_used_txn, key_id, self._now())

    def delete(self, key_id: str) -> Deferred[None]:
        """See `IKeyStore.delete`."""
        return self._execute(delete_txn, key_id, self._now())

    def check(self) -> Deferred[None]:
        """See `IKeyStore.check`."""
        return self._query(check_txn).addCallback(lambda _: self.check_writable(private_keys))


def add_txn(connection: Connection, key: SealedKey, now: datetime) -> None:
    """See `IKeyStore.add`.

    Raises:
        ConflictError: the ID is there.
    """
    refuse_unstorable_name("GUN", key.gun)
    refuse_unstorable_name("role", key.role)
    row = {
        "created_at": now,
        "updated_at": now,
        "key_id": key.key_id,
        "algorithm": key.algorithm,
        "gun": key.gun,
        "role": key.role,
        "public": key.public,
        "private": key.private,
        "passphrase_alias": key.passphrase_alias,
        "keywrap_alg": key.keywrap_alg,
        "encryption_alg": key.encryption_alg,
    }
    try:
        connection.execute(_ADD, row)
    except IntegrityError as error:
        raise ConflictError(f"a key with the ID {key.key_id} is stored already") from error


def is_there_txn(connection: Connection, key_id: str) -> bool:
    """Tell whether there is a key with an ID, deleted or not."""
    return connection.execute(_IS_THERE, names(key_id=key_id)).first() is not None


def by_id_txn(connection: Connection, key_id: str) -> SealedKey:
    """See `IKeyStore.by_id`."""
    row = connection.execute(_BY_ID, names(key_id=key_id)).first()
    if row is None:
        raise KeyNotStoredError(f"no key with the ID {key_id} is stored")
    return _sealed_key(row)


def unused_txn(connection: Connection, gun: str, role: str, algorithm: str) -> Sequence[SealedKey]:
    """See `IKeyStore.unused`."""
    rows = connection.execute(_UNUSED, names(gun=gun, role=role, algorithm=algorithm))
    return [_sealed_key(row) for row in rows]


def mark_used_txn(connection: Connection, key_id: str, now: datetime) -> None:
    """See `IKeyStore.mark_used`."""
    connection.execute(_MARK_USED, {**names(wanted=key_id), "now": now})


def delete_txn(connection: Connection, key_id: str, now: datetime) -> None:
    """See `IKeyStore.delete`."""
    connection.execute(_DELETE, {**names(wanted=key_id), "now": now})


def check_txn(connection: Connection) -> None:
    """See `IKeyStore.check`."""
    connection.execute(select(_columns.id).where(_columns.id == 0)).first()


def _sealed_key(row: Any) -> SealedKey:
    return SealedKey(
        key_id=row.key_id,
        algorithm=row.algorithm,
        gun=row.gun,
        role=row.role,
        public=row.public,
        private=row.private,
        passphrase_alias=row.passphrase_alias,
        keywrap_alg=row.keywrap_alg,
        encryption_alg=row.encryption_alg,
        used=row.last_used is not None,
    )
