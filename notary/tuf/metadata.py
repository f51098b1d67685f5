"""A metadata file taken apart: what is signed, and the signatures beside it."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from hashlib import sha256, sha512
from typing import Any

import attrs

from notary.tuf.canonical import check_spelling, decode, decode_if_plain, encode
from notary.tuf.errors import ExpiredError, InvalidMetadataError, MalformedJSONError, SignatureError
from notary.tuf.keys import PublicKey
from notary.tuf.times import parse_time

MAX_SIGNATURES = 100
"""Signatures of one file; each may cost a verification."""

MAX_VERSION = 2**31 - 2
"""The highest version of a file: one more still has to fit the database's column."""

_WORTH_A_TRY = 4 * 1024 * 1024
"""Bytes of the largest file that is read as if it were canonical from beginning to end.

That takes some 6 ms, in which no other thread runs.
"""

_FILE_FIELDS = {"signed", "signatures"}
_COMMON_FIELDS = {"_type", "version", "expires"}
_SIGNATURE_FIELDS = {"keyid", "method", "sig"}


@attrs.frozen
class Signature:
    """One signature of a file.

    Attributes:
        key_id: the ID of the key that made it, as the delegating role names it.
        method: the signing method, in lower case.
        signature: its raw bytes.
    """

    key_id: str
    method: str
    signature: bytes = attrs.field(repr=False)

    def to_json(self) -> dict[str, str]:
        """Return the form a file carries."""
        return {
            "keyid": self.key_id,
            "method": self.method,
            "sig": base64.b64encode(self.signature).decode(),
        }


@attrs.frozen
class FileMeta:
    """How a snapshot or timestamp names another file.

    Attributes:
        length: bytes of that file.
        hashes: raw digests of those bytes by algorithm, ``sha256`` and maybe ``sha512``.
    """

    length: int
    hashes: Mapping[str, bytes]

    @classmethod
    def of(cls, data: bytes) -> FileMeta:
        """Return the description of a file's bytes."""
        return cls(len(data), {"sha256": sha256(data).digest(), "sha512": sha512(data).digest()})

    @property
    def sha256(self) -> str:
        """The checksum under which a store finds the file, in hex."""
        return self.hashes["sha256"].hex()

    def describes(self, data: bytes) -> bool:
        """Tell whether these bytes are the ones described, by all the hashes given."""
        actual = FileMeta.of(data)
        return self.length == actual.length and all(
            actual.hashes[algorithm] == digest for algorithm, digest in self.hashes.items()
        )

    def to_json(self) -> dict[str, Any]:
        """Return the form a snapshot or timestamp carries."""
        hashes = {name: base64.b64encode(digest).decode() for name, digest in self.hashes.items()}
        return {"hashes": hashes, "length": self.length}


@attrs.frozen
class Metadata:
    """A metadata file in which nothing has been checked but its outermost form.

    Members that are absent or null read as empty, 0 or None, as the original service reads them;
    what a role needs is checked by the role.

    Attributes:
        data: the file's bytes, exactly as sent.
        signed: the part that is signed, decoded.
        signatures: the signatures in the order they stand in.
        type: ``_type``.
        version: of the file.
        expires: when its time is over, in UTC.
        extra: names of members beside ``signed`` and ``signatures``, which nobody signs.
    """

    data: bytes = attrs.field(repr=False)
    signed: Mapping[str, Any] = attrs.field(repr=False)
    signatures: Sequence[Signature] = attrs.field(repr=False)
    type: str
    version: int
    expires: datetime | None
    extra: Sequence[str]
    _payload: bytes | None = attrs.field(default=None, repr=False, eq=False)
    _verified: dict[tuple[PublicKey, Signature], bool] = attrs.field(
        factory=dict, init=False, repr=False, eq=False
    )

    @classmethod
    def parse(cls, data: bytes) -> Metadata:
        """Take the bytes of a metadata file apart.

        Raises:
            MalformedJSONError: the bytes are not JSON as `notary.tuf.canonical.decode` takes it,
                or a member that every role shares is of the wrong type.
        """
        value, payload = _decode(data)
        if not isinstance(value, dict):
            raise MalformedJSONError("a metadata file must be an object")
        check_spelling(value, _FILE_FIELDS)
        signed = _member(value, "signed", dict) or {}
        check_spelling(signed, _COMMON_FIELDS)
        return cls(
            data,
            signed,
            _signatures(_member(value, "signatures", list) or []),
            _member(signed, "_type", str) or "",
            _member(signed, "version", int) or 0,
            _expires(_member(signed, "expires", str)),
            tuple(sorted(value.keys() - _FILE_FIELDS)),
            payload,
        )

    @cached_property
    def payload(self) -> bytes:
        """The bytes that the signatures are over: the canonical form of ``signed``."""
        return encode(self.signed) if self._payload is None else self._payload

    def check_common(self, file_type: str) -> None:
        """Check what every role's file must be.

        Raises:
            InvalidMetadataError: the type is not the given one, or the version is out of range.
        """
        if self.type != file_type:
            raise InvalidMetadataError(f"expected type {file_type}, not {self.type[:40]}")
        if self.version < 1:
            raise InvalidMetadataError("version cannot be less than 1")

    def check_upload(self) -> None:
        """Check what only files that come in now must obey; older stored ones may not.

        Raises:
            InvalidMetadataError: there are members that nobody signs, or the version is so high
                that no newer one could follow.
        """
        if self.extra:
            names = ", ".join(repr(name[:40]) for name in self.extra[:5])
            raise InvalidMetadataError(f"members beside signed and signatures: {names}")
        if self.version > MAX_VERSION:
            raise InvalidMetadataError(f"version cannot be more than {MAX_VERSION}")

    def check_expiry(self, role: str, now: datetime) -> None:
        """Refuse a file whose time is over.

        Raises:
            ExpiredError: it expired before `now`, or does not say when it does.
        """
        if self.expires is None:
            raise ExpiredError(f"{role} does not say when it expires")
        if self.expires < now:
            raise ExpiredError(f"{role} expired at {self.expires:%a %b %d %H:%M:%S UTC %Y}")

    def check_signatures(self, role: str, keys: Mapping[str, PublicKey], threshold: int) -> None:
        """Check that enough of the given keys have signed.

        A key counts once, however many signatures or certificates it has.

        Args:
            role: whose file this is, for messages.
            keys: the keys that may sign, by key ID.
            threshold: how many of them must have.

        Raises:
            SignatureError: too few have, a key stands under an ID that is not its own, or there
                are more than `MAX_SIGNATURES`.
        """
        check_signatures(role, self.signatures, keys, threshold, self._is_signed_by)

    def _is_signed_by(self, key: PublicKey, signature: Signature) -> bool:
        """Verify each signature once: neither it nor what it is over can change."""
        pair = key, signature
        if pair not in self._verified:
            self._verified[pair] = key.verifies(signature.method, signature.signature, self.payload)
        return self._verified[pair]


