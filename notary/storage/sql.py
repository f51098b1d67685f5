"""Metadata in a SQL database: a thin Deferred layer over transactions that run in threads."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timezone
from functools import partial

from sqlalchemy import Connection, Engine
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from notary.storage import reading, timestamps, writing
from notary.storage.interfaces import (
    Change,
    ConflictError,
    FileName,
    IMetadataStore,
    Newest,
    NewFile,
    StoredFile,
)
from notary.storage.limits import refuse_unstorable
from notary.storage.sql_common import SQLStore
from notary.storage.standing import StandingConnection
from notary.storage.threads import WorkerThreads
from notary.storage.transactions import run_query, run_transaction


@implementer(IMetadataStore)
class SQLMetadataStore(SQLStore):
    """Keeps all metadata in a SQL database; see `SQLStore` for its arguments."""

    def __init__(self, engine: Engine, threads: WorkerThreads, clock: IReactorTime) -> None:
        super().__init__(engine, threads, clock)
        self._standing = StandingConnection(engine)

    def remembered(self, gun: str, role: str, checksum: str) -> StoredFile | None:
        """See `IMetadataStore.remembered`: nothing is."""
        return None

    def newest(self, gun: str, role: str) -> Deferred[StoredFile]:
        """See `IMetadataStore.newest`."""
        return self._query(reading.newest_txn, gun, role)

    def newest_timestamps(self, guns: Collection[str]) -> Deferred[Mapping[str, str]]:
        """See `IMetadataStore.newest_timestamps`."""
        look = partial(timestamps.newest_txn, guns=tuple(guns))
        return self._threads.run(self._standing.run, look)

    def newest_with_versions(
        self, gun: str, role: str, others: Collection[str], ahead: Collection[str] = ()
    ) -> Deferred[Newest]:
        """See `IMetadataStore.newest_with_versions`."""
        return self._query(
            reading.newest_with_versions_txn, gun, role, frozenset(others), frozenset(ahead)
        )

    def by_version(self, gun: str, role: str, version: int) -> Deferred[StoredFile]:
        """See `IMetadataStore.by_version`."""
        return self._query(reading.by_version_txn, gun, role, version)

    def by_checksum(self, gun: str, role: str, checksum: str) -> Deferred[StoredFile]:
        """See `IMetadataStore.by_checksum`."""
        return self._query(reading.by_checksum_txn, gun, role, checksum)

    def many_by_checksum(
        self, wanted: Collection[FileName]
    ) -> Deferred[Mapping[FileName, StoredFile]]:
        """See `IMetadataStore.many_by_checksum`."""
        look = partial(reading.many_by_checksum_txn, wanted=tuple(wanted))
        return self._threads.run(self._standing.run, look)

    def by_checksums(
        self, gun: str, checksums: Mapping[str, str], ahead: Collection[str] = ()
    ) -> Deferred[Mapping[str, StoredFile]]:
        """See `IMetadataStore.by_checksums`."""
        return self._query(reading.by_checksums_txn, gun, dict(checksums), frozenset(ahead))

    def publish(
        self, gun: str, files: Sequence[NewFile], base: StoredFile | None
    ) -> Deferred[Sequence[StoredFile]]:
        """See `IMetadataStore.publish`."""
        return self._threads.run(self._publish, gun, tuple(files), base, self._now())

    def delete(self, gun: str) -> Deferred[None]:
        """See `IMetadataStore.delete`."""
        return self._transact(writing.delete_txn, gun, self._now())

    def changes(self, gun: str | None, start: int | None, limit: int) -> Deferred[Sequence[Change]]:
        """See `IMetadataStore.changes`."""
        return self._query(reading.changes_txn, gun, start, limit)

    def check(self) -> Deferred[None]:
        """See `IMetadataStore.check`."""
        return self._query(reading.check_txn)

    def _publish(
        self, gun: str, files: Sequence[NewFile], base: StoredFile | None, now: datetime
    ) -> Sequence[StoredFile]:
        refuse_unstorable(gun, files)
        runs = 0

        def publish_txn(connection: Connection) -> None:
            nonlocal runs
            runs += 1
            writing.publish_txn(connection, gun, files, base, now)

        try:
            run_transaction(self._engine, publish_txn)
        except ConflictError:
            # An earlier run may have been committed though its confirmation was lost: then the
            # files in the way are these.
            if runs == 1 or not run_query(
                self._engine, lambda c: reading.holds_all_txn(c, gun, files)
            ):
                raise
        moment = now.replace(tzinfo=timezone.utc)
        return [file.stored_at(moment) for file in files]
