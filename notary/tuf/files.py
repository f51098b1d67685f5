"""The four files: what each must hold and what it says."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence, Set
from functools import partial
from typing import Annotated, Any

import attrs
import msgspec

from notary.tuf.canonical import check_spelling
from notary.tuf.errors import InvalidKeyError, InvalidMetadataError, MalformedJSONError
from notary.tuf.keys import PublicKey
from notary.tuf.metadata import FileMeta, Metadata
from notary.tuf.names import BASE_ROLES, ROOT, SNAPSHOT, TARGETS, TIMESTAMP, is_delegation, parent

FILE_TYPES = {
    ROOT: "Root",
    TARGETS: "Targets",
    SNAPSHOT: "Snapshot",
    TIMESTAMP: "Timestamp",
}
"""The ``_type`` of each base role's file; delegations are of type ``Targets``."""

_ROLE_FIELDS = {"name", "keyids", "threshold", "paths"}
_FILE_META_FIELDS = {"length", "hashes", "custom"}
_DIGEST_SIZES = {"sha256": 32, "sha512": 64}
_AT_ONCE = 16 * 1024


@attrs.frozen
class RoleKeys:
    """Who may sign for a role.

    Attributes:
        keys: the role's keys by key ID.
        threshold: how many of them must sign, at least 1.
    """

    keys: Mapping[str, PublicKey]
    threshold: int


@attrs.frozen
class Root:
    """A root file.

    Attributes:
        metadata: the file it was read from.
        roles: who may sign for each base role.
    """

    metadata: Metadata
    roles: Mapping[str, RoleKeys]

    @classmethod
    def read(cls, metadata: Metadata) -> Root:
        """Read a root.

        Raises:
            InvalidMetadataError: it does not have the form of a root.
        """
        metadata.check_common("Root")
        _check_fields(metadata.signed, {"keys", "roles", "consistent_snapshot"})
        if not isinstance(metadata.signed.get("consistent_snapshot") or False, bool):
            raise InvalidMetadataError("consistent_snapshot must be true or false")
        keys = _keys(metadata.signed)
        roles = _object(metadata.signed, "roles")
        missing = [role for role in BASE_ROLES if roles.get(role) is None]
        if missing:
            raise InvalidMetadataError(f"missing {missing[0]} role specification")
        return cls(metadata, {role: _role_keys(role, roles[role], keys) for role in BASE_ROLES})


@attrs.frozen
class Targets:
    """A targets or delegation file.

    Attributes:
        metadata: the file it was read from.
        delegations: who may sign for each role it delegates to.
    """

    metadata: Metadata
    delegations: Mapping[str, RoleKeys]

    @classmethod
    def read(cls, metadata: Metadata, role: str) -> Targets:
        """Read the file of ``targets`` or of a delegation.

        Raises:
            InvalidMetadataError: it does not have the form of one, or delegates to a role that is
                not right below its own.
        """
        metadata.check_common("Targets")
        _check_fields(metadata.signed, {"targets", "delegations"})
        _check_targets(_object(metadata.signed, "targets"))
        delegations = _object(metadata.signed, "delegations")
        _check_fields(delegations, {"keys", "roles"})
        keys = _keys(delegations)
        roles: dict[str, RoleKeys] = {}
        for value in _list(delegations, "roles"):
            name = value.get("name") if isinstance(value, dict) else None
            if not isinstance(name, str) or not is_delegation(name) or parent(name) != role:
                raise InvalidMetadataError(f"delegation role {str(name)[:300]} invalid")
            if not all(isinstance(path, str) for path in _list(value, "paths")):
                raise InvalidMetadataError(f"the paths of {name} must be strings")
            roles.setdefault(name, _role_keys(name, value, keys))
        return cls(metadata, roles)


@attrs.frozen
class Snapshot:
    """A snapshot file.

    Attributes:
        metadata: the file it was read from.
        meta: the files that belong together, by role; at least root and targets.
    """

    metadata: Metadata
    meta: Mapping[str, FileMeta]

    @classmethod
    def read(cls, metadata: Metadata) -> Snapshot:
        """Read a snapshot.

        Raises:
            InvalidMetadataError: it does not have the form of a snapshot.
        """
        metadata.check_common("Snapshot")
        return cls(metadata, _meta(metadata, required=(ROOT, TARGETS)))


@attrs.frozen
class Timestamp:
    """A timestamp file.

    Attributes:
        metadata: the file it was read from.
        snapshot: which snapshot is the current one.
    """

    metadata: Metadata
    snapshot: FileMeta

    @classmethod
    def read(cls, metadata: Metadata) -> Timestamp:
        """Read a timestamp.

        Raises:
            InvalidMetadataError: it does not have the form of a timestamp.
        """
        metadata.check_common("Timestamp")
        return cls(metadata, _meta(metadata, required=(SNAPSHOT,))[SNAPSHOT])