def check_signatures(
    role: str,
    signatures: Sequence[Signature],
    keys: Mapping[str, PublicKey],
    threshold: int,
    is_valid: Callable[[PublicKey, Signature], bool],
) -> None:
    """Do what `Metadata.check_signatures` does.

    Args:
        role: whose file it is, for messages.
        signatures: those of the file.
        keys: the keys that may sign, by key ID.
        threshold: how many of them must have.
        is_valid: tells whether a signature is a key's.
    """
    if not signatures:
        raise SignatureError(f"{role} has no signatures")
    if len(signatures) > MAX_SIGNATURES:
        raise SignatureError(f"{role} has more than {MAX_SIGNATURES} signatures")
    valid = set()
    for signature in signatures:
        key = keys.get(signature.key_id)
        if key is None:
            continue
        if key.key_id != signature.key_id:
            raise SignatureError(f"the key ID {signature.key_id} is not that of its key")
        if is_valid(key, signature):
            valid.add(key.canonical_id)
    if threshold < 1 or len(valid) < threshold:
        raise SignatureError(f"valid signatures did not meet threshold for {role}")


def _decode(data: bytes) -> tuple[Any, bytes | None]:
    """Return what a file says, and what of it is signed if that stands in it in canonical form.

    Then no member can stand twice: it would be missing from the canonical form.
    """
    if len(data) <= _WORTH_A_TRY:
        value = decode_if_plain(data)
        signed = value.get("signed") if isinstance(value, dict) else None
        if isinstance(signed, dict) and "signatures" in value:
            payload = encode(signed)
            if data == assemble(payload, value["signatures"]):
                return value, payload
    return decode(data), None


def assemble(payload: bytes, signatures: Any) -> bytes:
    """Return a file as the original programs write it, given the JSON value of its signatures."""
    return b'{"signed":%b,"signatures":%b}' % (payload, encode(signatures))


def _member(container: Mapping[str, Any], name: str, kind: type) -> Any:
    value = container.get(name)
    if value is None:
        return None
    if not isinstance(value, kind) or isinstance(value, bool):
        expected = {dict: "an object", list: "a list", str: "a string", int: "an integer"}[kind]
        raise MalformedJSONError(f"{name} must be {expected}")
    return value


def _signatures(values: list[Any]) -> tuple[Signature, ...]:
    return tuple(_signature(value) for value in values)


def _signature(value: Any) -> Signature:
    if not isinstance(value, dict):
        raise MalformedJSONError("a signature must be an object")
    check_spelling(value, _SIGNATURE_FIELDS)
    try:
        raw = base64.b64decode(_member(value, "sig", str) or "", validate=True)
    except ValueError as error:
        raise MalformedJSONError("a signature's sig is not base64") from error
    method = _member(value, "method", str) or ""
    return Signature(_member(value, "keyid", str) or "", method.lower(), raw)


def _expires(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        return parse_time(text)
    except ValueError as error:
        raise MalformedJSONError(f"expires: {error}") from error
