"""Taking in a publish: judge it, have the server's files signed, store it all at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any, BinaryIO, TypeVar, cast

from cachetools import LRUCache
from twisted.internet.defer import Deferred, DeferredLock, TimeoutError, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from notary.observe.logs import tell
from notary.server.errors import UPDATING, APIError
from notary.server.reading import DamagedFileError, read_named, read_stored
from notary.server.states import State, States
from notary.server.times import utc_now
from notary.server.upload import body_size, read_upload
from notary.signing.drafts import sign_draft
from notary.signing.interfaces import ISigner, KeyNotHeldError, UnsignableError
from notary.storage.interfaces import (
    ConflictError,
    IMetadataStore,
    NewFile,
    StorageError,
    StoredFile,
    StoreUnavailableError,
    UnstorableError,
)
from notary.tuf.drafts import Draft
from notary.tuf.errors import BadHierarchyError, BadRootError, StaleVersionError, TUFError
from notary.tuf.files import Root
from notary.tuf.metadata import Metadata
from notary.tuf.names import ROOT, SNAPSHOT, TIMESTAMP
from notary.tuf.publish import Accepted, Stored, judge, needed_roles

T = TypeVar("T")

BIG_UPLOAD = 32 * 1024
"""Bytes, those of the files above it included, from which on an upload is judged in a thread.

They take about a millisecond.
"""

HUGE_UPLOAD = 256 * 1024
"""Bytes from which on uploads are published one at a time.

