"""The rules of a publish: root."""

from __future__ import annotations

from typing import Any

import pytest

from notary.tuf.errors import (
    BadRootError,
    BadTargetsError,
    PublishError,
    StaleVersionError,
    ValidationError,
)
from notary.tuf.publish import needed_roles
from tests.support.forge import DAY, PAST, Collection, Key, public_keys, role
from tests.tuf.publishing import publish, stored
from tests.tuf.samples import GUN, NOW, collection, root_key

PUBLISHER: Collection = collection()
TARGETS = PUBLISHER.targets()


def first(**over: Any) -> dict[str, bytes]:
    return {"root": PUBLISHER.root(**over), "targets": TARGETS}


def rotated(version: int = 2, *, signed_by_old: bool = True) -> bytes:
    """A root with another root key."""
    new = collection(
        root_key=root_key(),
        targets_key=PUBLISHER.targets_key,
        snapshot_key=PUBLISHER.snapshot_key,
    )
    signers = [new.root_key, PUBLISHER.root_key] if signed_by_old else [new.root_key]
    return new.root(version, signers=signers)


@pytest.mark.parametrize(
    ("uploaded", "needed"),
    [
        ([], {"root"}),
        (["root", "targets", "snapshot", "timestamp"], {"root"}),
        (["targets/a"], {"root", "targets"}),
        (["targets/a/b", "targets"], {"root", "targets/a"}),
        (["targets/a/b/c", "targets/a/b"], {"root", "targets", "targets/a"}),
    ],
)
def test_needed_roles(uploaded: list[str], needed: set[str]) -> None:
    assert needed_roles(uploaded) == needed


class TestFirstPublish:
    def test_is_accepted(self) -> None:
        files = PUBLISHER.first()
        accepted = publish(files)
        assert {name: each.data for name, each in accepted.files.items()} == files
        assert accepted.root.metadata.data == files["root"]

    def test_an_uploaded_timestamp_is_left_out(self) -> None:
        files = {**PUBLISHER.first(), "timestamp": b"{}"}
        assert set(publish(files).files) == {"root", "targets", "snapshot"}

    @pytest.mark.parametrize("files", [{}, {"targets": TARGETS}, {"targets/a": TARGETS}])
    def test_needs_a_root(self, files: dict[str, bytes]) -> None:
        with pytest.raises(
            ValidationError, match=r"^no pre-existing root and no root provided in update\.$"
        ):
            publish(files)

    def test_needs_targets(self) -> None:
        root = PUBLISHER.root()
        for files in ({"root": root}, {"root": root, "snapshot": b"{}"}):
            with pytest.raises(ValidationError, match=r"^targets must be loaded first$"):
                publish(files)

    def test_needs_targets_above_a_delegation(self) -> None:
        files = {"root": PUBLISHER.root(), "targets/a": PUBLISHER.delegation("targets/a")}
        with pytest.raises(BadTargetsError, match="targets/a: delegation targets/a does not exist"):
            publish(files)


class TestVersion:
    @pytest.mark.parametrize("version", [1, 2])
    def test_the_first_is_1_or_2(self, version: int) -> None:
        assert publish(first(version=version)).root.metadata.version == version

    @pytest.mark.parametrize("version", [-1, 0, 3, 2**31 - 2, None])
    def test_the_first_is_no_other(self, version: int | None) -> None:
        with pytest.raises(BadRootError) as caught:
            publish(first(version=version))
        assert str(caught.value) == (
            f"Root modifications must increment the version. Current 1, new {version or 0}"
        )

    def test_the_next_is_one_more(self) -> None:
        before = stored(first(version=5))
        assert publish({"root": PUBLISHER.root(6)}, before).root.metadata.version == 6
        for version in (1, 4, 7):
            with pytest.raises(BadRootError, match=f"Current 5, new {version}$"):
                publish({"root": PUBLISHER.root(version)}, before)

    def test_the_same_again_is_stale(self) -> None:
        with pytest.raises(StaleVersionError, match=r"^root: version 5 is not newer than 5$"):
            publish({"root": PUBLISHER.root(5)}, stored(first(version=5)))

    def test_stale_is_what_is_stored_not_what_is_current(self) -> None:
        with pytest.raises(StaleVersionError, match="root: version 6 is not newer than 6"):
            publish({"root": PUBLISHER.root(6)}, stored(first(version=5), root=6))

    def test_the_highest(self) -> None:
        before = stored(first(version=2**31 - 2))
        with pytest.raises(BadRootError, match="version cannot be more than 2147483646"):
            publish({"root": PUBLISHER.root(2**31 - 1)}, before)

    def test_a_wrong_signature_tells_before_a_stale_version(self) -> None:
        root = PUBLISHER.root(5, signers=[PUBLISHER.targets_key])
        with pytest.raises(BadRootError, match="threshold"):
            publish({"root": root}, stored(first(version=5)))


