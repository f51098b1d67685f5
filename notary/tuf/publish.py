"""The rules of a publish: what a client may add to a collection."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

import attrs

from notary.tuf import certificates, drafts
from notary.tuf.errors import (
    BadRootError,
    BadSnapshotError,
    BadTargetsError,
    InvalidMetadataError,
    StaleVersionError,
    TUFError,
    ValidationError,
)
from notary.tuf.files import RoleKeys, Root, Snapshot, Targets
from notary.tuf.metadata import FileMeta, Metadata
from notary.tuf.names import ROOT, SNAPSHOT, TARGETS, TIMESTAMP, ancestors, parent
from notary.tuf.trust import verify_root


@attrs.frozen
class Stored:
    """What a collection holds before a publish.

    Attributes:
        files: its current files by role, as far as `needed_roles` asks for them.
        named: how its snapshot names its files, by role.
        versions: the newest version of the uploaded roles, of the snapshot and of the timestamp;
            absent if there is none.
        root: its root, if that has been read before; it need not be read again.
    """

    files: Mapping[str, Metadata] = attrs.field(factory=dict)
    named: Mapping[str, FileMeta] = attrs.field(factory=dict)
    versions: Mapping[str, int] = attrs.field(factory=dict)
    root: Root | None = None


@attrs.frozen
class Accepted:
    """A publish that keeps the rules.

    Attributes:
        files: the uploaded files to be stored, by role. An uploaded timestamp is not among them:
            the service makes its own.
        root: the root that holds from now on.
        named: what the uploaded snapshot names, by role; nothing if there is none.
    """

    files: Mapping[str, Metadata]
    root: Root
    named: Mapping[str, FileMeta]
    _read: Mapping[str, Metadata]
    _stored: Stored

    def draft_snapshot(self, now: datetime) -> drafts.Draft | None:
        """Draft the snapshot, or return None if the client made it."""
        if SNAPSHOT in self.files:
            return None
        named = self._stored.named
        new = {
            role: metadata.data
            for role, metadata in self._read.items()
            if role in self.files or role not in named
        }
        version = self._stored.versions.get(SNAPSHOT, 0)
        return drafts.draft_snapshot(self.root, named, version, new, now)

    def draft_timestamp(self, snapshot: bytes, now: datetime) -> drafts.Draft:
        """Draft the timestamp over the snapshot's bytes."""
        version = self._stored.versions.get(TIMESTAMP, 0)
        return drafts.draft_timestamp(self.root, version, snapshot, now)


def needed_roles(uploaded: Iterable[str]) -> frozenset[str]:
    """Return the roles whose stored files `judge` has to be given, where they exist."""
    roles = set(uploaded)
    above = {role for name in roles if _is_targets(name) for role in ancestors(name)}
    return frozenset({ROOT} | (above - roles))


def judge(
    gun: str, upload: Mapping[str, Metadata], stored: Stored, now: datetime, max_step: int
) -> Accepted:
    """Decide whether an upload may become part of a collection.

    Args:
        gun: the collection.
        upload: the uploaded files by role.
        stored: what the collection holds.
        now: the time to judge by.
        max_step: how far beyond the stored version an uploaded one may be.

    Returns:
        The publish, in which a missing snapshot and the timestamp are still to be made.

    Raises:
        ValidationError: there is no root, or a first publish has no targets.
        BadRootError: the root, uploaded or stored, breaks a rule.
        BadTargetsError: a targets or delegation file breaks a rule, or one above it.
        BadSnapshotError: the uploaded snapshot breaks a rule.
        StaleVersionError: all is well, but for a version that is not newer than the stored one.
    """
    publish = _Publish(gun, upload, stored, now, max_step)
    root = publish.judge_root()
    targets = publish.judge_targets(root)
    if TARGETS not in upload and ROOT not in stored.files:
        raise ValidationError("targets must be loaded first")
    named = {ROOT: root.metadata, **{role: read.metadata for role, read in targets.items()}}
    snapshot = publish.judge_snapshot(root, named)
    publish.check_newer()
    if snapshot is not None:
        publish.check_unnamed(snapshot, named)
    files = {role: metadata for role, metadata in upload.items() if role != TIMESTAMP}
    return Accepted(files, root, {} if snapshot is None else snapshot.meta, named, stored)