Beside each other their threads would keep Python's lock from the reactor for more than 10 ms. Taken
apart they are many times larger, too.
"""

TURN_SECONDS = 20
"""How long one of them waits for those before it."""

_REMEMBERED_ROOTS = 1024 * 1024
"""Bytes of roots that are remembered; what was read from them takes ten times as much."""

_LARGEST_ROOT = _REMEMBERED_ROOTS // 64

_ATTEMPTS = 4

_REFUSALS = (TUFError, DamagedFileError, UnstorableError, UnsignableError)
"""What may be said because of what a collection holds."""


class Publishing:
    """Takes in what clients publish.

    Args:
        store: where the files go.
        signer: signs the timestamp, and the snapshot if the client did not.
        clock: tells the time to judge by.
        run_in_thread: calls a function with arguments where it may take its time; big uploads are
            judged there.
        max_version_step: how far beyond the stored version an uploaded one may be.
    """

    _log = Logger()

    def __init__(
        self,
        store: IMetadataStore,
        signer: ISigner,
        clock: IReactorTime,
        run_in_thread: Callable[..., Deferred[Any]],
        max_version_step: int,
    ) -> None:
        self._store = store
        self._signer = signer
        self._clock = clock
        self._run_in_thread = run_in_thread
        self._max_version_step = max_version_step
        self._huge = DeferredLock()
        self._states = States(store)
        self._roots: LRUCache[str, Root] = LRUCache(_REMEMBERED_ROOTS, _size_of)

    async def publish(self, gun: str, content_type: str, body: BinaryIO) -> None:
        """Make an upload part of a collection, or change nothing.

        If the collection changes meanwhile, the upload is judged again over what is there then:
        so of two publishes at once both succeed if they fit together, and otherwise the first.

        Raises:
            APIError: the body cannot be read, or names no role.
            TUFError: the upload breaks a rule.
            StorageError, SignerError: it cannot be stored or signed.
        """
        size = body_size(body)
        if size < HUGE_UPLOAD:
            await self._publish(gun, content_type, body, size)
            return
        await self._turn()
        try:
            await self._publish(gun, content_type, body, size)
        finally:
            self._huge.release()

    async def _turn(self) -> None:
        try:
            await self._huge.acquire().addTimeout(TURN_SECONDS, self._clock)
        except TimeoutError as error:
            raise StoreUnavailableError(
                "large uploads are published one at a time, and this one has waited for "
                f"{TURN_SECONDS} seconds: try again later"
            ) from error

    async def delete(self, gun: str) -> None:
        """Delete a collection, if it is there.

        Raises:
            StorageError: it cannot be deleted.
        """
        await self._store.delete(gun)
        self._states.take(gun)

    async def _publish(self, gun: str, content_type: str, body: BinaryIO, size: int) -> None:
        upload = await self._run(size, read_upload, content_type, body)
        remembered = self._states.take(gun)
        if remembered is not None and self._states.are_trusted and remembered.knows(upload):
            try:
                if await self._attempt(gun, upload, size, remembered):
                    self._states.was_right(True)
                    return
            except _REFUSALS as error:
                self._log.debug("reading {gun} before it is refused: {error}", gun=gun, error=error)
        for _ in range(_ATTEMPTS):
            state = await self._states.read(gun, upload, needed_roles(upload))
            if remembered is not None:
                self._states.was_right(remembered.is_like(state))
                remembered = None
            if await self._attempt(gun, upload, size, state):
                return
        raise StaleVersionError("others kept publishing to the same collection")

    async def _attempt(
        self, gun: str, upload: Mapping[str, Metadata], size: int, state: State
    ) -> bool:
        """Publish upon a state; return False, with nothing changed, if it does not hold any more.

        Raises:
            APIError, TUFError, StorageError, SignerError: as `publish`, going by that state.
        """
        root = self._roots.get(state.named[ROOT].sha256) if ROOT in state.named else None
        roles = needed_roles(upload) - ({ROOT} if root else set())
        files = await read_named(self._store, gun, state.named, roles, state.ahead)
        accepted, snapshot_draft = await self._run(
            size + state.snapshot_size + sum(len(file.data) for file in files.values()),
            _judge,
            gun,
            upload,
            files,
            state,
            root,
            utc_now(self._clock),
            self._max_version_step,
        )
        if accepted.root is not root:
            self._remember(accepted.root)
        signed = await self._sign(gun, accepted, snapshot_draft)
        try:
            *_, timestamp = await self._store.publish(gun, signed, state.timestamp)
        except ConflictError as error:
            self._log.debug("judging a publish to {gun} again: {error}", gun=gun, error=error)
            return False
        except StorageError:
            raise
        except Exception as error:
            raise APIError(UPDATING) from error
        named = accepted.named if snapshot_draft is None else snapshot_draft.named
        self._states.remember(gun, state.after(signed, timestamp, named))
        tell(
            self._log,
            "updated {gun} to timestamp version {version}, checksum {checksum}",
            gun=gun,
            version=timestamp.version,
            checksum=timestamp.sha256,
        )
        return True

    def _remember(self, root: Root) -> None:
        if _size_of(root) <= _LARGEST_ROOT:
            self._roots[sha256(root.metadata.data).hexdigest()] = root

    def _run(self, size: int, function: Callable[..., T], *args: object) -> Deferred[T]:
        run = self._run_in_thread if size >= BIG_UPLOAD else maybeDeferred
        return cast("Deferred[T]", run(function, *args))

    async def _sign(
        self, gun: str, accepted: Accepted, snapshot_draft: Draft | None
    ) -> list[NewFile]:
        files = [
            NewFile(role, metadata.version, metadata.data)
            for role, metadata in accepted.files.items()
        ]
        if snapshot_draft is None:
            snapshot = accepted.files[SNAPSHOT].data
        else:
            try:
                snapshot = await sign_draft(self._signer, gun, snapshot_draft)
            except KeyNotHeldError as error:
                raise BadHierarchyError(
                    "no snapshot was included in update and server does not hold current snapshot "
                    "key for repository",
                    missing=SNAPSHOT,
                ) from error
            files.append(NewFile(SNAPSHOT, snapshot_draft.version, snapshot))
        draft = accepted.draft_timestamp(snapshot, utc_now(self._clock))
        try:
            timestamp = await sign_draft(self._signer, gun, draft)
        except KeyNotHeldError as error:
            raise BadRootError("no timestamp keys exist on the server") from error
        return [*files, NewFile(TIMESTAMP, draft.version, timestamp)]


def _size_of(root: Root) -> int:
    return len(root.metadata.data)


def _judge(
    gun: str,
    upload: Mapping[str, Metadata],
    files: Mapping[str, StoredFile],
    state: State,
    root: Root | None,
    now: datetime,
    max_step: int,
) -> tuple[Accepted, Draft | None]:
    """Do all of a publish that takes long: what is parsed, verified or hashed may be big."""
    read = {role: read_stored(gun, file, _unread) for role, file in files.items()}
    if root is not None:
        read[ROOT] = root.metadata
    stored = Stored(read, state.named, state.versions, root)
    accepted = judge(gun, upload, stored, now, max_step)
    return accepted, accepted.draft_snapshot(now)


def _unread(metadata: Metadata) -> Metadata:
    return metadata
