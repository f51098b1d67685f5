"""What every key store has to do: each sentence of `IKeyStore`."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Callable
from hashlib import sha256
from random import Random

import attrs
import pytest
from pytest_twisted import ensureDeferred
from zope.interface.verify import verifyObject

from notary.storage.interfaces import UnstorableError
from notary.storage.keys.interfaces import MOST_UNUSED, IKeyStore, KeyNotStoredError, SealedKey

GUN = "docker.io/library/alpine"
ALL_BYTES = b" \0" + bytes(range(256)) + b"\0 "

LOOKALIKES = [
    pytest.param("host/app", "host/APP", id="case"),
    pytest.param("host/app", "host/app.", id="dot"),
    pytest.param("host/app", "host/app/", id="slash"),
    pytest.param("host/app", "host/app2", id="prefix"),
    pytest.param("host/app", "host", id="parent"),
    pytest.param("host/app", "host/app\t", id="tab"),
    pytest.param("host/caf\u00e9", "host/CAF\u00c9", id="case-outside-ascii"),
    pytest.param("host/caf\u00e9", "host/cafe", id="accent"),
    pytest.param("host/caf\u00e9", "host/cafe\u0301", id="composed"),
    pytest.param("host/stra\u00dfe", "host/strasse", id="sharp-s"),
    pytest.param("host/a_p", "host/app", id="like-wildcard"),
]

OTHER_IDS = [
    pytest.param(str.upper, id="upper-case"),
    pytest.param(lambda key_id: key_id[:-1], id="prefix"),
    pytest.param(lambda key_id: key_id[:7], id="short-prefix"),
    pytest.param(lambda key_id: key_id + "0", id="longer"),
    pytest.param(lambda key_id: key_id + " ", id="trailing-space"),
    pytest.param(lambda key_id: "%", id="like-wildcard"),
    pytest.param(lambda key_id: "", id="empty"),
    pytest.param(lambda key_id: sha256(key_id.encode()).hexdigest(), id="another-key"),
]


def envelope(size: int, seed: int = 0) -> bytes:
    """A compact JWE by its looks: header, wrapped key, nonce, ciphertext of that size, tag."""
    random = Random(seed)
    header = b'{"alg":"PBES2-HS256+A128KW","enc":"A256GCM","p2c":8192,"p2s":"bm90IHNlY3JldA"}'
    parts = [header, *(random.randbytes(length) for length in (40, 12, size, 16))]
    return b".".join(urlsafe_b64encode(part).rstrip(b"=") for part in parts)


def sealed_key(
    number: int = 0, *, gun: str = GUN, role: str = "timestamp", algorithm: str = "ecdsa"
) -> SealedKey:
    """A key that never signed. Another number is another key; IDs have an order of their own."""
    public = f"public half {number}".encode()
    return SealedKey(
        key_id=sha256(public).hexdigest(),
        algorithm=algorithm,
        gun=gun,
        role=role,
        public=public,
        private=envelope(121, number),
        passphrase_alias="alias_2",
        keywrap_alg="PBES2-HS256+A128KW",
        encryption_alg="A256GCM",
    )


def in_order(*keys: SealedKey) -> list[SealedKey]:
    return sorted(keys, key=lambda key: key.key_id)


class TestKeyStore:
    def test_provides_the_interface(self, store: IKeyStore) -> None:
        verifyObject(IKeyStore, store)

    @ensureDeferred
    async def test_can_serve(self, store: IKeyStore) -> None:
        await store.check()

    @ensureDeferred
    async def test_holds_nothing_at_first(self, store: IKeyStore) -> None:
        key_id = sealed_key().key_id
        with pytest.raises(KeyNotStoredError, match=f"no key with the ID {key_id} is stored"):
            await store.by_id(key_id)
        assert list(await store.unused(GUN, "timestamp", "ecdsa")) == []


class TestAdd:
    @pytest.mark.parametrize(
        "key",
        [
            pytest.param(sealed_key(), id="timestamp"),
            pytest.param(sealed_key(role="snapshot", algorithm="ed25519"), id="snapshot"),
            pytest.param(
                attrs.evolve(
                    sealed_key(algorithm="rsa"),
                    public=Random(0).randbytes(294),
                    private=envelope(1193),
                ),
                id="rsa",
            ),
            pytest.param(sealed_key(gun="", role=""), id="for-nobody-knows-whom"),
            pytest.param(
                sealed_key(gun="host/caf\u00e9/\u043a\u0438\u0442/\u9be8\u20ac\uffe5"),
                id="gun-outside-ascii",
            ),
            pytest.param(sealed_key(gun="\u9be8" * 255, role="r" * 255), id="longest-names"),
            pytest.param(
                attrs.evolve(
                    sealed_key(),
                    passphrase_alias="Alias 1 " + "\u9be8" * 42,
                    keywrap_alg="PBES2-HS512+A256KW",
                    encryption_alg="A128CBC-HS256",
                ),
                id="other-encryption",
            ),
            pytest.param(
                attrs.evolve(sealed_key(), public=ALL_BYTES, private=ALL_BYTES * 8),
                id="all-bytes",
            ),
        ],
    )
    @ensureDeferred
    async def test_it_is_given_back_exactly(self, store: IKeyStore, key: SealedKey) -> None:
        await store.add(key)
        assert await store.by_id(key.key_id) == key
        assert list(await store.unused(key.gun, key.role, key.algorithm)) == [key]

    @ensureDeferred
    async def test_there_may_be_others(self, store: IKeyStore) -> None:
        keys = [sealed_key(number) for number in range(5)]
        for key in keys:
            await store.add(key)
        assert [await store.by_id(key.key_id) for key in keys] == keys

    @pytest.mark.parametrize("other", OTHER_IDS)
    @ensureDeferred
    async def test_it_has_no_other_id(self, store: IKeyStore, other: Callable[[str], str]) -> None:
        key = sealed_key()
        assert other(key.key_id) != key.key_id
        await store.add(key)
        with pytest.raises(KeyNotStoredError):
            await store.by_id(other(key.key_id))

    @pytest.mark.parametrize(
        ("key", "reason"),
        [
            pytest.param(sealed_key(gun="g" * 256), "the GUN 'g.*256 characters", id="gun-long"),
            pytest.param(sealed_key(gun=GUN + " "), "the GUN .*ends with a space", id="gun-space"),
            pytest.param(sealed_key(role="r" * 256), "the role 'r.*256 char", id="role-long"),
            pytest.param(sealed_key(role="r "), "the role 'r '.*ends with a", id="role-space"),
        ],
    )
    @ensureDeferred
    async def test_refuses_what_not_every_store_can_hold(
        self, store: IKeyStore, key: SealedKey, reason: str
    ) -> None:
        with pytest.raises(UnstorableError, match=reason):
            await store.add(key)
        with pytest.raises(KeyNotStoredError):
            await store.by_id(key.key_id)


class TestUnused:
    @ensureDeferred
    async def test_are_those_of_a_gun_role_and_algorithm(self, store: IKeyStore) -> None:
        wanted = [sealed_key(1), sealed_key(2)]
        others = [
            sealed_key(3, gun="docker.io/library/busybox"),
            sealed_key(4, role="snapshot"),
            sealed_key(5, algorithm="ed25519"),
            sealed_key(6, gun="", role=""),
        ]
        for key in [*others, *wanted]:
            await store.add(key)
        assert list(await store.unused(GUN, "timestamp", "ecdsa")) == in_order(*wanted)
        for key in others:
            assert list(await store.unused(key.gun, key.role, key.algorithm)) == [key]
        assert list(await store.unused(GUN, "snapshot", "ed25519")) == []

    @ensureDeferred
    async def test_are_the_first_few_by_id(self, store: IKeyStore) -> None:
        keys = [sealed_key(number) for number in range(MOST_UNUSED + 3)]
        assert in_order(*keys) != keys
        for key in keys:
            await store.add(key)
        found = await store.unused(GUN, "timestamp", "ecdsa")
        assert list(found) == in_order(*keys)[:MOST_UNUSED]

    @ensureDeferred
    async def test_are_not_crowded_out_by_used_or_deleted_ones(self, store: IKeyStore) -> None:
        keys = in_order(*(sealed_key(number) for number in range(2 * MOST_UNUSED + 2)))
        for key in keys:
            await store.add(key)
        for key in keys[:MOST_UNUSED]:
            await store.mark_used(key.key_id)
        for key in keys[MOST_UNUSED:-2]:
            await store.delete(key.key_id)
        assert list(await store.unused(GUN, "timestamp", "ecdsa")) == keys[-2:]

    @pytest.mark.parametrize(("one", "other"), LOOKALIKES)
    @ensureDeferred
    async def test_have_exactly_that_gun(self, store: IKeyStore, one: str, other: str) -> None:
        first, second = sealed_key(1, gun=one), sealed_key(2, gun=other)
        await store.add(first)
        assert list(await store.unused(other, "timestamp", "ecdsa")) == []
        await store.add(second)
        assert list(await store.unused(one, "timestamp", "ecdsa")) == [first]
        assert list(await store.unused(other, "timestamp", "ecdsa")) == [second]

    @pytest.mark.parametrize(("one", "other"), LOOKALIKES)
    @ensureDeferred
    async def test_have_exactly_that_role(self, store: IKeyStore, one: str, other: str) -> None:
        first, second = sealed_key(1, role=one), sealed_key(2, role=other)
        await store.add(first)
        assert list(await store.unused(GUN, other, "ecdsa")) == []
        await store.add(second)
        assert list(await store.unused(GUN, one, "ecdsa")) == [first]
        assert list(await store.unused(GUN, other, "ecdsa")) == [second]

    @pytest.mark.parametrize("algorithm", ["ECDSA", "ecdsa ", "ecds", "ecdsa2", "", "%"])
    @ensureDeferred
    async def test_have_exactly_that_algorithm(self, store: IKeyStore, algorithm: str) -> None:
        await store.add(sealed_key())
        assert list(await store.unused(GUN, "timestamp", algorithm)) == []

    @ensureDeferred
    async def test_trailing_spaces(self, store: IKeyStore) -> None:
        await store.add(sealed_key())
        assert list(await store.unused(GUN + " ", "timestamp", "ecdsa")) == []
        assert list(await store.unused(GUN, "timestamp ", "ecdsa")) == []


class TestMarkUsed:
    @ensureDeferred
    async def test_a_key_is_not_unused_any_more(self, store: IKeyStore) -> None:
        key, other = sealed_key(1), sealed_key(2)
        await store.add(key)
        await store.add(other)
        await store.mark_used(key.key_id)
        assert await store.by_id(key.key_id) == attrs.evolve(key, used=True)
        assert await store.by_id(other.key_id) == other
        assert list(await store.unused(GUN, "timestamp", "ecdsa")) == [other]

    @ensureDeferred
    async def test_may_be_done_again(self, store: IKeyStore) -> None:
        key = sealed_key()
        await store.add(key)
        await store.mark_used(key.key_id)
        await store.mark_used(key.key_id)
        assert await store.by_id(key.key_id) == attrs.evolve(key, used=True)
        assert list(await store.unused(GUN, "timestamp", "ecdsa")) == []

    @pytest.mark.parametrize("other", OTHER_IDS)
    @ensureDeferred
    async def test_a_key_that_is_not_there(
        self, store: IKeyStore, other: Callable[[str], str]
    ) -> None:
        key = sealed_key()
        await store.add(key)
        await store.mark_used(other(key.key_id))
        assert await store.by_id(key.key_id) == key
        with pytest.raises(KeyNotStoredError):
            await store.by_id(other(key.key_id))


class TestDelete:
    @ensureDeferred
    async def test_hides_a_key(self, store: IKeyStore) -> None:
        key, other = sealed_key(1), sealed_key(2)
        await store.add(key)
        await store.add(other)
        await store.delete(key.key_id)
        with pytest.raises(KeyNotStoredError, match=key.key_id):
            await store.by_id(key.key_id)
        assert await store.by_id(other.key_id) == other
        assert list(await store.unused(GUN, "timestamp", "ecdsa")) == [other]

    @ensureDeferred
    async def test_hides_a_key_that_signed(self, store: IKeyStore) -> None:
        key = sealed_key()
        await store.add(key)
        await store.mark_used(key.key_id)
        await store.delete(key.key_id)
        with pytest.raises(KeyNotStoredError):
            await store.by_id(key.key_id)

    @ensureDeferred
    async def test_is_for_good(self, store: IKeyStore) -> None:
        key = sealed_key()
        await store.add(key)
        await store.delete(key.key_id)
        await store.delete(key.key_id)
        await store.mark_used(key.key_id)
        with pytest.raises(KeyNotStoredError):
            await store.by_id(key.key_id)
        assert list(await store.unused(GUN, "timestamp", "ecdsa")) == []

    @pytest.mark.parametrize("other", OTHER_IDS)
    @ensureDeferred
    async def test_a_key_that_is_not_there(
        self, store: IKeyStore, other: Callable[[str], str]
    ) -> None:
        key = sealed_key()
        await store.add(key)
        await store.delete(other(key.key_id))
        assert await store.by_id(key.key_id) == key