@attrs.frozen
class _Publish:
    gun: str
    upload: Mapping[str, Metadata]
    stored: Stored
    now: datetime
    max_step: int

    def judge_root(self) -> Root:
        try:
            previous = None
            if ROOT in self.stored.files:
                previous = self.stored.root or Root.read(self.stored.files[ROOT])
            if ROOT in self.upload:
                return self._new_root(self.upload[ROOT], previous)
            if previous is not None:
                verify_root(previous, None, self.gun, self.now)
                return previous
        except TUFError as error:
            raise BadRootError(str(error)) from error
        raise ValidationError("no pre-existing root and no root provided in update.")

    def _new_root(self, metadata: Metadata, previous: Root | None) -> Root:
        current = 1 if previous is None else previous.metadata.version
        if metadata.version not in (current, current + 1):
            raise InvalidMetadataError(
                "Root modifications must increment the version. "
                f"Current {current}, new {metadata.version}"
            )
        metadata.check_upload()
        root = Root.read(metadata)
        verify_root(root, previous, self.gun, self.now)
        metadata.check_expiry(ROOT, self.now)
        return root

    def judge_targets(self, root: Root) -> Mapping[str, Targets]:
        loaded: dict[str, Targets] = {}
        for role in _shallow_first(role for role in self.upload if _is_targets(role)):
            try:
                for above in ancestors(role):
                    if above not in loaded and above in self.stored.files:
                        loaded[above] = _load(above, self.stored.files[above], root, loaded)
                metadata = self.upload[role]
                metadata.check_upload()
                self._check_step(role, metadata)
                loaded[role] = _load(role, metadata, root, loaded)
                metadata.check_expiry(role, self.now)
            except TUFError as error:
                raise BadTargetsError(f"{role}: {error}") from error
        return loaded

    def judge_snapshot(self, root: Root, named: Mapping[str, Metadata]) -> Snapshot | None:
        metadata = self.upload.get(SNAPSHOT)
        if metadata is None:
            return None
        try:
            metadata.check_upload()
            self._check_step(SNAPSHOT, metadata)
            signers = root.roles[SNAPSHOT]
            metadata.check_signatures(SNAPSHOT, signers.keys, signers.threshold)
            snapshot = Snapshot.read(metadata)
            metadata.check_expiry(SNAPSHOT, self.now)
            for role, file in named.items():
                if role not in snapshot.meta:
                    raise InvalidMetadataError(f"no checksums were provided for {role}")
                if not snapshot.meta[role].describes(file.data):
                    raise InvalidMetadataError(f"the checksum or length of {role} did not match")
            return snapshot
        except TUFError as error:
            raise BadSnapshotError(str(error)) from error

    def check_newer(self) -> None:
        for role, metadata in self.upload.items():
            stored = self.stored.versions.get(role, 0)
            if role != TIMESTAMP and metadata.version <= stored:
                raise StaleVersionError(
                    f"{role}: version {metadata.version} is not newer than {stored}"
                )

    def check_unnamed(self, snapshot: Snapshot, named: Mapping[str, Metadata]) -> None:
        """Refuse an entry for a file that is neither uploaded nor the stored one.

        The file could not be read, or would go back to an older one.
        """
        stored = {role: entry.sha256 for role, entry in self.stored.named.items()}
        for role, entry in snapshot.meta.items():
            if role not in named and stored.get(role) != entry.sha256:
                raise BadSnapshotError(
                    f"the checksum of {role[:300]} is neither that of an uploaded file nor that "
                    "of the stored one"
                )

    def _check_step(self, role: str, metadata: Metadata) -> None:
        stored = self.stored.versions.get(role, 0)
        if metadata.version - stored > self.max_step:
            raise InvalidMetadataError(
                f"version {metadata.version} is more than {self.max_step} ahead of {stored}"
            )


def _load(role: str, metadata: Metadata, root: Root, loaded: Mapping[str, Targets]) -> Targets:
    if role == TARGETS:
        signers = root.roles[TARGETS]
    else:
        above = loaded.get(parent(role))
        if above is None or role not in above.delegations:
            raise InvalidMetadataError(f"delegation {role} does not exist")
        signers = above.delegations[role]
        _check_certificates(role, signers)
    metadata.check_signatures(role, signers.keys, signers.threshold)
    return Targets.read(metadata, role)


def _check_certificates(role: str, signers: RoleKeys) -> None:
    for key in signers.keys.values():
        problem = certificates.weakness(key.certificate_chain[0]) if key.has_certificate else None
        if problem:
            raise InvalidMetadataError(f"the certificate of a key of {role} will not do: {problem}")


def _is_targets(role: str) -> bool:
    return role not in (ROOT, SNAPSHOT, TIMESTAMP)


def _shallow_first(roles: Iterable[str]) -> Collection[str]:
    return sorted(roles, key=lambda role: (role.count("/"), role))
