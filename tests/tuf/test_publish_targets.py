"""The rules of a publish: targets and delegations."""

from __future__ import annotations

from typing import Any

import pytest

from notary.tuf.errors import BadTargetsError, StaleVersionError
from tests.support.forge import PAST, Collection, Key, public_keys, role
from tests.tuf.publishing import MAX_STEP, publish, stored
from tests.tuf.samples import GUN, collection, root_key

PUBLISHER: Collection = collection()
ROOT = PUBLISHER.root()
A, AB, ABC = "targets/a", "targets/a/b", "targets/a/b/c"


def tree(**over: bytes) -> dict[str, bytes]:
    """Delegations three deep, each of which has delegated the next."""
    return {
        "root": ROOT,
        "targets": PUBLISHER.targets(delegations=PUBLISHER.delegations(A)),
        A: PUBLISHER.delegation(A, delegations=PUBLISHER.delegations(AB)),
        AB: PUBLISHER.delegation(AB, delegations=PUBLISHER.delegations(ABC)),
        ABC: PUBLISHER.delegation(ABC),
        **over,
    }


def delegating(keys: list[Key], threshold: int = 1) -> bytes:
    """Targets that delegate `A` to the holders of these keys."""
    roles = [{"name": A, "paths": [""], **role(keys, threshold)}]
    return PUBLISHER.targets(delegations={"keys": public_keys(keys), "roles": roles})


class TestTargets:
    def test_are_accepted(self) -> None:
        files = {"root": ROOT, "targets": PUBLISHER.targets(3)}
        assert publish(files).files["targets"].data == files["targets"]

    @pytest.mark.parametrize(
        ("over", "message"),
        [
            ({"_type": "Snapshot"}, "expected type Targets, not Snapshot"),
            ({"version": 0}, "version cannot be less than 1"),
            ({"targets": {"x": 1}}, "target 'x' must be an object"),
            ({"expires": PAST}, "targets expired at Fri Jan 01 00:00:00 UTC 2016"),
            ({"expires": None}, "targets does not say when it expires"),
            ({"outer": {"extra": 1}}, "members beside signed and signatures: 'extra'"),
            ({"version": 2**31 - 1}, "version cannot be more than 2147483646"),
            ({"signatures": []}, "targets has no signatures"),
            ({"signers": [PUBLISHER.root_key]}, "did not meet threshold for targets"),
            ({"signers": [Key.generate()]}, "did not meet threshold for targets"),
        ],
    )
    def test_refuses(self, over: dict[str, Any], message: str) -> None:
        with pytest.raises(BadTargetsError, match=f"^targets: .*{message}"):
            publish({"root": ROOT, "targets": PUBLISHER.targets(**over)})

    def test_the_uploaded_root_says_who_signs(self) -> None:
        new = Key.generate()
        keys = [PUBLISHER.root_key, new, PUBLISHER.snapshot_key, PUBLISHER.timestamp_key]
        before = stored({"root": ROOT, "targets": PUBLISHER.targets()})
        root = PUBLISHER.root(2, keys=public_keys(keys), roles={"targets": role([new])})
        publish({"root": root, "targets": PUBLISHER.targets(2, signers=[new])}, before)
        with pytest.raises(BadTargetsError, match="did not meet threshold for targets"):
            publish({"root": root, "targets": PUBLISHER.targets(2)}, before)

    def test_the_threshold_of_targets_counts(self) -> None:
        keys = [PUBLISHER.targets_key, Key.generate()]
        others = [PUBLISHER.root_key, PUBLISHER.snapshot_key, PUBLISHER.timestamp_key]
        root = PUBLISHER.root(keys=public_keys([*keys, *others]), roles={"targets": role(keys, 2)})
        publish({"root": root, "targets": PUBLISHER.targets(signers=keys)})
        with pytest.raises(BadTargetsError, match="did not meet threshold for targets"):
            publish({"root": root, "targets": PUBLISHER.targets()})


