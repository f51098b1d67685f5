"""Metadata files taken apart."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from hashlib import sha256, sha512
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notary.tuf.errors import (
    ExpiredError,
    InvalidMetadataError,
    MalformedJSONError,
    SignatureError,
    TUFError,
)
from notary.tuf.files import Root, Snapshot, Targets, Timestamp
from notary.tuf.keys import PublicKey
from notary.tuf.metadata import MAX_SIGNATURES, MAX_VERSION, FileMeta, Metadata, Signature
from notary.tuf.publish import Stored, judge
from tests.support.forge import Key, canonical, file_meta, public_keys, seal
from tests.tuf.samples import GUN, NOW, collection, parse, real, root_key
from tests.tuf.strategies import damaged, json_values, many, mutated

SIGNED = {"_type": "Targets", "version": 3, "expires": "2030-01-01T00:00:00Z"}


def sealed(*signers: Any, **over: Any) -> Metadata:
    return Metadata.parse(seal(SIGNED, signers, **over))


def keys_of(*keys: Key) -> dict[str, PublicKey]:
    return {key_id: PublicKey.from_json(value) for key_id, value in public_keys(list(keys)).items()}


class TestParse:
    def test_takes_a_file_apart(self) -> None:
        data = b"""
            {"signatures": [{"keyid": "k", "method": "ECDSA", "sig": "AQI="}, {}], "b": 1,
             "signed": {"version": 3, "_type": "Root", "expires": "2030-01-01T01:00:00.5+01:00",
                        "x": [9007199254740993]}, "a": null}
        """
        metadata = Metadata.parse(data)
        assert metadata.data == data
        assert metadata.type == "Root"
        assert metadata.version == 3
        assert metadata.expires == datetime(2030, 1, 1, 0, 0, 0, 500000, timezone.utc)
        assert metadata.signatures == (Signature("k", "ecdsa", b"\1\2"), Signature("", "", b""))
        assert metadata.extra == ("a", "b")
        assert metadata.payload == (
            b'{"_type":"Root","expires":"2030-01-01T01:00:00.5+01:00","version":3,'
            b'"x":[9007199254740993]}'
        )

    @pytest.mark.parametrize(
        "data",
        [
            b"{}",
            b'{"signed":null,"signatures":null}',
            b'{"signed":{},"signatures":[]}',
            b'{"signed":{"_type":null,"version":null,"expires":null}}',
        ],
    )
    def test_what_is_absent_reads_as_empty(self, data: bytes) -> None:
        metadata = Metadata.parse(data)
        assert (metadata.type, metadata.version, metadata.expires) == ("", 0, None)
        assert (metadata.signatures, metadata.extra) == ((), ())

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            ([], "a metadata file must be an object"),
            (None, "a metadata file must be an object"),
            ("signed", "a metadata file must be an object"),
            ({"signed": []}, "signed must be an object"),
            ({"signed": "x"}, "signed must be an object"),
            ({"signed": False}, "signed must be an object"),
            ({"signatures": {}}, "signatures must be a list"),
            ({"signatures": ""}, "signatures must be a list"),
            ({"signatures": [None]}, "a signature must be an object"),
            ({"signatures": [{}, []]}, "a signature must be an object"),
            ({"signatures": [{"keyid": 1}]}, "keyid must be a string"),
            ({"signatures": [{"method": []}]}, "method must be a string"),
            ({"signatures": [{"sig": 1}]}, "sig must be a string"),
            ({"signatures": [{"sig": "A"}]}, "a signature's sig is not base64"),
            ({"signatures": [{"sig": "\u00e9"}]}, "a signature's sig is not base64"),
            ({"signatures": [{"sig": "AA==\n"}]}, "a signature's sig is not base64"),
            ({"signed": {"_type": 1}}, "_type must be a string"),
            ({"signed": {"version": "1"}}, "version must be an integer"),
            ({"signed": {"version": True}}, "version must be an integer"),
            ({"signed": {"expires": 1}}, "expires must be a string"),
            ({"signed": {"expires": ""}}, "expires: '' is not an RFC 3339 time"),
            ({"signed": {"expires": "2030-01-01"}}, "expires: .* is not an RFC 3339 time"),
            ({"Signed": {}}, "the member 'Signed' must be written 'signed'"),
            ({"signed": {}, "SIGNATURES": []}, "must be written 'signatures'"),
            ({"signed": {"Version": 1}}, "must be written 'version'"),
            ({"signed": {"_Type": "Root"}}, "must be written '_type'"),
            ({"signed": {"expireS": ""}}, "must be written 'expires'"),
            ({"signatures": [{"KeyID": ""}]}, "must be written 'keyid'"),
            ({"signatures": [{"Method": ""}]}, "must be written 'method'"),
            ({"signatures": [{"Sig": ""}]}, "must be written 'sig'"),
        ],
    )
    def test_refuses(self, value: Any, message: str) -> None:
        with pytest.raises(MalformedJSONError, match=message):
            Metadata.parse(json.dumps(value).encode())

    def test_refuses_what_is_no_json(self) -> None:
        with pytest.raises(MalformedJSONError, match="not JSON"):
            Metadata.parse(b'{"signed":')

    def test_refuses_a_float_version(self) -> None:
        with pytest.raises(MalformedJSONError, match=r"1\.0 is not an integer"):
            Metadata.parse(b'{"signed":{"version":1.0}}')


class TestCommon:
    def test_type_and_version(self) -> None:
        sealed().check_common("Targets")
        with pytest.raises(InvalidMetadataError, match="expected type Root, not Targets"):
            sealed().check_common("Root")

    @pytest.mark.parametrize(
        ("version", "good"), [(-(2**63), False), (-1, False), (0, False), (1, True), (2**40, True)]
    )
    def test_lowest_version(self, version: int, good: bool) -> None:
        metadata = Metadata.parse(seal({**SIGNED, "version": version}, ()))
        if good:
            metadata.check_common("Targets")
        else:
            with pytest.raises(InvalidMetadataError, match="version cannot be less than 1"):
                metadata.check_common("Targets")


class TestUpload:
    @pytest.mark.parametrize("version", [0, 1, 2**31 - 2])
    def test_allows(self, version: int) -> None:
        Metadata.parse(seal({**SIGNED, "version": version}, ())).check_upload()

    @pytest.mark.parametrize("version", [2**31 - 1, 2**31, 2**63 - 1])
    def test_refuses_the_highest_versions(self, version: int) -> None:
        assert MAX_VERSION == 2147483646
        with pytest.raises(InvalidMetadataError, match="version cannot be more than 2147483646"):
            Metadata.parse(seal({**SIGNED, "version": version}, ())).check_upload()

    @pytest.mark.parametrize(
        ("outer", "names"),
        [
            ({"x": None}, "'x'"),
            ({"b": 1, "a": 2}, "'a', 'b'"),
            ({"": 1}, "''"),
            (dict.fromkeys("gfedcba", 0), "'a', 'b', 'c', 'd', 'e'"),
            ({"n" * 50: 0}, "'" + "n" * 40 + "'"),
        ],
    )
    def test_refuses_members_that_nobody_signs(self, outer: dict[str, Any], names: str) -> None:
        with pytest.raises(InvalidMetadataError) as caught:
            sealed(outer=outer).check_upload()
        assert str(caught.value) == f"members beside signed and signatures: {names}"


class TestExpiry:
    EXPIRES = datetime(2030, 1, 1, tzinfo=timezone.utc)

    @pytest.mark.parametrize("early", [timedelta(0), timedelta(microseconds=1), timedelta(900)])
    def test_in_time(self, early: timedelta) -> None:
        sealed().check_expiry("targets", self.EXPIRES - early)

    def test_late(self) -> None:
        with pytest.raises(ExpiredError) as caught:
            sealed().check_expiry("targets/a", self.EXPIRES + timedelta(microseconds=1))
        assert str(caught.value) == "targets/a expired at Tue Jan 01 00:00:00 UTC 2030"

    def test_never_said(self) -> None:
        with pytest.raises(ExpiredError, match="targets/a does not say when it expires"):
            Metadata.parse(b"{}").check_expiry("targets/a", NOW)


class TestSignatures:
    def test_threshold(self) -> None:
        a, b, c = Key.generate(), Key.generate("ed25519"), Key.generate("rsa")
        keys = keys_of(a, b, c)
        sealed(a).check_signatures("targets", keys, 1)
        sealed(c, a).check_signatures("targets", keys, 2)
        sealed(a, b, c).check_signatures("targets", keys, 3)
        for signers, threshold in (((a,), 2), ((a, b), 3), ((a, a, a), 2), ((a, b, c), 4)):
            with pytest.raises(
                SignatureError, match=r"^valid signatures did not meet threshold for targets$"
            ):
                sealed(*signers).check_signatures("targets", keys, threshold)

    @pytest.mark.parametrize("threshold", [0, -1])
    def test_nobody_is_never_enough(self, threshold: int) -> None:
        key = Key.generate()
        with pytest.raises(SignatureError, match="did not meet threshold for snapshot"):
            sealed(key).check_signatures("snapshot", keys_of(key), threshold)

    def test_no_signatures(self) -> None:
        with pytest.raises(SignatureError, match=r"^targets/a has no signatures$"):
            sealed().check_signatures("targets/a", {}, 1)

    def test_signatures_of_others_do_not_count(self) -> None:
        ours, other = Key.generate(), Key.generate()
        sealed(other, ours).check_signatures("root", keys_of(ours), 1)
        with pytest.raises(SignatureError, match="did not meet threshold for root"):
            sealed(other).check_signatures("root", keys_of(ours), 1)

    def test_bad_signatures_do_not_spoil_good_ones(self) -> None:
        a, b = Key.generate(), Key.generate()
        bad = {**a.sign(b"other bytes")}
        good = [key.sign(canonical(SIGNED)) for key in (a, b)]
        sealed(signatures=[bad, *good]).check_signatures("root", keys_of(a, b), 2)
        with pytest.raises(SignatureError, match="threshold"):
            sealed(signatures=[bad, good[1]]).check_signatures("root", keys_of(a, b), 2)

    @pytest.mark.parametrize(
        ("change", "good"),
        [
            ({}, True),
            ({"method": "ECDSA"}, True),
            ({"method": "rsapss"}, False),
            ({"method": ""}, False),
            ({"method": None}, False),
            ({"sig": ""}, False),
            ({"sig": "AAAA"}, False),
            ({"keyid": ""}, False),
            ({"other": 1}, True),
        ],
    )
    def test_each_member_of_a_signature_counts(self, change: dict[str, Any], good: bool) -> None:
        key = Key.generate()
        metadata = sealed(signatures=[{**key.sign(canonical(SIGNED)), **change}])
        if good:
            metadata.check_signatures("targets", keys_of(key), 1)
        else:
            with pytest.raises(SignatureError, match="did not meet threshold for targets"):
                metadata.check_signatures("targets", keys_of(key), 1)

    def test_one_key_counts_once_whatever_its_certificates(self) -> None:
        pair = Key.generate()
        signers = [pair, root_key(key=pair), root_key(key=pair, cn="another")]
        assert len(keys_of(*signers)) == 3
        sealed(*signers).check_signatures("root", keys_of(*signers), 1)
        with pytest.raises(SignatureError, match="did not meet threshold for root"):
            sealed(*signers).check_signatures("root", keys_of(*signers), 2)

    def test_a_key_stands_under_its_own_id(self) -> None:
        key, other = Key.generate(), Key.generate()
        keys = {other.key_id: PublicKey.from_json(key.public_json())}
        signature = {**key.sign(canonical(SIGNED)), "keyid": other.key_id}
        with pytest.raises(SignatureError, match=f"the key ID {other.key_id} is not that of its"):
            sealed(signatures=[signature]).check_signatures("targets", keys, 1)

    def test_number_of_signatures(self) -> None:
        key = Key.generate("ed25519")
        signature = key.sign(canonical(SIGNED))
        sealed(signatures=[signature] * MAX_SIGNATURES).check_signatures("root", keys_of(key), 1)
        with pytest.raises(SignatureError, match="root has more than 100 signatures"):
            sealed(signatures=[signature] * (MAX_SIGNATURES + 1)).check_signatures(
                "root", keys_of(key), 1
            )

    def test_are_over_the_canonical_form_of_all_members(self) -> None:
        key = Key.generate()
        signed = {**SIGNED, "unknown": {"z": "\u00e9\n", "a": [2**53 + 1]}}
        signatures = [key.sign(canonical(signed))]
        pretty = json.dumps({"signatures": signatures, "signed": signed}, indent=2)
        Metadata.parse(pretty.encode()).check_signatures("targets", keys_of(key), 1)
        for old, new in (("9007199254740993", "9007199254740992"), ('"z"', '"y"')):
            forged = Metadata.parse(pretty.replace(old, new).encode())
            with pytest.raises(SignatureError, match="threshold"):
                forged.check_signatures("targets", keys_of(key), 1)


class TestFileMeta:
    DATA = b"the file"

    def test_describes_bytes(self) -> None:
        meta = FileMeta.of(self.DATA)
        assert meta.to_json() == file_meta(self.DATA)
        assert meta.sha256 == sha256(self.DATA).hexdigest()
        assert meta.describes(self.DATA)
        assert not meta.describes(self.DATA + b" ")
        assert not meta.describes(self.DATA.upper())

    @pytest.mark.parametrize(
        ("length", "hashes", "expected"),
        [
            (8, {"sha256": sha256(DATA).digest()}, True),
            (7, {"sha256": sha256(DATA).digest()}, False),
            (8, {"sha256": sha256(b"").digest()}, False),
            (8, {"sha256": sha256(DATA).digest(), "sha512": sha512(DATA).digest()}, True),
            (8, {"sha256": sha256(DATA).digest(), "sha512": sha512(b"").digest()}, False),
            (8, {"sha256": sha256(b"").digest(), "sha512": sha512(DATA).digest()}, False),
        ],
    )
    def test_by_its_length_and_all_its_hashes(
        self, length: int, hashes: dict[str, bytes], expected: bool
    ) -> None:
        assert FileMeta(length, hashes).describes(self.DATA) is expected


READERS: list[Callable[[Metadata], Any]] = [
    Root.read,
    lambda metadata: Targets.read(metadata, "targets"),
    Snapshot.read,
    Timestamp.read,
]
PUBLISHER = collection()
FILES = {
    "root": PUBLISHER.root(),
    "targets": PUBLISHER.targets(delegations=PUBLISHER.delegations("targets/a")),
    "targets/a": PUBLISHER.delegation("targets/a"),
}
UPLOAD = parse({**FILES, "snapshot": PUBLISHER.snapshot(meta_of=FILES)})
ORIGINALS = {
    **{role: json.loads(metadata.data) for role, metadata in UPLOAD.items()},
    "timestamp": json.loads(real("first/timestamp.json").data),
}


def read_any(role: str, data: bytes) -> None:
    """Raises nothing but TUFError, whatever the bytes."""
    try:
        metadata = Metadata.parse(data)
    except TUFError:
        return
    for read in READERS:
        try:
            read(metadata)
        except TUFError:
            continue
    try:
        judge(GUN, {**UPLOAD, role: metadata}, Stored(), NOW, 10)
    except TUFError:
        return


@many
@given(json_values, st.sampled_from(sorted(ORIGINALS)))
def test_any_value_is_read_or_refused(value: Any, role: str) -> None:
    read_any(role, json.dumps(value).encode())
    read_any(role, json.dumps({"signed": value, "signatures": []}).encode())
    for file_type in ("Root", "Targets", "Snapshot", "Timestamp"):
        members = value if isinstance(value, dict) else {"keys": value, "meta": value}
        signed = {**members, "_type": file_type, "version": 1}
        read_any(role, json.dumps({"signed": signed, "signatures": []}).encode())


@many
@given(st.data())
def test_any_mutated_file_is_read_or_refused(data: st.DataObject) -> None:
    role = data.draw(st.sampled_from(sorted(ORIGINALS)))
    value = data.draw(mutated(ORIGINALS[role]))
    read_any(role, json.dumps(value).encode())


@many
@given(st.data())
def test_any_signed_payload_is_read_or_refused(data: st.DataObject) -> None:
    role = data.draw(st.sampled_from(sorted(UPLOAD)))
    signed = data.draw(mutated(ORIGINALS[role]["signed"]))
    signers = {
        "root": PUBLISHER.root_key,
        "targets": PUBLISHER.targets_key,
        "snapshot": PUBLISHER.snapshot_key,
        "targets/a": PUBLISHER.delegation_key("targets/a"),
    }
    signer = signers[role]
    assert isinstance(signer, Key)
    signature = signer.sign(canonical(signed))
    read_any(role, json.dumps({"signed": signed, "signatures": [signature]}).encode())


@many
@given(st.data())
def test_any_damaged_file_is_read_or_refused(data: st.DataObject) -> None:
    role = data.draw(st.sampled_from(sorted(UPLOAD)))
    read_any(role, data.draw(damaged(UPLOAD[role].data)))


def test_the_fuzzed_files_are_good() -> None:
    assert set(judge(GUN, UPLOAD, Stored(), NOW, 10).files) == set(UPLOAD)
