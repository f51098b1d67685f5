"""Files that the Go programs made mean to us what they mean to them."""

from __future__ import annotations

import pytest

from notary.tuf.errors import InvalidMetadataError, SignatureError
from notary.tuf.files import Root, Snapshot, Targets, Timestamp
from notary.tuf.metadata import Metadata
from notary.tuf.publish import Stored, judge
from notary.tuf.trust import verify_root
from tests.support.forge import DAY
from tests.tuf.samples import DATA, GUN, NOW, REAL_FILES, real

ROLES = ["targets", "snapshot", "timestamp"]
STATES = ["first", "delegated"]
ROOT_KEY = "5a52d0060d89807da8f9ff8e1e5b3c52db8ad2adfb0f7eabad32d8bbfc8634da"
NEXT_ROOT_KEY = "88890d2a77e864a4c2ae335b34ef21acb89fe03be7ca2f2c164c0a64075b17c0"
TARGETS_KEY = "9f8460a2f79d97dc8f0ae57e48ea43406129fe47574674aeb43cda0187e3f139"
PRIVATE_KEYS = {
    ROOT_KEY: "3fdecdc7fc249eb311dec41475c61b6e5c7338e1d6f570be5f775333ecf84148",
    NEXT_ROOT_KEY: "eaef5ccecad28de7946df0ed33ad7ebb15ddebd099935bbf85d088aeae150ccb",
    TARGETS_KEY: TARGETS_KEY,
}
"""The names that the Go client gave to the files of the private keys: their canonical IDs."""
DELEGATES = {
    "targets/releases": "d62034f08034fa282c20469097bbc3d27e43723aae2fb617ea655b87f5653de0",
    "targets/qa": "cde47c8c8c0f3b0b615f2aa25d2f09fd843f3e7c97aa5d9f1d39c5c607f52c33",
}


def real_root(state: str) -> Root:
    return Root.read(real(f"{state}/root.json"))


def test_there_are_files() -> None:
    assert len(REAL_FILES) == 11


@pytest.mark.parametrize("name", REAL_FILES)
def test_canonical_form_of_the_payload_is_how_go_writes_it(name: str) -> None:
    metadata = real(name)
    assert metadata.data.startswith(b'{"signed":' + metadata.payload + b',"signatures":[')
    metadata.check_upload()
    metadata.check_expiry("file", NOW)


@pytest.mark.parametrize("state", [*STATES, "rotated"])
def test_root_vouches_for_itself(state: str) -> None:
    root = real_root(state)
    verify_root(root, None, GUN, NOW)
    with pytest.raises(InvalidMetadataError, match="does not cover the GUN"):
        verify_root(root, None, GUN + "2", NOW)
    with pytest.raises(InvalidMetadataError, match="it expired on 2036-11-19"):
        verify_root(root, None, GUN, NOW + 3650 * DAY)


def test_key_ids() -> None:
    for key_id, private in PRIVATE_KEYS.items():
        keys = {k: v for role in real_root("rotated").roles.values() for k, v in role.keys.items()}
        keys.update(real_root("first").roles["root"].keys)
        assert keys[key_id].key_id == key_id
        assert keys[key_id].canonical_id == private
    delegations = Targets.read(real("delegated/targets.json"), "targets").delegations
    for role, private in DELEGATES.items():
        [(key_id, key)] = delegations[role].keys.items()
        assert (key.key_id, key.canonical_id) == (key_id, private)


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("role", ROLES)
def test_files_are_signed_as_root_demands(state: str, role: str) -> None:
    metadata = real(f"{state}/{role}.json")
    roles = real_root(state).roles
    metadata.check_signatures(role, roles[role].keys, roles[role].threshold)
    for other in {"root", *ROLES} - {role}:
        with pytest.raises(SignatureError, match=f"did not meet threshold for {role}"):
            metadata.check_signatures(role, roles[other].keys, 1)


@pytest.mark.parametrize("role", DELEGATES)
def test_delegates_sign_with_p384_and_rsa(role: str) -> None:
    metadata = real(f"delegated/{role.replace('/', '-')}.json")
    signers = Targets.read(real("delegated/targets.json"), "targets").delegations
    metadata.check_signatures(role, signers[role].keys, signers[role].threshold)
    [other] = DELEGATES.keys() - {role}
    with pytest.raises(SignatureError, match="threshold"):
        metadata.check_signatures(role, signers[other].keys, 1)


@pytest.mark.parametrize("state", STATES)
def test_timestamp_describes_snapshot_and_snapshot_the_rest(state: str) -> None:
    snapshot = real(f"{state}/snapshot.json")
    assert Timestamp.read(real(f"{state}/timestamp.json")).snapshot.describes(snapshot.data)
    for role, meta in Snapshot.read(snapshot).meta.items():
        assert meta.describes((DATA / state / f"{role.replace('/', '-')}.json").read_bytes())


def test_rotated_root_is_vouched_for_by_the_one_before() -> None:
    rotated, previous = real_root("rotated"), real_root("delegated")
    assert list(rotated.roles["root"].keys) == [NEXT_ROOT_KEY]
    verify_root(rotated, previous, GUN, NOW)
    with pytest.raises(SignatureError, match="could not rotate trust"):
        verify_root(previous, rotated, GUN, NOW)


def test_first_publish_is_accepted() -> None:
    upload = {role: real(f"first/{role}.json") for role in ("root", "targets", "snapshot")}
    accepted = judge(GUN, upload, Stored(), NOW, 10)
    assert accepted.files == upload
    assert accepted.draft_snapshot(NOW) is None


def test_publish_of_a_delegate_is_accepted() -> None:
    files: dict[str, Metadata] = {
        role: real(f"delegated/{role}.json") for role in ("root", "targets")
    }
    snapshot = Snapshot.read(real("delegated/snapshot.json"))
    upload = {role: real(f"delegated/{role.replace('/', '-')}.json") for role in DELEGATES}
    accepted = judge(GUN, upload, Stored(files, snapshot.meta, {"snapshot": 4}), NOW, 10)
    assert accepted.files == upload
    draft = accepted.draft_snapshot(NOW)
    assert draft is not None
    assert draft.version == 5
    signed = real("delegated/snapshot.json").signed["meta"]
    assert Metadata.parse(b'{"signed":%b}' % draft.payload).signed["meta"] == signed
