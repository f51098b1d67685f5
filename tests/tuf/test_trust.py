"""Trust in a root."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from notary.tuf.errors import InvalidMetadataError, SignatureError
from notary.tuf.files import Root
from notary.tuf.trust import verify_root
from tests.support.forge import DAY, Collection, Key, public_keys, role
from tests.tuf.samples import GUN, NOW, collection, read_root, root_key

PUBLISHER: Collection = collection()
BY_THE_PREVIOUS = "^could not rotate trust to a new trusted root: by the previous root, "


def root_of(
    keys: Sequence[Key], threshold: int = 1, *, signers: Sequence[Key] | None = None, **over: Any
) -> Root:
    """A root with these root keys."""
    others = [PUBLISHER.targets_key, PUBLISHER.snapshot_key, PUBLISHER.timestamp_key]
    data = PUBLISHER.root(
        keys=public_keys([*keys, *others, *(signers or ())]),
        roles={"root": role(keys, threshold)},
        signers=list(keys if signers is None else signers) or [PUBLISHER.targets_key],
        **over,
    )
    return read_root(data)


class TestOwnSignatures:
    @pytest.mark.parametrize("kind", ["ecdsa-x509", "rsa-x509"])
    def test_by_a_certified_key(self, kind: str) -> None:
        verify_root(root_of([root_key(kind=kind)]), None, GUN, NOW)

    def test_by_enough_keys(self) -> None:
        a, b, c = root_key(), root_key(), root_key()
        verify_root(root_of([a, b, c], 2, signers=[a, c]), None, GUN, NOW)
        verify_root(root_of([a, b, c], 3), None, GUN, NOW)
        for threshold, signers in ((2, [b]), (3, [a, b]), (2, [a, a]), (4, [a, b, c])):
            with pytest.raises(
                SignatureError, match=r"^valid signatures did not meet threshold for root$"
            ):
                verify_root(root_of([a, b, c], threshold, signers=signers), None, GUN, NOW)

    def test_by_a_key_that_is_no_root_key(self) -> None:
        root = root_of([root_key()], signers=[root_key()])
        with pytest.raises(SignatureError, match="did not meet threshold for root"):
            verify_root(root, None, GUN, NOW)

    def test_a_key_without_a_good_certificate_does_not_count(self) -> None:
        good = root_key()
        for bad in (root_key("other/gun"), root_key(not_after=NOW - DAY), Key.generate()):
            verify_root(root_of([good, bad]), None, GUN, NOW)
            with pytest.raises(SignatureError, match="did not meet threshold for root"):
                verify_root(root_of([good, bad], signers=[bad]), None, GUN, NOW)
            with pytest.raises(SignatureError, match="did not meet threshold for root"):
                verify_root(root_of([good, bad], 2), None, GUN, NOW)


class TestCertificates:
    @pytest.mark.parametrize(
        ("key", "reason"),
        [
            (root_key("other/gun"), f"its common name 'other/gun' does not cover the GUN '{GUN}'"),
            (root_key(not_after=NOW - DAY), "it expired on 2026-11-22"),
            (root_key(not_before=NOW + 9 * DAY), "it is not valid before 2026-12-02"),
            (root_key(is_ca=True), "its chain does not begin with its only leaf certificate"),
            (Key.sha1_certificate(GUN), "it is signed with SHA1"),
            (Key.generate(), "a key of type ecdsa has no certificate"),
            (
                Key("ecdsa-x509", Key.generate().private, b"no certificate"),
                "a certificate cannot be read",
            ),
        ],
        ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "",
    )
    def test_the_reason_is_told(self, key: Key, reason: str) -> None:
        with pytest.raises(InvalidMetadataError) as caught:
            verify_root(root_of([key]), None, GUN, NOW)
        assert str(caught.value) == (
            f"no valid certificate among the root keys ({key.key_id}: {reason})"
        )

    def test_at_most_five_reasons_are_told(self) -> None:
        keys = [Key.generate() for _ in range(6)]
        with pytest.raises(InvalidMetadataError) as caught:
            verify_root(root_of(keys), None, GUN, NOW)
        assert str(caught.value).count("has no certificate") == 5

    def test_no_keys(self) -> None:
        with pytest.raises(InvalidMetadataError, match=r"root keys \(there are none\)$"):
            verify_root(root_of([]), None, GUN, NOW)

    def test_a_wildcard_covers(self) -> None:
        verify_root(root_of([root_key("registry.example.com/*")]), None, GUN, NOW)


class TestPreviousRoot:
    def test_passes_the_trust_on(self) -> None:
        old, new = root_key(), root_key()
        previous = root_of([old])
        verify_root(root_of([old]), previous, GUN, NOW)
        verify_root(root_of([new], signers=[new, old]), previous, GUN, NOW)

    def test_has_to(self) -> None:
        old, new = root_key(), root_key()
        with pytest.raises(
            SignatureError, match=BY_THE_PREVIOUS + "valid signatures did not meet threshold"
        ):
            verify_root(root_of([new]), root_of([old]), GUN, NOW)

    def test_is_not_enough(self) -> None:
        old, new = root_key(), root_key()
        with pytest.raises(SignatureError, match=r"^valid signatures did not meet threshold"):
            verify_root(root_of([new], signers=[old]), root_of([old]), GUN, NOW)

    def test_its_threshold_counts(self) -> None:
        a, b, new = root_key(), root_key(), root_key()
        previous = root_of([a, b], 2)
        verify_root(root_of([new], signers=[new, a, b]), previous, GUN, NOW)
        with pytest.raises(SignatureError, match=BY_THE_PREVIOUS):
            verify_root(root_of([new], signers=[new, a]), previous, GUN, NOW)

    def test_its_threshold_is_not_the_new_one(self) -> None:
        old, a, b = root_key(), root_key(), root_key()
        verify_root(root_of([a, b], 2, signers=[a, b, old]), root_of([old]), GUN, NOW)
        with pytest.raises(SignatureError, match=r"^valid signatures did not meet threshold"):
            verify_root(root_of([a, b], 2, signers=[a, old]), root_of([old]), GUN, NOW)

    def test_its_certificate_may_have_expired(self) -> None:
        old, new = root_key(not_after=NOW - DAY), root_key()
        verify_root(root_of([new], signers=[new, old]), root_of([old]), GUN, NOW)

    def test_an_expired_certificate_is_of_no_use_in_the_new_root(self) -> None:
        old = root_key(not_after=NOW - DAY)
        with pytest.raises(InvalidMetadataError, match="it expired on"):
            verify_root(root_of([old]), root_of([old]), GUN, NOW)

    @pytest.mark.parametrize("old", [root_key("other/gun"), Key.sha1_certificate(GUN)])
    def test_its_certificate_must_be_good_otherwise(self, old: Key) -> None:
        new = root_key()
        with pytest.raises(SignatureError, match=BY_THE_PREVIOUS + "no valid certificate"):
            verify_root(root_of([new], signers=[new, old]), root_of([old]), GUN, NOW)