class TestForm:
    @pytest.mark.parametrize(
        ("over", "message"),
        [
            ({"_type": "Targets"}, "expected type Root, not Targets"),
            ({"roles": {"timestamp": None}}, "missing timestamp role specification"),
            ({"outer": {"extra": 1}}, "members beside signed and signatures: 'extra'"),
            ({"expires": PAST}, "root expired at Fri Jan 01 00:00:00 UTC 2016"),
            ({"expires": None}, "root does not say when it expires"),
            ({"signatures": []}, "root has no signatures"),
        ],
    )
    def test_refuses(self, over: dict[str, Any], message: str) -> None:
        with pytest.raises(BadRootError, match=message):
            publish(first(**over))

    def test_a_pretty_one_is_stored_as_it_came(self) -> None:
        root = PUBLISHER.root(indent=2)
        assert publish({"root": root, "targets": TARGETS}).files["root"].data == root


class TestTrust:
    @pytest.mark.parametrize(
        ("key", "message"),
        [
            (root_key("other/gun"), "does not cover the GUN"),
            (root_key(not_after=NOW - DAY), "it expired on"),
            (Key.sha1_certificate(GUN), "it is signed with SHA1"),
            (Key.generate(), "has no certificate"),
        ],
        ids=["gun", "expired", "sha1", "bare"],
    )
    def test_refuses_a_root_key(self, key: Key, message: str) -> None:
        other = collection(root_key=key)
        with pytest.raises(BadRootError, match=message):
            publish({"root": other.root(), "targets": other.targets()})

    def test_refuses_another_signer(self) -> None:
        with pytest.raises(BadRootError, match="did not meet threshold for root"):
            publish(first(signers=[root_key()]))

    def test_the_threshold_of_root_counts(self) -> None:
        keys = [PUBLISHER.root_key, root_key()]
        others = [PUBLISHER.targets_key, PUBLISHER.snapshot_key, PUBLISHER.timestamp_key]
        fields = {"keys": public_keys([*keys, *others]), "roles": {"root": role(keys, 2)}}
        assert publish(first(signers=keys, **fields)).root.roles["root"].threshold == 2
        with pytest.raises(BadRootError, match="did not meet threshold for root"):
            publish(first(signers=keys[:1], **fields))

    def test_a_new_root_key_is_vouched_for_by_the_old_one(self) -> None:
        accepted = publish({"root": rotated()}, stored(first()))
        assert PUBLISHER.root_key.key_id not in accepted.root.roles["root"].keys

    def test_a_new_root_key_that_is_not_is_refused(self) -> None:
        with pytest.raises(BadRootError, match="could not rotate trust to a new trusted root"):
            publish({"root": rotated(signed_by_old=False)}, stored(first()))

    def test_an_expired_certificate_does_not_lock_a_collection(self) -> None:
        old = collection(root_key=root_key(not_after=NOW - DAY))
        before = stored({"root": old.root(), "targets": old.targets()})
        new = root_key()
        keys = [new, old.targets_key, old.snapshot_key, old.timestamp_key]
        root = old.root(
            2,
            keys=public_keys(keys),
            roles={"root": role([new])},
            signers=[new, old.root_key],
        )
        assert list(publish({"root": root}, before).root.roles["root"].keys) == [new.key_id]
        with pytest.raises(BadRootError, match="it expired on"):
            publish({"targets": old.targets(2)}, before)


class TestStoredRoot:
    def test_holds_for_an_upload_without_one(self) -> None:
        before = stored(first())
        accepted = publish({"targets": PUBLISHER.targets(2)}, before)
        assert accepted.root.metadata == before.files["root"]
        assert set(accepted.files) == {"targets"}

    def test_may_carry_what_is_refused_today(self) -> None:
        before = stored(first(outer={"extra": 1}, expires=PAST))
        assert set(publish({"targets": PUBLISHER.targets(2)}, before).files) == {"targets"}

    @pytest.mark.parametrize(
        ("over", "message"),
        [
            ({"roles": {"root": None}}, "missing root role specification"),
            ({"signers": [PUBLISHER.targets_key]}, "did not meet threshold for root"),
        ],
    )
    def test_must_be_a_root(self, over: dict[str, Any], message: str) -> None:
        before = stored(first(**over))
        with pytest.raises(BadRootError, match=message):
            publish({"targets": PUBLISHER.targets(2)}, before)

    def test_must_be_readable_for_a_new_one_too(self) -> None:
        before = stored({"root": b'{"signed":{"version":1}}'})
        with pytest.raises(BadRootError, match="expected type Root, not "):
            publish({"root": PUBLISHER.root(2)}, before)

    def test_nothing_uploaded_changes_nothing(self) -> None:
        assert publish({}, stored(first())).files == {}

    def test_is_judged_for_this_collection(self) -> None:
        other = collection(root_key=root_key("other/gun"))
        before = stored({"root": other.root(), "targets": other.targets()})
        with pytest.raises(BadRootError, match="does not cover the GUN"):
            publish({"targets": other.targets(2)}, before)


def test_a_stale_version_is_no_broken_rule() -> None:
    """It has its own place on the wire."""
    assert not issubclass(StaleVersionError, PublishError)
