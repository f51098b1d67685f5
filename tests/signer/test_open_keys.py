"""Keys that are kept open for a while, and those that do not open at all."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import capturedLogs

from notary.signer import vault
from notary.signer.envelope import seal
from notary.signer.vault import OPEN_SECONDS, LockedKeyError
from notary.signing.interfaces import KeyNotHeldError
from notary.signing.private_keys import PrivateKey
from notary.storage.keys.interfaces import SealedKey
from notary.tuf.keys import ECDSA, ED25519
from notary.tuf.names import TIMESTAMP
from tests.server.harness import result_of
from tests.signer.harness import (
    PASSPHRASE,
    PAYLOAD,
    Signer,
    messages,
    sealed_key,
)

KEY, OTHER = (PrivateKey.generate(ECDSA) for _ in range(2))
GOOD = sealed_key(KEY)
ANOTHER_PASSPHRASE = "another passphrase altogether"


class TestAge:
    def test_a_key_is_opened_once(self, signer: Signer) -> None:
        key = signer.put(KEY).key_id
        for _ in range(3):
            result_of(signer.sign(key))
            signer.clock.advance(OPEN_SECONDS / 3 - 1)
        assert signer.store.times("by_id") == 1
        assert signer.threads.ran == ["open_sealed"]

    def test_after_its_time_it_is_opened_anew(self, signer: Signer) -> None:
        key = signer.put(KEY).key_id
        result_of(signer.sign(key))
        signer.clock.advance(OPEN_SECONDS - 1)
        result_of(signer.sign(key))
        signer.clock.advance(1)
        signature = result_of(signer.sign(key))
        assert KEY.public.verifies(signature.method, signature.signature, PAYLOAD)
        assert signer.store.times("by_id") == 2

    def test_a_new_key_is_open_as_long(self, signer: Signer) -> None:
        key = result_of(signer.create_key())
        signer.clock.advance(OPEN_SECONDS - 1)
        result_of(signer.sign(key))
        assert signer.store.times("by_id") == 0
        signer.clock.advance(1)
        result_of(signer.sign(key))
        assert signer.store.times("by_id") == 1

    def test_so_long_does_a_deletion_elsewhere_take(self, signer: Signer) -> None:
        key = result_of(signer.create_key())
        result_of(Deferred.fromCoroutine(signer.another().vault.delete_key(key.key_id)))
        result_of(signer.sign(key))
        signer.clock.advance(OPEN_SECONDS)
        with pytest.raises(KeyNotHeldError):
            result_of(signer.sign(key))


class TestNumber:
    def test_the_one_least_asked_for_has_to_go(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(vault, "OPEN_KEYS", 2)
        signer = Signer.make()
        first, second = (result_of(signer.create_key(gun)) for gun in ("first", "second"))
        result_of(signer.sign(first, "first"))
        result_of(signer.create_key("third"))
        result_of(signer.sign(first, "first"))
        assert signer.store.times("by_id") == 0
        signature = result_of(signer.sign(second, "second"))
        assert second.verifies(signature.method, signature.signature, PAYLOAD)
        assert signer.store.times("by_id") == 1


class TestFirstUses:
    def test_at_once_open_a_key_once(self, signer: Signer) -> None:
        key = signer.put(KEY).key_id
        signer.store.hanging.add(key)
        signing = gatherResults([signer.sign(key) for _ in range(5)])
        signer.store.let_go()
        assert len(result_of(signing)) == 5
        assert signer.store.times("by_id") == 1
        assert signer.threads.ran == ["open_sealed"]

    def test_also_if_one_of_them_wants_an_unused_key(self, signer: Signer) -> None:
        key = signer.put(KEY).key_id
        signer.threads.holding = True
        creating, signing = signer.create_key(), signer.sign(key)
        signer.threads.let_go()
        assert result_of(creating) == KEY.public
        result_of(signing)
        assert signer.threads.ran == ["open_sealed"]

    def test_one_key_does_not_hold_up_another(self, signer: Signer) -> None:
        key, other = signer.put(KEY).key_id, signer.put(OTHER).key_id
        signer.store.hanging.add(key)
        signing = signer.sign(key)
        result_of(signer.sign(other))
        assert not signing.called


LOCKED: dict[str, tuple[dict[str, Any], str]] = {
    "no passphrase": (
        {"passphrase_alias": "retired"},
        "there is no passphrase for the alias 'retired': set NOTARY_SIGNER_RETIRED",
    ),
    "wrong passphrase": (
        {"private": seal(KEY.to_bytes(), ANOTHER_PASSPHRASE)},
        "the passphrase is wrong, or the encrypted key is damaged",
    ),
    "damaged envelope": ({"private": GOOD.private[:-5]}, "the encrypted key is damaged"),
    "no envelope": ({"private": KEY.to_bytes()}, "the encrypted key is damaged"),
    "no key": (
        {"private": seal(b"nothing", PASSPHRASE)},
        "this is no private key for ecdsa",
    ),
    "another kind": (
        {"private": seal(PrivateKey.generate(ED25519).to_bytes(), PASSPHRASE)},
        "this is no private key for ecdsa",
    ),
    "another private half": (
        {"private": seal(OTHER.to_bytes(), PASSPHRASE)},
        "its halves do not belong together",
    ),
    "another public half": ({"public": OTHER.public.public}, "its public half is damaged"),
    "another key ID": ({"key_id": OTHER.public.key_id}, "its public half is damaged"),
    "both of another": (
        {"key_id": OTHER.public.key_id, "public": OTHER.public.public},
        "its halves do not belong together",
    ),
    "another algorithm": ({"algorithm": ED25519}, "this is no private key for ed25519"),
    "unknown algorithm": ({"algorithm": "dsa"}, "there is no key algorithm 'dsa' here"),
}


@pytest.mark.parametrize(("over", "reason"), LOCKED.values(), ids=LOCKED)
class TestLockedKeys:
    @pytest.fixture
    def locked(self, signer: Signer, over: dict[str, Any]) -> SealedKey:
        return signer.put(KEY, **over)

    def test_do_not_sign(self, signer: Signer, locked: SealedKey, reason: str) -> None:
        with pytest.raises(LockedKeyError) as caught:
            result_of(signer.sign(locked.key_id))
        alias = locked.passphrase_alias
        assert str(caught.value).startswith(
            f"the key {locked.key_id}, encrypted under the alias {alias!r}, cannot be used: "
        )
        assert reason in str(caught.value)

    def test_nor_do_their_errors_show_secrets(
        self, signer: Signer, locked: SealedKey, reason: str
    ) -> None:
        with pytest.raises(LockedKeyError) as caught:
            result_of(signer.sign(locked.key_id))
        error: BaseException | None = caught.value
        while error is not None:
            for secret in (PASSPHRASE, ANOTHER_PASSPHRASE, locked.private.decode("latin-1")):
                assert secret not in f"{error} {error!r}"
            error = error.__cause__

    def test_do_not_trouble_others(self, signer: Signer, locked: SealedKey, reason: str) -> None:
        other = result_of(signer.create_key(gun="another"))
        with pytest.raises(LockedKeyError):
            result_of(signer.sign(locked.key_id))
        signature = result_of(signer.sign(other, "another"))
        assert other.verifies(signature.method, signature.signature, PAYLOAD)


@pytest.mark.parametrize("kind", [kind for kind in LOCKED if kind != "unknown algorithm"])
def test_locked_keys_are_passed_over_when_one_is_wanted(signer: Signer, kind: str) -> None:
    over, reason = LOCKED[kind]
    locked = signer.put(KEY, **over)
    with capturedLogs() as events:
        key = result_of(signer.create_key(algorithm=locked.algorithm))
    assert key.key_id != locked.key_id
    signature = result_of(signer.sign(key))
    assert key.verifies(signature.method, signature.signature, PAYLOAD)
    (warning,) = messages(events, "warning")
    assert warning.startswith(f"an unused key is passed over: the key {locked.key_id}, ")
    assert reason in warning


def test_another_unused_key_is_given_out_in_place_of_a_locked_one(signer: Signer) -> None:
    keys = sorted([KEY, OTHER], key=lambda key: key.public.key_id)
    signer.put(keys[0], passphrase_alias="retired")
    signer.put(keys[1])
    assert result_of(signer.create_key()) == keys[1].public


def test_a_key_opens_as_soon_as_its_passphrase_is_there(signer: Signer) -> None:
    key = signer.put(KEY, passphrase_alias="retired").key_id
    with pytest.raises(LockedKeyError):
        result_of(signer.sign(key))
    signer.environ["NOTARY_SIGNER_RETIRED"] = PASSPHRASE
    result_of(signer.sign(key))


def test_a_locked_key_still_has_its_public_half(signer: Signer) -> None:
    key = signer.put(KEY, passphrase_alias="retired").key_id
    found = result_of(Deferred.fromCoroutine(signer.vault.public_key(key)))
    assert found == (KEY.public, TIMESTAMP)


@pytest.mark.parametrize("kind", ["another public half", "another key ID", "another algorithm"])
def test_unless_that_is_what_is_damaged(signer: Signer, kind: str) -> None:
    key = signer.put(KEY, **LOCKED[kind][0]).key_id
    with pytest.raises(LockedKeyError, match="its public half is damaged"):
        result_of(Deferred.fromCoroutine(signer.vault.public_key(key)))
