"""What collections hold, as far as a publish is judged by it: read, or remembered."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import attrs
from cachetools import LRUCache

from notary.server.reading import read_head
from notary.storage.interfaces import FileNotStoredError, IMetadataStore, NewFile, StoredFile
from notary.tuf.metadata import FileMeta
from notary.tuf.names import SNAPSHOT, TIMESTAMP

SURE_AFTER = 16
"""Remembered states in a row that have to have been right before one is built upon."""

_REMEMBERED = 8192
"""Files that remembered snapshots name, the snapshots included; each takes less than 1 KB."""

_LARGEST = _REMEMBERED // 16


@attrs.frozen
class State:
    """What a collection holds, as far as a publish is judged by it.

    Attributes:
        timestamp: its newest timestamp, None if there is no collection.
        named: what its snapshot names, by role.
        snapshot_size: bytes of its snapshot.
        versions: the newest versions by role, as far as they are known; a role that has none is
            left out.
        ahead: newest files that were read along with it, by role. They are current only if
            `named` says so.
    """

    timestamp: StoredFile | None = None
    named: Mapping[str, FileMeta] = attrs.field(factory=dict)
    snapshot_size: int = 0
    versions: Mapping[str, int] = attrs.field(factory=dict)
    ahead: Mapping[str, StoredFile] = attrs.field(factory=dict)

    def knows(self, roles: Collection[str]) -> bool:
        """Tell whether a publish of some roles can be judged by what is known of versions."""
        return _judged_by(roles) <= self.versions.keys()

    def is_like(self, other: State) -> bool:
        """Tell whether both have the same newest timestamp, hence all files in common."""
        mine, theirs = self.timestamp, other.timestamp
        if mine is None or theirs is None:
            return mine is theirs
        return (mine.version, mine.sha256) == (theirs.version, theirs.sha256)

    def after(
        self, files: Sequence[NewFile], timestamp: StoredFile, named: Mapping[str, FileMeta]
    ) -> State:
        """Return what holds after a publish.

        Args:
            files: all that was stored.
            timestamp: the one among them.
            named: what the snapshot among them names.
        """
        sizes = {file.role: len(file.data) for file in files}
        versions = {**self.versions, **{file.role: file.version for file in files}}
        kept = {*named, SNAPSHOT, TIMESTAMP}
        return State(
            timestamp,
            named,
            sizes[SNAPSHOT],
            {role: version for role, version in versions.items() if role in kept},
        )


class States:
    """Reads states, and remembers those that this server's own publishes left behind.

    Other servers may publish, so whoever builds upon a remembered state has to be ready for it to
    be outdated, which costs a publish in vain. So none is worth it while others publish to the
    same collections: only after many were right in a row is one built upon. Each is given out
    once.

    Args:
        store: where to read.
    """

    def __init__(self, store: IMetadataStore) -> None:
        self._store = store
        self._remembered: LRUCache[str, State] = LRUCache(_REMEMBERED, _size)
        self._right_in_a_row = 0

    @property
    def are_trusted(self) -> bool:
        """Whether a remembered state is worth to be built upon."""
        return self._right_in_a_row >= SURE_AFTER

    def was_right(self, right: bool) -> None:
        """Learn whether a remembered state was still the newest."""
        self._right_in_a_row = self._right_in_a_row + 1 if right else 0

    def take(self, gun: str) -> State | None:
        """Return what is remembered of a collection, and forget it."""
        return self._remembered.pop(gun, None)

    def remember(self, gun: str, state: State) -> None:
        """Remember what a publish left behind."""
        if _size(state) <= _LARGEST:
            self._remembered[gun] = state

    async def read(self, gun: str, roles: Collection[str], needed: Collection[str]) -> State:
        """Return what a collection holds now.

        Args:
            gun: the collection.
            roles: those that are published.
            needed: those whose files will be needed, to spare a query.

        Raises:
            DamagedFileError: the timestamp or the snapshot is missing or cannot be read.
        """
        ahead = {*needed, SNAPSHOT}
        try:
            newest = await self._store.newest_with_versions(
                gun, TIMESTAMP, _judged_by(roles), ahead
            )
        except FileNotStoredError:
            return State()
        head = await read_head(self._store, gun, newest.file, ahead)
        return State(
            newest.file,
            head.snapshot.meta,
            len(head.snapshot_file.data),
            {**newest.versions, TIMESTAMP: newest.file.version},
            head.ahead,
        )


def _judged_by(roles: Collection[str]) -> set[str]:
    """The roles whose versions a publish of some roles is judged by, but for the timestamp."""
    return set(roles) - {TIMESTAMP} | {SNAPSHOT}


def _size(state: State) -> int:
    return len(state.named) + 1
