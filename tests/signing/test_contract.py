"""What every signer has to do: each sentence of `ISigner`."""

from __future__ import annotations

import pytest
import pytest_twisted
from pytest_twisted import ensureDeferred
from twisted.internet.defer import Deferred
from zope.interface.verify import verifyObject

from notary.signing.interfaces import ISigner, KeyNotHeldError
from notary.signing.local import LocalSigner
from notary.signing.private_keys import ALGORITHMS
from tests.signing.loopback import Dial, trouble

GUN = "docker.io/library/alpine"
TIMESTAMP = "timestamp"
PAYLOAD = b'{"_type":"Timestamp"}'
UNKNOWN = "0" * 64


@pytest.fixture(params=["local", *(f"remote-{algorithm}" for algorithm in ALGORITHMS)])
def signer(request: pytest.FixtureRequest) -> ISigner:
    """Each of the signers, without any keys; those behind a connection with each kind of key."""
    _, _, algorithm = request.param.partition("-")
    if not algorithm:
        return LocalSigner()
    dial: Dial = request.getfixturevalue("dial")
    remote = dial(algorithm)
    assert pytest_twisted.blockon(Deferred.fromCoroutine(trouble(remote))) is None
    return remote


class TestSigner:
    def test_provides_the_interface(self, signer: ISigner) -> None:
        verifyObject(ISigner, signer)

    @ensureDeferred
    async def test_can_serve(self, signer: ISigner) -> None:
        await signer.check()

    @ensureDeferred
    async def test_signs_with_the_keys_it_makes(self, signer: ISigner) -> None:
        key = await signer.create_key(GUN, TIMESTAMP)
        made = await signer.sign(GUN, TIMESTAMP, key.canonical_id, PAYLOAD)
        assert key.verifies(made.method, made.signature, PAYLOAD)
        assert not key.verifies(made.method, made.signature, PAYLOAD + b" ")

    @ensureDeferred
    async def test_gives_out_bare_public_keys(self, signer: ISigner) -> None:
        key = await signer.create_key(GUN, TIMESTAMP)
        assert key.key_id == key.canonical_id
        assert await signer.public_key(key.canonical_id) == key

    @ensureDeferred
    async def test_gives_an_unused_key_again(self, signer: ISigner) -> None:
        first = await signer.create_key(GUN, TIMESTAMP)
        assert await signer.create_key(GUN, TIMESTAMP) == first

    @ensureDeferred
    async def test_makes_a_new_key_once_the_last_has_signed(self, signer: ISigner) -> None:
        first = await signer.create_key(GUN, TIMESTAMP)
        await signer.sign(GUN, TIMESTAMP, first.canonical_id, PAYLOAD)
        second = await signer.create_key(GUN, TIMESTAMP)
        assert second != first
        assert await signer.create_key(GUN, TIMESTAMP) == second
        for key in (first, second):
            made = await signer.sign(GUN, TIMESTAMP, key.canonical_id, PAYLOAD)
            assert key.verifies(made.method, made.signature, PAYLOAD)

    @ensureDeferred
    async def test_an_older_key_that_signs_again_changes_nothing(self, signer: ISigner) -> None:
        first = await signer.create_key(GUN, TIMESTAMP)
        await signer.sign(GUN, TIMESTAMP, first.canonical_id, PAYLOAD)
        second = await signer.create_key(GUN, TIMESTAMP)
        await signer.sign(GUN, TIMESTAMP, first.canonical_id, PAYLOAD)
        assert await signer.create_key(GUN, TIMESTAMP) == second

    @ensureDeferred
    async def test_makes_keys_for_one_collection_and_role_each(self, signer: ISigner) -> None:
        keys = [
            await signer.create_key(gun, role)
            for gun in (GUN, f"{GUN}/more")
            for role in (TIMESTAMP, "snapshot")
        ]
        assert len({key.public for key in keys}) == 4

    @pytest.mark.parametrize(
        ("gun", "role"), [(f"{GUN}/more", TIMESTAMP), (GUN, "snapshot"), ("", "")]
    )
    @ensureDeferred
    async def test_signs_for_nobody_else(self, signer: ISigner, gun: str, role: str) -> None:
        key = await signer.create_key(GUN, TIMESTAMP)
        with pytest.raises(KeyNotHeldError, match=key.canonical_id):
            await signer.sign(gun, role, key.canonical_id, PAYLOAD)
        assert await signer.create_key(GUN, TIMESTAMP) == key

    @pytest.mark.parametrize("key_id", [UNKNOWN, "", "x" * 5000])
    @ensureDeferred
    async def test_does_not_know_other_keys(self, signer: ISigner, key_id: str) -> None:
        await signer.create_key(GUN, TIMESTAMP)
        for asked in (signer.public_key(key_id), signer.sign(GUN, TIMESTAMP, key_id, PAYLOAD)):
            with pytest.raises(KeyNotHeldError) as caught:
                await asked
            assert len(str(caught.value)) < 300

    @pytest.mark.parametrize("payload", [b"", b"x" * 5_000_000])
    @ensureDeferred
    async def test_signs_payloads_of_any_size(self, signer: ISigner, payload: bytes) -> None:
        key = await signer.create_key(GUN, TIMESTAMP)
        made = await signer.sign(GUN, TIMESTAMP, key.canonical_id, payload)
        assert key.verifies(made.method, made.signature, payload)
        assert made.signature.hex() not in repr(made)
