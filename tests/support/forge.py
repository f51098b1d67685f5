"""Makes keys, certificates and metadata files in Notary's dialect, good ones and bad ones.

Nothing here uses `notary.tuf`: canonical JSON, key IDs and signatures are written down a second
time, so that a test which passes both ways rests on two opinions.
"""

from __future__ import annotations

import json
import warnings
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from functools import cache
from hashlib import sha256, sha512
from typing import Any, cast

import attrs
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
Files = Mapping[str, bytes] | Iterable[tuple[str, bytes]]

OMIT = object()
"""As the value of a field: leave the field out."""

DAY = timedelta(days=1)
FAR = "2046-01-01T00:00:00Z"
PAST = "2016-01-01T00:00:00Z"
BOUNDARY = "forged-boundary"
TYPES = {"root": "Root", "targets": "Targets", "snapshot": "Snapshot", "timestamp": "Timestamp"}


def rfc3339(moment: datetime) -> str:
    """Write a moment as the Go programs do, in UTC to the microsecond, without trailing zeros."""
    text = moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")
    return text.rstrip("0").rstrip(".") + "Z"


def canonical(value: Any) -> bytes:
    """Write a value as canonical JSON: sorted, tight, only quote and backslash escaped."""
    return _canonical(value).encode("utf-8", "surrogatepass")


def _canonical(value: Any) -> str:
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, Mapping):
        members = (f"{_canonical(name)}:{_canonical(value[name])}" for name in sorted(value))
        return "{" + ",".join(members) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(_canonical, value)) + "]"
    return json.dumps(value)


