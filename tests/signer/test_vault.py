"""The keys of a signer: made for one collection and role, used, and never given out twice."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred, gatherResults
from zope.interface.verify import verifyObject

from notary.signer.passphrases import PassphraseError, variable
from notary.signing.interfaces import KeyNotHeldError
from notary.signing.private_keys import ALGORITHMS, PrivateKey
from notary.storage.interfaces import StoreUnavailableError, UnstorableError
from notary.storage.keys.interfaces import IKeyStore
from notary.tuf.errors import InvalidKeyError
from notary.tuf.keys import ECDSA, ED25519, PublicKey
from notary.tuf.names import SNAPSHOT, TIMESTAMP
from tests.server.harness import result_of
from tests.signer.fakes import AWAY
from tests.signer.harness import ALIAS, GUN, PASSPHRASE, PAYLOAD, UNKNOWN, Signer, made, used

EARLY = PrivateKey.generate(ECDSA)


def public_key(signer: Signer, key_id: str) -> Deferred[tuple[PublicKey, str]]:
    return Deferred.fromCoroutine(signer.vault.public_key(key_id))


def delete(signer: Signer, key_id: str) -> Deferred[None]:
    return Deferred.fromCoroutine(signer.vault.delete_key(key_id))


def check(signer: Signer) -> Deferred[None]:
    return Deferred.fromCoroutine(signer.vault.check())


class TestCreating:
    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    def test_keys_of_each_algorithm_sign(self, signer: Signer, algorithm: str) -> None:
        key = made(signer, algorithm=algorithm)
        assert key.type == algorithm
        for server in (signer, signer.another()):
            signature = result_of(server.sign(key))
            assert key.verifies(signature.method, signature.signature, PAYLOAD)

    def test_an_unused_key_is_given_out_again(self, signer: Signer) -> None:
        key = made(signer)
        assert made(signer) == key
        other = signer.another()
        assert made(other) == key
        assert [method for method, _ in other.store.asked] == ["unused"]

    def test_after_its_first_signature_there_is_a_new_one(self, signer: Signer) -> None:
        key = used(signer)
        new = made(signer)
        assert new != key
        assert made(signer.another()) == new

    @pytest.mark.parametrize(
        "other",
        [{"gun": f"{GUN}/more"}, {"gun": GUN.upper()}, {"role": SNAPSHOT}, {"algorithm": ED25519}],
    )
    def test_whoever_wants_another_gets_another(
        self, signer: Signer, other: dict[str, str]
    ) -> None:
        assert made(signer, **other) != made(signer)

    def test_all_who_ask_at_once_get_the_same(self, signer: Signer) -> None:
        signer.store.hanging.add("add")
        waiting = gatherResults([signer.create_key() for _ in range(5)])
        other = signer.create_key(role=SNAPSHOT)
        signer.store.let_go()
        keys = result_of(waiting)
        assert set(keys) == {made(signer)}
        assert result_of(other) not in keys
        assert signer.store.times("add") == 2

    def test_a_key_is_encrypted_under_the_default_alias(self, signer: Signer) -> None:
        key = made(signer)
        stored = result_of(signer.store.inner.by_id(key.key_id))
        assert stored.passphrase_alias == ALIAS
        assert (stored.gun, stored.role, stored.used) == (GUN, TIMESTAMP, False)
        assert (stored.algorithm, stored.public) == (key.type, key.public)
        assert (stored.keywrap_alg, stored.encryption_alg) == ("PBES2-HS256+A128KW", "A256GCM")

    def test_making_keys_is_left_to_threads(self, signer: Signer) -> None:
        made(signer)
        assert signer.threads.ran == ["_make"]

    def test_an_unknown_algorithm(self, signer: Signer) -> None:
        with pytest.raises(InvalidKeyError, match="no key algorithm 'dsa' here"):
            made(signer, algorithm="dsa")

    def test_a_name_that_cannot_be_stored(self, signer: Signer) -> None:
        with pytest.raises(UnstorableError):
            made(signer, gun="x" * 256)

    def test_without_its_passphrase_no_key_is_made(self, signer: Signer) -> None:
        signer.environ.clear()
        with pytest.raises(PassphraseError, match=variable(ALIAS)):
            made(signer)
        assert signer.store.times("add") == 0

    def test_what_was_not_stored_is_not_given_out(self, signer: Signer) -> None:
        signer.store.failures["add"] = AWAY
        with pytest.raises(StoreUnavailableError):
            made(signer)
        signer.store.failures.clear()
        key = made(signer)
        (_, lost), (_, added) = (asked for asked in signer.store.asked if asked[0] == "add")
        assert (key.key_id, lost != added) == (added, True)
        with pytest.raises(KeyNotHeldError):
            result_of(signer.sign(lost))


class TestSigning:
    @pytest.mark.parametrize(
        ("gun", "role"),
        [(f"{GUN}/more", TIMESTAMP), (GUN, SNAPSHOT), (GUN.upper(), TIMESTAMP), ("", "")],
    )
    def test_a_key_signs_for_nothing_else(self, signer: Signer, gun: str, role: str) -> None:
        key = made(signer)
        for server in (signer, signer.another()):
            with pytest.raises(KeyNotHeldError, match=key.key_id):
                result_of(server.sign(key, gun, role))
        assert made(signer) == key

    @pytest.mark.parametrize(("gun", "role"), [(GUN, TIMESTAMP), ("other", SNAPSHOT)])
    def test_an_early_key_of_the_go_signer_signs_for_all(
        self, signer: Signer, gun: str, role: str
    ) -> None:
        """That signer did not note at first what a key was made for."""
        key = signer.put(EARLY, gun="", role="")
        signature = result_of(signer.sign(key.key_id, gun, role))
        assert EARLY.public.verifies(signature.method, signature.signature, PAYLOAD)

    @pytest.mark.parametrize(("gun", "role"), [(GUN, ""), ("", TIMESTAMP)])
    def test_half_a_binding_is_one(self, signer: Signer, gun: str, role: str) -> None:
        key = signer.put(EARLY, gun=gun, role=role)
        with pytest.raises(KeyNotHeldError):
            result_of(signer.sign(key.key_id))

    def test_an_unknown_key(self, signer: Signer) -> None:
        asked: list[Deferred[Any]] = [signer.sign(UNKNOWN), public_key(signer, UNKNOWN)]
        for each in asked:
            with pytest.raises(KeyNotHeldError, match=f"^no key with the ID {UNKNOWN} is held"):
                result_of(each)

    @pytest.mark.parametrize(
        ("algorithm", "payload", "ran"),
        [
            ("ecdsa", PAYLOAD, []),
            ("ed25519", PAYLOAD, []),
            ("ed25519", b"x" * 64 * 1024, []),
            ("ed25519", b"x" * (64 * 1024 + 1), ["sign"]),
            ("rsa", PAYLOAD, ["sign"]),
        ],
    )
    def test_what_takes_its_time_is_left_to_threads(
        self, signer: Signer, algorithm: str, payload: bytes, ran: list[str]
    ) -> None:
        key = made(signer, algorithm=algorithm)
        signer.threads.ran.clear()
        signature = result_of(signer.sign(key, payload=payload))
        assert key.verifies(signature.method, signature.signature, payload)
        assert signer.threads.ran == ran

    def test_tells_public_halves(self, signer: Signer) -> None:
        key = made(signer, role=SNAPSHOT)
        for server in (signer, signer.another()):
            assert result_of(public_key(server, key.key_id)) == (key, SNAPSHOT)


class TestDeleting:
    def test_a_deleted_key_signs_no_more(self, signer: Signer) -> None:
        key = made(signer)
        result_of(delete(signer, key.key_id))
        asked: list[Deferred[Any]] = [signer.sign(key), public_key(signer, key.key_id)]
        for each in asked:
            with pytest.raises(KeyNotHeldError):
                result_of(each)
        assert made(signer) != key

    def test_nor_if_it_was_being_opened(self, signer: Signer) -> None:
        key = made(signer)
        other = signer.another()
        other.threads.holding = True
        begun = other.sign(key)
        result_of(delete(other, key.key_id))
        other.threads.let_go()
        result_of(begun)
        with pytest.raises(KeyNotHeldError):
            result_of(other.sign(key))

    def test_a_key_that_is_not_there_is_no_error(self, signer: Signer) -> None:
        result_of(delete(signer, UNKNOWN))

    def test_a_failed_deletion_deletes_nothing(self, signer: Signer) -> None:
        key = made(signer)
        signer.store.failures["delete"] = AWAY
        with pytest.raises(StoreUnavailableError):
            result_of(delete(signer, key.key_id))
        result_of(signer.sign(key))


class TestHealth:
    def test_is_that_of_the_store(self, signer: Signer) -> None:
        result_of(check(signer))
        signer.store.go_away()
        with pytest.raises(StoreUnavailableError):
            result_of(check(signer))

    def test_needs_the_passphrase_for_new_keys(self, signer: Signer) -> None:
        signer.environ[variable("another")] = signer.environ.pop(variable(ALIAS))
        with pytest.raises(PassphraseError, match=f"alias '{ALIAS}'") as caught:
            result_of(check(signer))
        assert PASSPHRASE not in str(caught.value)
        assert signer.threads.ran == ["passphrase"]


class TestOutages:
    def test_the_store_stands_in(self, signer: Signer) -> None:
        verifyObject(IKeyStore, signer.store)

    def test_are_told(self, signer: Signer) -> None:
        key = made(signer).key_id
        other = signer.another()
        other.store.go_away()
        asked: list[Deferred[Any]] = [
            other.create_key(),
            other.sign(key),
            public_key(other, key),
            delete(other, key),
            check(other),
        ]
        for each in asked:
            with pytest.raises(StoreUnavailableError, match=r"^the database is away$"):
                result_of(each)

    def test_open_keys_sign_meanwhile(self, signer: Signer) -> None:
        key = used(signer)
        signer.store.go_away()
        signature = result_of(signer.sign(key))
        assert key.verifies(signature.method, signature.signature, PAYLOAD)
