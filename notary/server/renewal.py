"""Making the server's own files anew before their time is over."""

from __future__ import annotations

from datetime import datetime, timezone

from cachetools import LRUCache, TTLCache
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from notary.server.reading import Head, read_files, read_head, read_snapshot, read_stored
from notary.server.times import utc_now
from notary.sharing import Shared
from notary.signing.drafts import sign_draft
from notary.signing.interfaces import ISigner, KeyNotHeldError
from notary.storage.interfaces import ConflictError, IMetadataStore, NewFile, StoredFile
from notary.tuf.drafts import Draft, draft_snapshot, draft_timestamp, good_until, renewal_due
from notary.tuf.files import Root, Timestamp
from notary.tuf.names import ROOT, SNAPSHOT, TIMESTAMP

_REMEMBERED = 10_000
"""Snapshots, timestamps and failures that are remembered; each takes about 400 bytes."""
_FAILURE_SECONDS = 60
"""For so long a renewal that failed is not tried again ahead of time."""

_NEVER = datetime.max.replace(tzinfo=timezone.utc)
_LONG_AGO = datetime.min.replace(tzinfo=timezone.utc)


class Renewal:
    """Serves timestamps, and sees to it that they and their snapshots do not expire.

    What is still good is served at once, and made anew behind the reader's back when its end is
    near. Only what has expired has to be waited for. A file whose key the signer does not hold is
    served as it is: clients judge its expiry themselves.
    """

    _log = Logger()

    def __init__(self, store: IMetadataStore, signer: ISigner, clock: IReactorTime) -> None:
        self._store = store
        self._signer = signer
        self._clock = clock
        self._running: Shared[StoredFile] = Shared()
        self._snapshot_expiry: LRUCache[str, datetime] = LRUCache(_REMEMBERED)
        self._good_until: LRUCache[str, float] = LRUCache(_REMEMBERED)
        self._failed: TTLCache[str, bool] = TTLCache(_REMEMBERED, _FAILURE_SECONDS, clock.seconds)

    def good_until(self, timestamp: StoredFile) -> float:
        """Return until when a timestamp can be served as it is, in seconds since 1970.

        That is 0 unless `timestamp` returned it, not long ago, and nothing was due.
        """
        return self._good_until.get(timestamp.sha256, 0.0)

    async def timestamp(self, gun: str, newest: StoredFile | None = None) -> StoredFile:
        """Return the collection's current timestamp.

        Args:
            gun: the collection.
            newest: its timestamp as stored, if that was asked for already.

        Raises:
            FileNotStoredError: there is no such collection.
            DamagedFileError: a file is missing or cannot be read.
            SignerUnavailableError: what has expired cannot be renewed now.
        """
        file = newest or await self._store.newest(gun, TIMESTAMP)
        if self._clock.seconds() < self.good_until(file):
            return file
        timestamp = read_stored(gun, file, Timestamp.read)
        checksum = timestamp.snapshot.sha256
        if checksum not in self._snapshot_expiry:
            snapshot = await read_snapshot(self._store, gun, file, timestamp)
            self._snapshot_expiry[checksum] = snapshot.metadata.expires or _LONG_AGO
        ends = {
            SNAPSHOT: self._snapshot_expiry[checksum],
            TIMESTAMP: timestamp.metadata.expires or _LONG_AGO,
        }
        now = utc_now(self._clock)
        expired = min(ends.values()) < now
        if not any(renewal_due(role, end, now) for role, end in ends.items()):
            good = min(good_until(role, end) for role, end in ends.items())
            self._good_until[file.sha256] = good.timestamp()
            return file
        if gun in self._failed and not expired:
            return file
        renewed = self._running.run(gun, lambda: self._renew(gun))
        if expired:
            return await renewed
        renewed.addErrback(self._renewal_failed, gun)
        return file

    def _renewal_failed(self, failure: Failure, gun: str) -> None:
        self._failed[gun] = True
        self._log.warn(
            "the timestamp of {gun} could not be renewed ahead of time: {reason}",
            gun=gun,
            reason=failure.getErrorMessage(),
        )

    async def _renew(self, gun: str) -> StoredFile:
        newest = await self._store.newest(gun, TIMESTAMP)
        head = await read_head(self._store, gun, newest, [ROOT])
        stored = await read_files(self._store, gun, head, [ROOT])
        root = read_stored(gun, stored[ROOT], Root.read)
        now = utc_now(self._clock)

        files = []
        if renewal_due(SNAPSHOT, head.snapshot.metadata.expires, now):
            version = head.snapshot_file.version
            contents = {ROOT: stored[ROOT].data}
            files += await self._sign(
                gun, head, draft_snapshot(root, head.snapshot, version, contents, now)
            )
        if files or renewal_due(TIMESTAMP, head.timestamp.metadata.expires, now):
            snapshot = files[0].data if files else head.snapshot_file.data
            version = head.timestamp_file.version
            files += await self._sign(gun, head, draft_timestamp(root, version, snapshot, now))
        if not files or files[-1].role != TIMESTAMP:
            return head.timestamp_file
        try:
            await self._store.publish(gun, files, head.timestamp_file.version)
        except ConflictError:
            self._log.debug("the timestamp of {gun} was renewed by another server", gun=gun)
        return await self._store.newest(gun, TIMESTAMP)

    async def _sign(self, gun: str, head: Head, draft: Draft) -> list[NewFile]:
        try:
            data = await sign_draft(self._signer, gun, draft)
        except KeyNotHeldError as error:
            self._log.info(
                "the {role} of {gun} is not renewed: {error}", role=draft.role, gun=gun, error=error
            )
            if draft.role == SNAPSHOT:
                self._snapshot_expiry[head.timestamp.snapshot.sha256] = _NEVER
            return []
        return [NewFile(draft.role, draft.version, data)]
