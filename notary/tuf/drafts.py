"""Files that the service makes itself: what has to be signed, then the signed file.

The domain asks nobody for signatures. It says which bytes need them and by which keys; whoever
holds the keys signs, and the domain puts the file together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import attrs

from notary.tuf.canonical import encode
from notary.tuf.files import FILE_TYPES, RoleKeys, Root
from notary.tuf.keys import PublicKey
from notary.tuf.metadata import FileMeta, Signature, assemble, check_signatures
from notary.tuf.names import SNAPSHOT, TIMESTAMP, is_role
from notary.tuf.times import format_time

LIFETIMES = {SNAPSHOT: timedelta(days=3 * 365), TIMESTAMP: timedelta(days=14)}
"""How long a file made here is good for."""

_RENEWAL_SHARE = 7


@attrs.frozen
class Draft:
    """A file that still lacks its signatures.

    Attributes:
        role: ``snapshot`` or ``timestamp``.
        version: of the file.
        named: the files that it names, by role.
        payload: the bytes to be signed, in canonical form.
        signers: the keys that may sign, and how many of them have to.
    """

    role: str
    version: int
    named: Mapping[str, FileMeta]
    payload: bytes = attrs.field(repr=False)
    signers: RoleKeys

    def assemble(self, signatures: Sequence[Signature]) -> bytes:
        """Return the finished file.

        Raises:
            SignatureError: the signatures are not those of enough of the role's keys.
        """
        signers = self.signers
        check_signatures(self.role, signatures, signers.keys, signers.threshold, self._is_signed_by)
        return assemble(self.payload, [signature.to_json() for signature in signatures])

    def _is_signed_by(self, key: PublicKey, signature: Signature) -> bool:
        return key.verifies(signature.method, signature.signature, self.payload)


def draft_snapshot(
    root: Root,
    previous: Mapping[str, FileMeta],
    previous_version: int,
    files: Mapping[str, bytes],
    now: datetime,
) -> Draft:
    """Draft the snapshot that follows.

    Args:
        root: says who may sign it.
        previous: what the snapshot so far names, by role, which is kept.
        previous_version: the highest version there has been, 0 if there is none.
        files: the bytes of the files that are new or may have changed, by role.
        now: the time it is made at.
    """
    meta = {**previous, **{role: FileMeta.of(data) for role, data in files.items()}}
    known = {role: entry for role, entry in meta.items() if is_role(role)}
    return _draft(root, SNAPSHOT, previous_version + 1, known, now)


def draft_timestamp(root: Root, previous_version: int, snapshot: bytes, now: datetime) -> Draft:
    """Draft the timestamp that follows.

    Args:
        root: says who may sign it.
        previous_version: the highest version there has been, 0 if there is none.
        snapshot: the bytes of the snapshot it points to.
        now: the time it is made at.
    """
    meta = {SNAPSHOT: FileMeta.of(snapshot)}
    return _draft(root, TIMESTAMP, previous_version + 1, meta, now)


def renewal_due(role: str, expires: datetime | None, now: datetime) -> bool:
    """Tell whether a snapshot or timestamp should be made anew.

    That is ahead of time, once less than a seventh of its life is left (two days for a timestamp),
    so that no client ever meets an expired one because it asked first.
    """
    return expires is None or expires - now < _renewal_time(role)


def good_until(role: str, expires: datetime) -> datetime:
    """Return until when a snapshot or timestamp that is not due yet need not be made anew."""
    return expires - _renewal_time(role)


def _renewal_time(role: str) -> timedelta:
    return LIFETIMES[role] / _RENEWAL_SHARE


def _draft(
    root: Root, role: str, version: int, meta: Mapping[str, FileMeta], now: datetime
) -> Draft:
    signed: dict[str, Any] = {
        "_type": FILE_TYPES[role],
        "expires": format_time(now + LIFETIMES[role]),
        "meta": {name: entry.to_json() for name, entry in meta.items()},
        "version": version,
    }
    return Draft(role, version, meta, encode(signed), root.roles[role])
