"""What each of the four files must hold."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any

import pytest

from notary.tuf.errors import InvalidMetadataError
from notary.tuf.files import Snapshot, Timestamp
from notary.tuf.metadata import FileMeta, Metadata
from tests.support.forge import OMIT, Collection, Key, file_meta, public_keys, role, seal
from tests.tuf.samples import collection, read_root, read_targets

PUBLISHER: Collection = collection()
DIGEST = "A" * 43 + "="
GOOD_META = {"root": file_meta(b"root"), "targets": file_meta(b"targets")}


def read_snapshot(data: bytes) -> Snapshot:
    return Snapshot.read(Metadata.parse(data))


def read_timestamp(data: bytes) -> Timestamp:
    return Timestamp.read(Metadata.parse(data))


def snapshot(**over: Any) -> bytes:
    return PUBLISHER.snapshot(**{"meta": GOOD_META, **over})


def timestamp(**over: Any) -> bytes:
    return PUBLISHER.timestamp(snapshot=b"snapshot", signers=(), **over)


FILES: list[tuple[str, Callable[..., bytes], Callable[[bytes], Any]]] = [
    ("Root", PUBLISHER.root, read_root),
    ("Targets", PUBLISHER.targets, read_targets),
    ("Snapshot", snapshot, read_snapshot),
    ("Timestamp", timestamp, read_timestamp),
]


@pytest.mark.parametrize(("name", "make", "read"), FILES)
class TestAll:
    @pytest.mark.parametrize("wrong", ["", "root", "Mirrors", None, OMIT])
    def test_type(self, name: str, make: Any, read: Any, wrong: Any) -> None:
        assert read(make()).metadata.type == name
        with pytest.raises(InvalidMetadataError, match=f"expected type {name}, not"):
            read(make(_type=wrong))

    @pytest.mark.parametrize("version", [-1, 0, None])
    def test_version(self, name: str, make: Any, read: Any, version: Any) -> None:
        assert read(make(version=7)).metadata.version == 7
        with pytest.raises(InvalidMetadataError, match="version cannot be less than 1"):
            read(make(version=version))

    def test_unknown_members_are_carried(self, name: str, make: Any, read: Any) -> None:
        assert read(make(unknown=[1])).metadata.signed["unknown"] == [1]


class TestRoot:
    def test_says_who_may_sign(self) -> None:
        extra = Key.generate()
        keys = [PUBLISHER.root_key, extra, PUBLISHER.targets_key, PUBLISHER.timestamp_key]
        root = read_root(
            PUBLISHER.root(
                keys=public_keys([*keys, PUBLISHER.snapshot_key]),
                roles={"root": role([PUBLISHER.root_key, extra], 2), "targets": role([extra])},
                consistent_snapshot=True,
            )
        )
        assert list(root.roles) == ["root", "targets", "snapshot", "timestamp"]
        assert list(root.roles["root"].keys) == [PUBLISHER.root_key.key_id, extra.key_id]
        assert root.roles["root"].threshold == 2
        [(key_id, key)] = root.roles["targets"].keys.items()
        assert (key_id, key.key_id) == (extra.key_id, extra.key_id)

    def test_a_role_may_have_no_keys_and_others_do_not_matter(self) -> None:
        roles = {"targets": {"threshold": 1}, "mirrors": 7, "targets/a": role([])}
        root = read_root(PUBLISHER.root(roles=roles))
        assert root.roles["targets"].keys == {}
        assert set(root.roles) == {"root", "targets", "snapshot", "timestamp"}

    @pytest.mark.parametrize("value", [True, False, None, OMIT])
    def test_consistent_snapshot(self, value: Any) -> None:
        read_root(PUBLISHER.root(consistent_snapshot=value))

    @pytest.mark.parametrize("name", ["root", "targets", "snapshot", "timestamp"])
    @pytest.mark.parametrize("value", [OMIT, None])
    def test_needs_all_four_roles(self, name: str, value: Any) -> None:
        with pytest.raises(InvalidMetadataError, match=f"missing {name} role specification"):
            read_root(PUBLISHER.root(roles={name: value}))

    @pytest.mark.parametrize("threshold", [0, -1, None, True, "1", [], OMIT])
    @pytest.mark.parametrize("name", ["root", "targets", "snapshot", "timestamp"])
    def test_thresholds(self, name: str, threshold: Any) -> None:
        value = {"keyids": [PUBLISHER.targets_key.key_id], "threshold": threshold}
        value = {member: each for member, each in value.items() if each is not OMIT}
        with pytest.raises(InvalidMetadataError, match=f"invalid threshold specified for {name}: "):
            read_root(PUBLISHER.root(roles={name: value}))

    @pytest.mark.parametrize(
        ("over", "message"),
        [
            ({"keys": []}, "keys must be an object"),
            ({"keys": "x"}, "keys must be an object"),
            ({"keys": OMIT}, "key ID .* specified in root without corresponding key"),
            ({"keys": {"abc": None}}, "key abc: a key must have a keytype"),
            ({"keys": {"abc": {"keytype": "x"}}}, "key abc: a key must have a keytype"),
            (
                {"keys": {"a" * 99: {"keytype": "x", "keyval": {"public": "\u00e9"}}}},
                "^key a{64}: a key's public part is not base64$",
            ),
            (
                {"keys": {"a": {"keytype": "x", "KeyType": "y", "keyval": {"public": ""}}}},
                "key a: the member 'KeyType' must be written 'keytype'",
            ),
            ({"roles": []}, "roles must be an object"),
            ({"roles": OMIT}, "missing root role specification"),
            ({"roles": {"root": []}}, "the specification of root must be an object"),
            ({"roles": {"targets": "x"}}, "the specification of targets must be an object"),
            (
                {"roles": {"snapshot": {"keyids": "x", "threshold": 1}}},
                "keyids must be a list",
            ),
            (
                {"roles": {"snapshot": {"keyids": ["abc"], "threshold": 1}}},
                "key ID abc specified in snapshot without corresponding key",
            ),
            (
                {"roles": {"snapshot": {"keyids": ["x" * 99], "threshold": 1}}},
                "^key ID x{64} specified in snapshot",
            ),
            (
                {"roles": {"snapshot": {"keyids": [["a"]], "threshold": 1}}},
                "key ID .* specified in snapshot without corresponding key",
            ),
            (
                {"roles": {"snapshot": {"keyids": [], "Threshold": 1}}},
                "'Threshold' must be written 'threshold'",
            ),
            ({"consistent_snapshot": 1}, "consistent_snapshot must be true or false"),
            ({"consistent_snapshot": "no"}, "consistent_snapshot must be true or false"),
            ({"Keys": {}}, "'Keys' must be written 'keys'"),
            ({"rOles": {}}, "'rOles' must be written 'roles'"),
            ({"Consistent_Snapshot": True}, "must be written 'consistent_snapshot'"),
        ],
    )
    def test_refuses(self, over: dict[str, Any], message: str) -> None:
        with pytest.raises(InvalidMetadataError, match=message):
            read_root(PUBLISHER.root(**over))


class TestTargets:
    def test_says_whom_it_delegates_to(self) -> None:
        field = PUBLISHER.delegations("targets/a", "targets/b")
        targets = read_targets(PUBLISHER.targets(delegations=field))
        assert list(targets.delegations) == ["targets/a", "targets/b"]
        for name, signers in targets.delegations.items():
            assert list(signers.keys) == [PUBLISHER.delegation_key(name).key_id]
            assert signers.threshold == 1

    def test_a_delegation_delegates_to_the_roles_right_below_it(self) -> None:
        data = PUBLISHER.targets(delegations=PUBLISHER.delegations("targets/a/b"))
        assert list(read_targets(data, "targets/a").delegations) == ["targets/a/b"]
        for above in ("targets", "targets/b", "targets/a/b", "targets/a/b/c"):
            with pytest.raises(InvalidMetadataError, match="delegation role targets/a/b invalid"):
                read_targets(data, above)

    def test_of_two_delegations_of_one_name_the_first_counts(self) -> None:
        field = PUBLISHER.delegations("targets/a")
        field["roles"].append({**field["roles"][0], "keyids": [], "threshold": 2})
        assert (
            read_targets(PUBLISHER.targets(delegations=field)).delegations["targets/a"].threshold
            == 1
        )

    @pytest.mark.parametrize(
        "over",
        [
            {"delegations": OMIT},
            {"delegations": None},
            {"delegations": {}},
            {"delegations": {"keys": None, "roles": None}},
            {"targets": OMIT},
            {"targets": None},
            {"targets": {"a": {}}},
            {"targets": {"a": {"length": 0, "hashes": {"sha256": DIGEST, "md5": "AA=="}}}},
            {"targets": {"": {"length": 2**60, "hashes": None, "custom": [1]}}},
            {"targets": {"a": {"length": None}, "b": {}}},
        ],
    )
    def test_allows(self, over: dict[str, Any]) -> None:
        assert read_targets(PUBLISHER.targets(**over)).delegations == {}

    @pytest.mark.parametrize(
        "name",
        ["targets", "root", "targets/A", "targets/", "targets/a/b", "a", "", None, 7, ["a"]],
    )
    def test_refuses_a_name(self, name: Any) -> None:
        field = {"keys": {}, "roles": [{"name": name, "keyids": [], "threshold": 1, "paths": []}]}
        with pytest.raises(InvalidMetadataError) as caught:
            read_targets(PUBLISHER.targets(delegations=field))
        assert str(caught.value) == f"delegation role {name} invalid"

    @pytest.mark.parametrize(
        ("over", "message"),
        [
            ({"targets": []}, "targets must be an object"),
            ({"targets": {"a/b": 7}}, "target 'a/b' must be an object"),
            ({"targets": {"a": None}}, "target 'a' must be an object"),
            ({"targets": {"a": {"length": -1}}}, "length of target 'a' must be a number of bytes"),
            ({"targets": {"a": {"length": "1"}}}, "length of target 'a' must be a number"),
            ({"targets": {"a": {"length": True}}}, "length of target 'a' must be a number"),
            ({"targets": {"a": {"hashes": []}}}, "hashes must be an object"),
            ({"targets": {"a": {"hashes": {"sha256": 1}}}}, "hashes of target 'a' must be base64"),
            (
                {"targets": {"a": {"hashes": {"sha256": "A"}}}},
                "hashes of target 'a' must be base64",
            ),
            (
                {"targets": {"a": {"hashes": {"x": "\u00e9"}}}},
                "hashes of target 'a' must be base64",
            ),
            ({"targets": {"a": {"Length": 1}}}, "must be written 'length'"),
            ({"targets": {"a": {"Hashes": {}}}}, "must be written 'hashes'"),
            ({"targets": {"a": {"Custom": {}}}}, "must be written 'custom'"),
            ({"Targets": {}}, "must be written 'targets'"),
            ({"Delegations": {}}, "must be written 'delegations'"),
            ({"delegations": []}, "delegations must be an object"),
            ({"delegations": {"keys": []}}, "keys must be an object"),
            ({"delegations": {"keys": {"a": {}}}}, "key a: a key must have a keytype"),
            ({"delegations": {"Keys": {}}}, "must be written 'keys'"),
            ({"delegations": {"Roles": []}}, "must be written 'roles'"),
            ({"delegations": {"roles": {}}}, "roles must be a list"),
            ({"delegations": {"roles": ["targets/a"]}}, "delegation role None invalid"),
        ],
    )
    def test_refuses(self, over: dict[str, Any], message: str) -> None:
        with pytest.raises(InvalidMetadataError, match=message):
            read_targets(PUBLISHER.targets(**over))

    @pytest.mark.parametrize(
        ("over", "message"),
        [
            ({"threshold": 0}, "invalid threshold specified for targets/a: 0"),
            ({"threshold": True}, "invalid threshold specified for targets/a: True"),
            ({"keyids": ["abc"]}, "key ID abc specified in targets/a without corresponding key"),
            ({"keyids": {}}, "keyids must be a list"),
            ({"paths": "a"}, "paths must be a list"),
            ({"paths": ["a", 1]}, "the paths of targets/a must be strings"),
            ({"Paths": []}, "must be written 'paths'"),
            ({"Name": "targets/b"}, "must be written 'name'"),
            ({"KeyIDs": []}, "must be written 'keyids'"),
        ],
    )
    def test_refuses_a_delegation(self, over: dict[str, Any], message: str) -> None:
        field = PUBLISHER.delegations("targets/a", **over)
        with pytest.raises(InvalidMetadataError, match=message):
            read_targets(PUBLISHER.targets(delegations=field))


class TestSnapshotAndTimestamp:
    def test_say_which_files_belong_together(self) -> None:
        meta = {**GOOD_META, "targets/a": file_meta(b"a", names=["sha256"])}
        assert read_snapshot(snapshot(meta=meta)).meta == {
            "root": FileMeta.of(b"root"),
            "targets": FileMeta.of(b"targets"),
            "targets/a": FileMeta(1, {"sha256": sha256(b"a").digest()}),
        }
        assert read_timestamp(timestamp()).snapshot == FileMeta.of(b"snapshot")

    def test_a_file_may_be_empty(self) -> None:
        assert read_timestamp(timestamp(meta={"snapshot": file_meta(b"")})).snapshot.length == 0

    def test_unknown_hashes_do_not_matter(self) -> None:
        entry = file_meta(b"root")
        entry["hashes"]["md5"] = "AA=="
        meta = read_snapshot(snapshot(meta={**GOOD_META, "root": entry})).meta
        assert meta["root"] == FileMeta.of(b"root")

    @pytest.mark.parametrize("absent", ["root", "targets"])
    def test_a_snapshot_needs_root_and_targets(self, absent: str) -> None:
        meta = {name: entry for name, entry in GOOD_META.items() if name != absent}
        with pytest.raises(
            InvalidMetadataError, match=f"missing {absent} sha256 checksum information"
        ):
            read_snapshot(snapshot(meta=meta))

    @pytest.mark.parametrize("meta", [OMIT, None, {}, GOOD_META])
    def test_a_timestamp_needs_a_snapshot(self, meta: Any) -> None:
        with pytest.raises(
            InvalidMetadataError, match="missing snapshot sha256 checksum information"
        ):
            read_timestamp(timestamp(meta=meta))

    @pytest.mark.parametrize(
        ("entry", "message"),
        [
            (None, "the entry of {} must be an object"),
            ([], "the entry of {} must be an object"),
            ({}, "missing {} sha256 checksum information"),
            ({"length": 1, "hashes": None}, "missing {} sha256 checksum information"),
            (
                {"length": 1, "hashes": {"sha512": "A" * 86 + "=="}},
                "missing {} sha256 checksum information",
            ),
            ({"length": 1, "hashes": []}, "hashes must be an object"),
            ({"length": 1, "hashes": {"sha256": "?"}}, "the hashes of {} must be base64"),
            ({"length": 1, "hashes": {"sha256": None}}, "the hashes of {} must be base64"),
            ({"length": 1, "hashes": {"sha256": ""}}, "invalid {} checksum information"),
            ({"length": 1, "hashes": {"sha256": "AAAA"}}, "invalid {} checksum information"),
            (
                {"length": 1, "hashes": {"sha256": DIGEST, "sha512": DIGEST}},
                "invalid {} checksum information",
            ),
            ({"hashes": {"sha256": DIGEST}}, "the length of {} must be a number of bytes"),
            (
                {"length": -1, "hashes": {"sha256": DIGEST}},
                "the length of {} must be a number of bytes",
            ),
            (
                {"length": True, "hashes": {"sha256": DIGEST}},
                "the length of {} must be a number of bytes",
            ),
            (
                {"length": "1", "hashes": {"sha256": DIGEST}},
                "the length of {} must be a number of bytes",
            ),
            ({"length": 1, "Hashes": {}}, "the member 'Hashes' must be written 'hashes'"),
        ],
    )
    def test_entries(self, entry: Any, message: str) -> None:
        for name in ("root", "targets", "targets/a"):
            with pytest.raises(InvalidMetadataError) as caught:
                read_snapshot(snapshot(meta={**GOOD_META, name: entry}))
            assert str(caught.value) == message.format(name)
        with pytest.raises(InvalidMetadataError) as caught:
            read_timestamp(timestamp(meta={"snapshot": entry}))
        assert str(caught.value) == message.format("snapshot")

    @pytest.mark.parametrize("wrong", [[], "x", 7])
    def test_meta_is_an_object(self, wrong: Any) -> None:
        with pytest.raises(InvalidMetadataError, match="meta must be an object"):
            read_snapshot(snapshot(meta=wrong))
        with pytest.raises(InvalidMetadataError, match="meta must be an object"):
            read_timestamp(timestamp(meta=wrong))

    @pytest.mark.parametrize("make_and_read", [FILES[2], FILES[3]])
    def test_meta_is_written_so(self, make_and_read: Any) -> None:
        _, make, read = make_and_read
        with pytest.raises(InvalidMetadataError, match="'Meta' must be written 'meta'"):
            read(make(Meta={}))


def test_an_empty_file_is_of_no_type() -> None:
    with pytest.raises(InvalidMetadataError, match=r"expected type Root, not $"):
        read_root(seal({}, ()))