def _check_fields(container: Mapping[str, Any], fields: Set[str]) -> None:
    try:
        check_spelling(container, fields)
    except MalformedJSONError as error:
        raise InvalidMetadataError(str(error)) from error


def _object(container: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = container.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidMetadataError(f"{name} must be an object")
    return value


def _list(container: Mapping[str, Any], name: str) -> Sequence[Any]:
    value = container.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise InvalidMetadataError(f"{name} must be a list")
    return value


def _keys(container: Mapping[str, Any]) -> dict[str, PublicKey]:
    keys = {}
    for key_id, value in _object(container, "keys").items():
        try:
            keys[key_id] = PublicKey.from_json(value)
        except (InvalidKeyError, MalformedJSONError) as error:
            raise InvalidMetadataError(f"key {key_id[:64]}: {error}") from error
    return keys


def _role_keys(role: str, value: Any, keys: Mapping[str, PublicKey]) -> RoleKeys:
    if not isinstance(value, dict):
        raise InvalidMetadataError(f"the specification of {role} must be an object")
    _check_fields(value, _ROLE_FIELDS)
    threshold = value.get("threshold")
    if not isinstance(threshold, int) or isinstance(threshold, bool) or threshold < 1:
        raise InvalidMetadataError(f"invalid threshold specified for {role}: {str(threshold)[:40]}")
    own = {}
    for key_id in _list(value, "keyids"):
        if not isinstance(key_id, str) or key_id not in keys:
            raise InvalidMetadataError(
                f"key ID {str(key_id)[:64]} specified in {role} without corresponding key"
            )
        own[key_id] = keys[key_id]
    return RoleKeys(own, threshold)


class _UsualTarget(msgspec.Struct, forbid_unknown_fields=True):
    """What `_check_target` would allow too; it takes a tenth of the time to see that."""

    hashes: Mapping[str, bytes] | None = None
    length: Annotated[int, msgspec.Meta(ge=0)] | None = None
    custom: Any = None


def _check_targets(targets: Mapping[str, Any]) -> None:
    """Check all at once, unless there are so many that other threads would wait for it too long."""
    if len(targets) > _AT_ONCE or not _are_usual(targets):
        for path, target in targets.items():
            _check_target(path, target)


def _are_usual(targets: Mapping[str, Any]) -> bool:
    try:
        msgspec.convert(targets, dict[str, _UsualTarget])
    except msgspec.ValidationError:
        return False
    return True


def _check_target(path: str, value: Any) -> None:
    if not isinstance(value, dict):
        raise InvalidMetadataError(f"target {path[:300]!r} must be an object")
    _check_fields(value, _FILE_META_FIELDS)
    what = partial(_target, path)
    if value.get("length") is not None:
        _length(what, value)
    _hashes(what, value)


def _target(path: str) -> str:
    return f"target {path[:300]!r}"


def _cut(role: str) -> str:
    return role[:300]


def _hashes(what: Callable[[], str], value: Mapping[str, Any]) -> dict[str, bytes]:
    try:
        return {
            algorithm: base64.b64decode(digest, validate=True)
            for algorithm, digest in _object(value, "hashes").items()
        }
    except (TypeError, ValueError) as error:
        raise InvalidMetadataError(f"the hashes of {what()} must be base64") from error


def _meta(metadata: Metadata, required: Sequence[str]) -> dict[str, FileMeta]:
    _check_fields(metadata.signed, {"meta"})
    entries = _object(metadata.signed, "meta")
    for role in required:
        if role not in entries:
            raise InvalidMetadataError(f"missing {role} sha256 checksum information")
    return {role: _file_meta(role, value) for role, value in entries.items()}


def _file_meta(role: str, value: Any) -> FileMeta:
    if not isinstance(value, dict):
        raise InvalidMetadataError(f"the entry of {role[:300]} must be an object")
    _check_fields(value, _FILE_META_FIELDS)
    what = partial(_cut, role)
    digests = _hashes(what, value)
    if "sha256" not in digests:
        raise InvalidMetadataError(f"missing {role[:300]} sha256 checksum information")
    known = {algorithm: digests[algorithm] for algorithm in _DIGEST_SIZES if algorithm in digests}
    if any(len(digest) != _DIGEST_SIZES[algorithm] for algorithm, digest in known.items()):
        raise InvalidMetadataError(f"invalid {role[:300]} checksum information")
    return FileMeta(_length(what, value), known)


def _length(what: Callable[[], str], value: Mapping[str, Any]) -> int:
    length = value.get("length")
    if not isinstance(length, int) or isinstance(length, bool) or length < 0:
        raise InvalidMetadataError(f"the length of {what()} must be a number of bytes")
    return length