class TestVersions:
    @pytest.mark.parametrize("version", [6, 5 + MAX_STEP])
    def test_forward(self, version: int) -> None:
        before = stored({"root": ROOT, "targets": PUBLISHER.targets(5)})
        assert set(publish({"targets": PUBLISHER.targets(version)}, before).files) == {"targets"}

    def test_not_too_far(self) -> None:
        before = stored({"root": ROOT, "targets": PUBLISHER.targets(5)})
        with pytest.raises(BadTargetsError) as caught:
            publish({"targets": PUBLISHER.targets(6 + MAX_STEP)}, before)
        assert str(caught.value) == "targets: version 16 is more than 10 ahead of 5"

    @pytest.mark.parametrize(("version", "good"), [(MAX_STEP, True), (MAX_STEP + 1, False)])
    def test_the_first_counts_from_0(self, version: int, good: bool) -> None:
        files = {"root": ROOT, "targets": PUBLISHER.targets(version)}
        if good:
            publish(files)
        else:
            with pytest.raises(BadTargetsError, match="version 11 is more than 10 ahead of 0"):
                publish(files)

    @pytest.mark.parametrize("version", [1, 4, 5])
    def test_not_back(self, version: int) -> None:
        before = stored({"root": ROOT, "targets": PUBLISHER.targets(5)})
        with pytest.raises(
            StaleVersionError, match=f"^targets: version {version} is not newer than 5$"
        ):
            publish({"targets": PUBLISHER.targets(version)}, before)

    def test_of_delegations(self) -> None:
        before = stored(tree(), **{AB: 5})
        publish({AB: PUBLISHER.delegation(AB, 6)}, before)
        with pytest.raises(StaleVersionError, match=f"^{AB}: version 5 is not newer than 5$"):
            publish({AB: PUBLISHER.delegation(AB, 5)}, before)
        with pytest.raises(BadTargetsError, match=f"^{AB}: version 16 is more than 10 ahead of 5$"):
            publish({AB: PUBLISHER.delegation(AB, 16)}, before)