@cache
def _rsa_key(bits: int, slot: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@attrs.frozen(eq=False)
class Key:
    """A key pair as metadata knows it.

    Attributes:
        kind: the key type: ``ecdsa``, ``rsa``, ``ed25519``, ``ecdsa-x509`` or ``rsa-x509``.
        private: signs.
        public: the public bytes: SubjectPublicKeyInfo, PEM certificates, or 32 raw bytes.
    """

    kind: str
    private: PrivateKey = attrs.field(repr=False)
    public: bytes = attrs.field(repr=False)
    _signatures: dict[tuple[bytes, str | None], dict[str, str]] = attrs.field(
        factory=dict, init=False, repr=False
    )

    @classmethod
    def generate(
        cls,
        kind: str = "ecdsa",
        *,
        curve: ec.EllipticCurve | None = None,
        bits: int = 2048,
        slot: int = 0,
    ) -> Key:
        """Make a key pair. RSA keys are made once for each size and slot, as that is slow."""
        private: PrivateKey
        if kind == "ed25519":
            private = ed25519.Ed25519PrivateKey.generate()
            return cls(kind, private, private.public_key().public_bytes_raw())
        private = _rsa_key(bits, slot) if kind == "rsa" else _ec_key(curve)
        return cls(kind, private, _spki(private))

    @classmethod
    def certificate(
        cls,
        gun: str,
        kind: str = "ecdsa-x509",
        *,
        not_before: datetime | None = None,
        not_after: datetime | None = None,
        hash: hashes.HashAlgorithm | None = None,
        cn: str | None = None,
        is_ca: bool = False,
        key: Key | None = None,
        issuer: Key | None = None,
        chain: Sequence[Key] = (),
    ) -> Key:
        """Make a root key: a certificate for the GUN, self-signed as the Go client's are.

        Args:
            gun: the common name, of any length.
            cn: another common name instead.
            key: the pair to certify instead of a new one.
            issuer: a certificate's key that signs this one.
            chain: certificates to append after the leaf.
        """
        pair = key or Key.generate(kind.removesuffix("-x509"))
        now = datetime.now(timezone.utc)
        subject = _name(gun if cn is None else cn)
        leaf = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(
                x509.load_pem_x509_certificate(issuer.public).subject if issuer else subject
            )
            .public_key(pair.private.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(not_before or now - DAY)
            .not_valid_after(not_after or now + 3650 * DAY)
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False
            )
            .sign((issuer or pair).private, hash or hashes.SHA256())  # type: ignore[arg-type]
        )
        public = leaf.public_bytes(Encoding.PEM) + b"".join(each.public for each in chain)
        return cls(kind, pair.private, public)

    @classmethod
    def sha1_certificate(cls, gun: str) -> Key:
        """Make a root key whose certificate has a SHA-1 signature, which libraries refuse to.

        The names of the two RSA signature algorithms have one length, so one can be put in the
        place of the other; then the certificate is signed anew.
        """
        key = cls.certificate(gun, "rsa-x509")
        leaf = x509.load_pem_x509_certificate(key.public)
        private = cast(rsa.RSAPrivateKey, key.private)
        old, new = (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01" + end for end in (b"\x0b", b"\x05"))
        body = leaf.tbs_certificate_bytes.replace(old, new)
        signature = private.sign(body, padding.PKCS1v15(), hashes.SHA1())
        der = leaf.public_bytes(Encoding.DER).replace(old, new)
        der = der.replace(leaf.signature, signature)
        weak = x509.load_der_x509_certificate(der)
        return cls("rsa-x509", private, weak.public_bytes(Encoding.PEM))

    @property
    def key_id(self) -> str:
        """The hex sha256 of the public key's canonical JSON."""
        return key_id(self.public_json())

    @property
    def canonical_id(self) -> str:
        """The ID of the bare public key; another than `key_id` for a certificate only."""
        return Key(self.kind.removesuffix("-x509"), self.private, self._bare()).key_id

    def _bare(self) -> bytes:
        return _spki(self.private) if self.kind != "ed25519" else self.public

    def public_json(self) -> dict[str, Any]:
        """The public key as it stands in metadata."""
        value = {"private": None, "public": b64encode(self.public).decode()}
        return {"keytype": self.kind, "keyval": value}

    def sign(self, data: bytes, method: str | None = None) -> dict[str, str]:
        """Sign bytes; the same bytes get the same signature again, so files can be made again.

        Args:
            data: what to sign, usually canonical JSON.
            method: for RSA ``rsapss`` (the default) or ``rsapkcs1v15``.
        """
        made = self._signatures.get((data, method))
        if made is None:
            made = self._signatures[data, method] = self._sign(data, method)
        return dict(made)

    def _sign(self, data: bytes, method: str | None) -> dict[str, str]:
        private = self.private
        if isinstance(private, ed25519.Ed25519PrivateKey):
            signature, method = private.sign(data), method or "eddsa"
        elif isinstance(private, ec.EllipticCurvePrivateKey):
            r, s = decode_dss_signature(private.sign(data, ec.ECDSA(hashes.SHA256())))
            octets = (private.curve.key_size + 7) // 8
            signature = r.to_bytes(octets, "big") + s.to_bytes(octets, "big")
            method = method or "ecdsa"
        elif method == "rsapkcs1v15":
            signature = private.sign(data, padding.PKCS1v15(), hashes.SHA256())
        else:
            pss = padding.PSS(padding.MGF1(hashes.SHA256()), salt_length=32)
            signature, method = private.sign(data, pss, hashes.SHA256()), method or "rsapss"
        return {"keyid": self.key_id, "method": method, "sig": b64encode(signature).decode()}


def key_id(public_json: Mapping[str, Any]) -> str:
    """The ID of a public key given as JSON, such as the answer to ``timestamp.key``."""
    return sha256(canonical(public_json)).hexdigest()


def _ec_key(curve: ec.EllipticCurve | None) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(curve or ec.SECP256R1())


def _spki(private: PrivateKey) -> bytes:
    return private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _name(common_name: str) -> x509.Name:
    """A name of any length, where X.520 stops at 64 characters."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name, _validate=False)])


def file_meta(data: bytes, *, names: Sequence[str] = ("sha256", "sha512")) -> dict[str, Any]:
    """Describe bytes as snapshots, timestamps and targets do."""
    makers = {"sha256": sha256, "sha512": sha512}
    digests = {name: b64encode(makers[name](data).digest()).decode() for name in names}
    return {"hashes": digests, "length": len(data)}


def role(keys: Iterable[Key | Mapping[str, Any]], threshold: Any = 1) -> dict[str, Any]:
    """A role as root knows it, for keys or public keys as JSON."""
    return {"keyids": [_public(key)[0] for key in keys], "threshold": threshold}


def _public(key: Key | Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    data = key.public_json() if isinstance(key, Key) else dict(key)
    return key_id(data), data


def public_keys(keys: Iterable[Key | Mapping[str, Any]]) -> dict[str, Any]:
    """Public keys by key ID."""
    return dict(map(_public, keys))


Signer = Key | Callable[[bytes], dict[str, Any]]


def seal(
    signed: Any,
    signers: Iterable[Signer],
    *,
    signatures: Any = None,
    outer: Mapping[str, Any] | None = None,
    indent: int | None = None,
) -> bytes:
    """Sign a payload and write the file.

    Args:
        signed: the payload; fields that are `OMIT` are left out.
        signers: keys, or functions from bytes to a signature.
        signatures: these in place of real ones.
        outer: members to add, or to put in the place of, ``signed`` and ``signatures``.
        indent: spread the file over lines; None writes it as the Go programs do.
    """
    if isinstance(signed, Mapping):
        signed = {name: value for name, value in signed.items() if value is not OMIT}
    if signatures is None:
        payload = canonical(signed)
        signatures = [(s.sign if isinstance(s, Key) else s)(payload) for s in signers]
    file = {"signed": signed, "signatures": signatures, **(outer or {})}
    file = {name: value for name, value in file.items() if value is not OMIT}
    if indent is None:
        members = (f"{json.dumps(name)}:{_canonical(value)}" for name, value in file.items())
        return ("{" + ",".join(members) + "}").encode("utf-8", "surrogatepass")
    return json.dumps(file, indent=indent, ensure_ascii=False).encode()


@attrs.define
class Collection:
    """A publisher of one collection, with all keys that are not the server's.

    Each method makes a file's bytes. Keyword arguments named as a field of the payload take the
    field's place (`OMIT` leaves it out); ``signers``, ``signatures``, ``outer`` and ``indent`` go
    to `seal`.

    Attributes:
        gun: the collection's name.
        timestamp_key: the server's public key as JSON.
        snapshot_key: the server's public key as JSON, or one of the publisher's own.
        delegation_keys: the keys of each delegation made so far.
    """

    gun: str
    timestamp_key: Mapping[str, Any] | Key
    snapshot_key: Mapping[str, Any] | Key = attrs.field(factory=Key.generate)
    root_key: Key = attrs.field()
    targets_key: Key = attrs.field(factory=Key.generate)
    delegation_keys: dict[str, Key] = attrs.field(factory=dict)

    @root_key.default
    def _certify(self) -> Key:
        return Key.certificate(self.gun)

    def root(
        self, version: Any = 1, *, signers: Iterable[Signer] | None = None, **over: Any
    ) -> bytes:
        """Make root. A field ``roles`` is merged over the four usual ones."""
        keys = [self.root_key, self.targets_key, self.snapshot_key, self.timestamp_key]
        roles = {name: role([key]) for name, key in zip(TYPES, keys, strict=True)}
        if isinstance(over.get("roles"), Mapping):
            roles.update(over.pop("roles"))
            roles = {name: value for name, value in roles.items() if value is not OMIT}
        fields = {"consistent_snapshot": False, "keys": public_keys(keys), "roles": roles}
        return self._file("root", version, fields, signers or [self.root_key], over)

    def targets(
        self, version: Any = 1, *, signers: Iterable[Signer] | None = None, **over: Any
    ) -> bytes:
        """Make targets, delegating to nobody."""
        fields: dict[str, Any] = {"delegations": {"keys": {}, "roles": []}, "targets": {}}
        return self._file("targets", version, fields, signers or [self.targets_key], over)

    def delegation(
        self, name: str, version: Any = 1, *, signers: Iterable[Signer] | None = None, **over: Any
    ) -> bytes:
        """Make a delegation's file, signed by the delegation's key."""
        signers = signers or [self.delegation_key(name)]
        return self.targets(version, signers=signers, **over)

    def delegation_key(self, name: str) -> Key:
        """The one key of a delegation."""
        return self.delegation_keys.setdefault(name, Key.generate())

    def delegations(self, *names: str, **over: Any) -> dict[str, Any]:
        """Make the field ``delegations`` of the parent of some delegations."""
        keys = {name: self.delegation_key(name) for name in names}
        roles = [{"name": name, "paths": [""], **role([keys[name]]), **over} for name in names]
        return {"keys": public_keys(keys.values()), "roles": roles}

    def snapshot(
        self,
        version: Any = 1,
        *,
        meta_of: Files = (),
        signers: Iterable[Signer] | None = None,
        **over: Any,
    ) -> bytes:
        """Make a snapshot of files, given by role."""
        fields = {"meta": {name: file_meta(data) for name, data in dict(meta_of).items()}}
        if signers is None:
            signers = [self.snapshot_key] if isinstance(self.snapshot_key, Key) else []
        return self._file("snapshot", version, fields, signers, over)

    def timestamp(
        self, version: Any = 1, *, snapshot: bytes, signers: Iterable[Signer], **over: Any
    ) -> bytes:
        """Make a timestamp, which servers make themselves and refuse to be given."""
        return self._file(
            "timestamp", version, {"meta": {"snapshot": file_meta(snapshot)}}, signers, over
        )

    def first(self, **targets: Any) -> dict[str, bytes]:
        """Make all of a first publish: root and targets, and the snapshot if its key is ours."""
        files = {"root": self.root(), "targets": self.targets(**targets)}
        if isinstance(self.snapshot_key, Key):
            files["snapshot"] = self.snapshot(meta_of=files)
        return files

    def _file(
        self,
        name: str,
        version: Any,
        fields: Mapping[str, Any],
        signers: Iterable[Signer],
        over: dict[str, Any],
    ) -> bytes:
        how = {each: over.pop(each) for each in ("signatures", "outer", "indent") if each in over}
        signed = {"_type": TYPES[name], "expires": FAR, "version": version, **fields, **over}
        return seal(signed, signers, **how)


def multipart(files: Files, *, boundary: str = BOUNDARY) -> tuple[str, bytes]:
    """Make the content type and the body of an upload; a list may name a role twice."""
    parts = files.items() if isinstance(files, Mapping) else files
    body = b"".join(part(name, data, boundary=boundary) for name, data in parts)
    return f"multipart/form-data; boundary={boundary}", body + f"--{boundary}--\r\n".encode()


def part(
    filename: str, data: bytes, *, boundary: str = BOUNDARY, disposition: str | None = None
) -> bytes:
    """Make one part of an upload, up to the next boundary."""
    disposition = disposition or f'form-data; name="files"; filename="{filename}"'
    head = f"--{boundary}\r\nContent-Disposition: {disposition}\r\n"
    return (head + "Content-Type: application/octet-stream\r\n\r\n").encode() + data + b"\r\n"
