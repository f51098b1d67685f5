"""The rules of a publish: the snapshot, and the files that the service makes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from notary.tuf.errors import BadSnapshotError, StaleVersionError
from notary.tuf.publish import Accepted
from tests.support.forge import PAST, Collection, Key, file_meta
from tests.tuf.publishing import publish, stored
from tests.tuf.samples import NOW, collection

PUBLISHER: Collection = collection()
ROOT = PUBLISHER.root()
TARGETS = PUBLISHER.targets(delegations=PUBLISHER.delegations("targets/a"))
DELEGATION = PUBLISHER.delegation("targets/a")
FILES = {"root": ROOT, "targets": TARGETS, "targets/a": DELEGATION}
NOT_SIGNED = "valid signatures did not meet threshold for snapshot"
SNAPSHOT = PUBLISHER.snapshot(meta_of=FILES)


def first(**over: Any) -> dict[str, bytes]:
    """All of a first publish, with such a snapshot."""
    return {**FILES, "snapshot": PUBLISHER.snapshot(**{"meta_of": FILES, **over})}


def meta_of_draft(accepted: Accepted) -> Any:
    draft = accepted.draft_snapshot(NOW)
    assert draft is not None
    return json.loads(draft.payload)["meta"]


class TestUploaded:
    def test_is_accepted(self) -> None:
        accepted = publish(first())
        assert accepted.files["snapshot"].data == SNAPSHOT
        assert accepted.draft_snapshot(NOW) is None

    @pytest.mark.parametrize(
        ("over", "message"),
        [
            ({"_type": "Timestamp"}, "expected type Snapshot, not Timestamp"),
            ({"version": 0}, "version cannot be less than 1"),
            ({"version": 2**31 - 1}, "version cannot be more than 2147483646"),
            ({"version": 11}, "version 11 is more than 10 ahead of 0"),
            ({"outer": {"x": 1}}, "members beside signed and signatures: 'x'"),
            ({"expires": PAST}, "snapshot expired at Fri Jan 01 00:00:00 UTC 2016"),
            ({"expires": None}, "snapshot does not say when it expires"),
            ({"signatures": []}, "snapshot has no signatures"),
            ({"signers": [Key.generate()]}, NOT_SIGNED),
            (
                {"signers": [PUBLISHER.targets_key]},
                "valid signatures did not meet threshold for snapshot",
            ),
            ({"meta_of": {"targets": TARGETS}}, "missing root sha256 checksum information"),
            ({"meta_of": {"root": ROOT}}, "missing targets sha256 checksum information"),
            (
                {"meta_of": {"root": ROOT, "targets": TARGETS}},
                "no checksums were provided for targets/a",
            ),
        ],
    )
    def test_refuses(self, over: dict[str, Any], message: str) -> None:
        with pytest.raises(BadSnapshotError, match=f"^{message}"):
            publish(first(**over))

    @pytest.mark.parametrize("wrong", list(FILES))
    def test_names_what_was_uploaded(self, wrong: str) -> None:
        meta = {name: file_meta(data) for name, data in FILES.items()}
        entries = [
            file_meta(b"other"),
            {**meta[wrong], "length": meta[wrong]["length"] + 1},
            {**meta[wrong], "hashes": {**meta[wrong]["hashes"], "sha512": "A" * 86 + "=="}},
        ]
        for entry in entries:
            with pytest.raises(
                BadSnapshotError, match=f"^the checksum or length of {wrong} did not match$"
            ):
                publish(first(meta={**meta, wrong: entry}))

    def test_names_the_stored_root_and_what_is_above_a_delegation(self) -> None:
        before = stored(first())
        new = PUBLISHER.delegation("targets/a", 2)
        publish(
            {
                "targets/a": new,
                "snapshot": PUBLISHER.snapshot(2, meta_of={**FILES, "targets/a": new}),
            },
            before,
        )
        for wrong in ("root", "targets"):
            meta_of = {**FILES, "targets/a": new, wrong: b"other"}
            with pytest.raises(
                BadSnapshotError, match=f"^the checksum or length of {wrong} did not match$"
            ):
                publish(
                    {"targets/a": new, "snapshot": PUBLISHER.snapshot(2, meta_of=meta_of)}, before
                )

    @pytest.mark.parametrize("name", ["targets", "targets/a"])
    def test_keeps_what_is_stored_and_not_uploaded(self, name: str) -> None:
        before = stored(first())
        root = PUBLISHER.root(2)
        good = {**FILES, "root": root}
        publish({"root": root, "snapshot": PUBLISHER.snapshot(2, meta_of=good)}, before)
        with pytest.raises(BadSnapshotError) as caught:
            publish(
                {"root": root, "snapshot": PUBLISHER.snapshot(2, meta_of={**good, name: b"old"})},
                before,
            )
        assert str(caught.value) == (
            f"the checksum of {name} is neither that of an uploaded file nor that of the stored one"
        )

    def test_may_drop_a_delegation(self) -> None:
        root = PUBLISHER.root(2)
        snapshot = PUBLISHER.snapshot(2, meta_of={"root": root, "targets": TARGETS})
        publish({"root": root, "snapshot": snapshot}, stored(first()))

    def test_names_no_file_that_nobody_has(self) -> None:
        for before in (None, stored({"root": ROOT, "targets": TARGETS})):
            files = {"root": ROOT, "targets": TARGETS} if before is None else {}
            targets = PUBLISHER.targets(2, delegations=PUBLISHER.delegations("targets/a"))
            files = {**files, "targets": targets}
            snapshot = PUBLISHER.snapshot(meta_of={**FILES, "targets": targets})
            with pytest.raises(BadSnapshotError, match="the checksum of targets/a is neither"):
                publish({**files, "snapshot": snapshot}, before)

    @pytest.mark.parametrize("version", [4, 5])
    def test_is_newer(self, version: int) -> None:
        before = stored(first(version=5))
        with pytest.raises(
            StaleVersionError, match=f"^snapshot: version {version} is not newer than 5$"
        ):
            publish({"snapshot": PUBLISHER.snapshot(version, meta_of=FILES)}, before)
        publish({"snapshot": PUBLISHER.snapshot(6, meta_of=FILES)}, before)


class TestDrafts:
    def test_a_first_snapshot(self) -> None:
        accepted = publish(FILES)
        draft = accepted.draft_snapshot(NOW)
        assert draft is not None
        assert (draft.role, draft.version) == ("snapshot", 1)
        assert meta_of_draft(accepted) == {name: file_meta(data) for name, data in FILES.items()}
        assert draft.signers == accepted.root.roles["snapshot"]

    def test_a_snapshot_keeps_the_rest(self) -> None:
        new = PUBLISHER.targets(2, delegations=PUBLISHER.delegations("targets/a"))
        accepted = publish({"targets": new}, stored(first(), snapshot=7))
        draft = accepted.draft_snapshot(NOW)
        assert draft is not None
        assert draft.version == 8
        expected = {name: file_meta(data) for name, data in {**FILES, "targets": new}.items()}
        assert meta_of_draft(accepted) == expected

    def test_a_snapshot_keeps_the_entries_of_what_is_not_uploaded(self) -> None:
        """Their files were found by these entries, and are not hashed again."""
        entries = {name: file_meta(data, names=["sha256"]) for name, data in FILES.items()}
        before = stored({**FILES, "snapshot": PUBLISHER.snapshot(meta=entries)})
        new = PUBLISHER.delegation("targets/a", 2)
        expected = {**entries, "targets/a": file_meta(new)}
        assert meta_of_draft(publish({"targets/a": new}, before)) == expected

    def test_a_snapshot_names_what_the_one_before_did_not(self) -> None:
        new = PUBLISHER.targets(2)
        expected = {"root": file_meta(ROOT), "targets": file_meta(new)}
        assert meta_of_draft(publish({"targets": new}, stored({"root": ROOT}))) == expected

    def test_a_snapshot_names_the_bytes_as_they_came(self) -> None:
        pretty = {**FILES, "root": PUBLISHER.root(indent=4), "targets/a": DELEGATION + b"\n"}
        assert meta_of_draft(publish(pretty)) == {
            name: file_meta(data) for name, data in pretty.items()
        }

    @pytest.mark.parametrize(("before", "version"), [({}, 1), ({"timestamp": 6}, 7)])
    def test_a_timestamp(self, before: dict[str, int], version: int) -> None:
        accepted = publish({}, stored(first(), **before))
        draft = accepted.draft_timestamp(SNAPSHOT, NOW)
        assert (draft.role, draft.version) == ("timestamp", version)
        assert json.loads(draft.payload)["meta"] == {"snapshot": file_meta(SNAPSHOT)}
        assert draft.signers == accepted.root.roles["timestamp"]

    def test_the_uploaded_root_says_who_signs(self) -> None:
        new = collection(root_key=PUBLISHER.root_key, targets_key=PUBLISHER.targets_key)
        accepted = publish({"root": new.root(2)}, stored(first()))
        draft = accepted.draft_snapshot(NOW)
        assert draft is not None
        assert isinstance(new.snapshot_key, Key)
        assert list(draft.signers.keys) == [new.snapshot_key.key_id]