class TestDelegations:
    def test_a_whole_tree(self) -> None:
        files = tree()
        backwards = dict(reversed(files.items()))
        assert set(publish(backwards).files) == set(files)

    @pytest.mark.parametrize("name", [A, AB, ABC])
    def test_below_what_is_stored(self, name: str) -> None:
        files = tree()
        before = stored({above: data for above, data in files.items() if above != name})
        assert set(publish({name: files[name]}, before).files) == {name}

    @pytest.mark.parametrize(("absent", "blamed"), [("targets", A), (A, AB), (AB, ABC)])
    def test_needs_what_is_above(self, absent: str, blamed: str) -> None:
        files = tree()
        before = {name: files.pop(name) for name in ("root", "targets")}
        before.pop(absent, None)
        files.pop(absent, None)
        if absent == "targets":
            files = {A: files[A]}
        with pytest.raises(BadTargetsError) as caught:
            publish(files, stored(before))
        assert str(caught.value) == f"{blamed}: delegation {blamed} does not exist"

    @pytest.mark.parametrize("name", ["targets/z", "targets/z/b", "targets/a/z", "z", "targets/"])
    def test_nobody_delegated(self, name: str) -> None:
        with pytest.raises(BadTargetsError, match=f"^{name}: delegation {name} does not exist$"):
            publish(tree(**{name: PUBLISHER.delegation("targets/z")}))

    def test_what_is_uploaded_above_holds(self) -> None:
        files = tree()
        gone = PUBLISHER.delegation(A, 2)
        with pytest.raises(BadTargetsError, match=f"^{AB}: delegation {AB} does not exist$"):
            publish({A: gone, AB: PUBLISHER.delegation(AB, 2)}, stored(files))
        assert set(publish({A: gone}, stored(files)).files) == {A}

    def test_what_is_stored_above_must_be_trusted_still(self) -> None:
        """The uploaded targets give the parent to another key."""
        other = Key.generate()
        targets = PUBLISHER.targets(
            2,
            delegations={
                "keys": public_keys([other]),
                "roles": [{"name": A, "paths": [""], **role([other])}],
            },
        )
        with pytest.raises(BadTargetsError, match=f"^{AB}: .* did not meet threshold for {A}$"):
            publish({"targets": targets, AB: PUBLISHER.delegation(AB, 2)}, stored(tree()))

    def test_what_is_stored_above_must_be_readable(self) -> None:
        broken = PUBLISHER.targets(targets=[])
        with pytest.raises(BadTargetsError, match=f"^{A}: targets must be an object$"):
            publish({A: PUBLISHER.delegation(A)}, stored({"root": ROOT, "targets": broken}))

    def test_what_is_stored_above_may_have_expired(self) -> None:
        old = PUBLISHER.targets(expires=PAST, delegations=PUBLISHER.delegations(A))
        publish({A: PUBLISHER.delegation(A)}, stored({"root": ROOT, "targets": old}))

    @pytest.mark.parametrize(
        ("over", "message"),
        [
            ({"signers": [PUBLISHER.targets_key]}, f"did not meet threshold for {AB}"),
            ({"signers": [PUBLISHER.delegation_key(A)]}, f"did not meet threshold for {AB}"),
            ({"signatures": []}, f"{AB} has no signatures"),
            ({"_type": "Root"}, "expected type Targets, not Root"),
            ({"expires": PAST}, f"{AB} expired at Fri Jan 01"),
            ({"outer": {"extra": 1}}, "members beside signed"),
            ({"version": 2**31 - 1}, "version cannot be more than"),
            (
                {"delegations": PUBLISHER.delegations("targets/x/y")},
                "delegation role targets/x/y invalid",
            ),
        ],
    )
    def test_refuses(self, over: dict[str, Any], message: str) -> None:
        with pytest.raises(BadTargetsError, match=f"^{AB}: .*{message}"):
            publish(tree(**{AB: PUBLISHER.delegation(AB, **over)}))

    def test_the_shallowest_is_blamed_first(self) -> None:
        bad = {name: PUBLISHER.delegation(name, expires=PAST) for name in (ABC, AB)}
        with pytest.raises(BadTargetsError, match=f"^{AB}: "):
            publish(tree(**bad))

    def test_the_threshold_counts(self) -> None:
        keys = [Key.generate(), Key.generate("ed25519"), Key.generate("rsa")]
        targets = delegating(keys, 2)
        for signers in (keys[:2], keys[1:], keys):
            file = PUBLISHER.delegation(A, signers=signers)
            publish({"root": ROOT, "targets": targets, A: file})
        for signers in (keys[:1], [keys[0], keys[0]]):
            file = PUBLISHER.delegation(A, signers=signers)
            with pytest.raises(BadTargetsError, match=f"did not meet threshold for {A}"):
                publish({"root": ROOT, "targets": targets, A: file})


class TestDelegatesCertificates:
    @pytest.mark.parametrize(
        "key", [root_key("anybody"), root_key(kind="rsa-x509"), root_key(is_ca=True)]
    )
    def test_need_not_name_the_collection(self, key: Key) -> None:
        file = PUBLISHER.delegation(A, signers=[key])
        publish({"root": ROOT, "targets": delegating([key]), A: file})

    @pytest.mark.parametrize(
        ("key", "reason"),
        [
            (Key.sha1_certificate(GUN), "it is signed with SHA1"),
            (
                root_key(kind="rsa-x509", key=Key.generate("rsa", bits=1024)),
                "its RSA key has less than 2048 bits",
            ),
        ],
        ids=["sha1", "small"],
    )
    def test_must_not_be_weak(self, key: Key, reason: str) -> None:
        """Even if a good key has signed."""
        good = Key.generate()
        file = PUBLISHER.delegation(A, signers=[good])
        with pytest.raises(BadTargetsError) as caught:
            publish({"root": ROOT, "targets": delegating([good, key]), A: file})
        assert str(caught.value) == (f"{A}: the certificate of a key of {A} will not do: {reason}")

    def test_must_be_readable(self) -> None:
        key = Key("ecdsa-x509", Key.generate().private, b"no certificate")
        file = PUBLISHER.delegation(A, signers=[key])
        with pytest.raises(BadTargetsError, match=f"^{A}: a certificate cannot be read$"):
            publish({"root": ROOT, "targets": delegating([key]), A: file})
