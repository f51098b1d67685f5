"""Files that the service makes itself."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from notary.tuf.drafts import Draft, draft_snapshot, draft_timestamp, renewal_due
from notary.tuf.errors import SignatureError
from notary.tuf.files import Snapshot, Timestamp
from notary.tuf.metadata import FileMeta, Metadata, Signature
from tests.support.forge import DAY, Collection, Key, canonical, file_meta, rfc3339
from tests.tuf.samples import NOW, collection, read_root, server_key

SNAPSHOT_KEY = Key.generate()
PUBLISHER: Collection = collection(snapshot_key=SNAPSHOT_KEY)
ROOT = PUBLISHER.root()
TARGETS = PUBLISHER.targets()
TICK = timedelta(microseconds=1)


def signed(draft: Draft) -> Any:
    return json.loads(draft.payload)


def signature(key: Key, draft: Draft) -> Signature:
    return Metadata.parse(
        canonical({"signed": {}, "signatures": [key.sign(draft.payload)]})
    ).signatures[0]


def first(**over: Any) -> Draft:
    arguments = {"previous": {}, "previous_version": 0, "now": NOW, **over}
    files = arguments.pop("files", {"root": ROOT, "targets": TARGETS})
    return draft_snapshot(read_root(ROOT), files=files, **arguments)


class TestSnapshot:
    def test_the_first(self) -> None:
        draft = first()
        assert (draft.role, draft.version) == ("snapshot", 1)
        assert draft.payload == canonical(
            {
                "_type": "Snapshot",
                "expires": rfc3339(NOW + 3 * 365 * DAY),
                "meta": {"root": file_meta(ROOT), "targets": file_meta(TARGETS)},
                "version": 1,
            }
        )
        assert list(draft.signers.keys) == [SNAPSHOT_KEY.key_id]

    def test_entries_stay_or_change(self) -> None:
        draft = first()
        file = Metadata.parse(draft.assemble([signature(SNAPSHOT_KEY, draft)]))
        previous = Snapshot.read(file).meta
        assert draft.named == previous
        files = {"targets": b"new targets", "targets/a": b"a delegation"}
        follow = first(previous=previous, previous_version=41, files=files)
        assert follow.version == signed(follow)["version"] == 42
        assert signed(follow)["meta"] == {
            "root": file_meta(ROOT),
            "targets": file_meta(b"new targets"),
            "targets/a": file_meta(b"a delegation"),
        }
        assert previous["targets"] == FileMeta.of(TARGETS)

    def test_entries_of_no_role_go(self) -> None:
        meta = {"root": file_meta(ROOT), "targets": file_meta(b""), "a/../b": file_meta(b"")}
        previous = Snapshot.read(Metadata.parse(PUBLISHER.snapshot(meta=meta))).meta
        draft = first(previous=previous, files={"Targets": b""})
        assert signed(draft)["meta"] == {"root": file_meta(ROOT), "targets": file_meta(b"")}

    def test_entries_keep_the_hashes_they_have(self) -> None:
        entry = file_meta(b"", names=["sha256"])
        meta = {"root": entry, "targets": entry}
        previous = Snapshot.read(Metadata.parse(PUBLISHER.snapshot(meta=meta))).meta
        assert signed(first(previous=previous, files={}))["meta"] == meta


class TestTimestamp:
    def test_points_to_the_snapshot(self) -> None:
        draft = draft_timestamp(read_root(ROOT), 6, b"the snapshot", NOW)
        assert (draft.role, draft.version) == ("timestamp", 7)
        assert draft.payload == canonical(
            {
                "_type": "Timestamp",
                "expires": rfc3339(NOW + 14 * DAY),
                "meta": {"snapshot": file_meta(b"the snapshot")},
                "version": 7,
            }
        )
        file = draft.assemble([signature(server_key(), draft)])
        metadata = Metadata.parse(file)
        assert Timestamp.read(metadata).snapshot.describes(b"the snapshot")
        metadata.check_signatures("timestamp", draft.signers.keys, 1)


class TestAssemble:
    def test_the_file_holds_the_payload_and_the_signatures(self) -> None:
        draft = first()
        made = SNAPSHOT_KEY.sign(draft.payload)
        file = draft.assemble([signature(SNAPSHOT_KEY, draft)])
        assert file == b'{"signed":%b,"signatures":%b}' % (draft.payload, canonical([made]))

    def test_refuses_too_few_or_wrong_signatures(self) -> None:
        draft = first()
        with pytest.raises(SignatureError, match="snapshot has no signatures"):
            draft.assemble([])
        for wrong in (
            signature(server_key(), draft),
            signature(SNAPSHOT_KEY, first(now=NOW + DAY)),
        ):
            with pytest.raises(SignatureError, match="did not meet threshold for snapshot"):
                draft.assemble([wrong])

    def test_the_threshold_is_that_of_the_role(self) -> None:
        roles = {"snapshot": {"keyids": [SNAPSHOT_KEY.key_id], "threshold": 2}}
        draft = draft_snapshot(read_root(PUBLISHER.root(roles=roles)), {}, 0, {}, NOW)
        with pytest.raises(SignatureError, match="did not meet threshold for snapshot"):
            draft.assemble([signature(SNAPSHOT_KEY, draft)])


@pytest.mark.parametrize(
    ("role", "expires", "due"),
    [
        ("timestamp", None, True),
        ("timestamp", NOW - DAY, True),
        ("timestamp", NOW, True),
        ("timestamp", NOW + 2 * DAY - TICK, True),
        ("timestamp", NOW + 2 * DAY, False),
        ("timestamp", NOW + 14 * DAY, False),
        ("snapshot", None, True),
        ("snapshot", NOW + 3 * 365 * DAY / 7 - TICK, True),
        ("snapshot", NOW + 3 * 365 * DAY / 7, False),
    ],
)
def test_renewal_is_due_ahead_of_time(role: str, expires: datetime | None, due: bool) -> None:
    assert renewal_due(role, expires, NOW) is due
