"""Having drafts signed: by whom, and when that is not enough."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from pytest_twisted import ensureDeferred
from zope.interface.verify import verifyObject

from notary.signing.drafts import sign_draft
from notary.signing.interfaces import ISigner, KeyNotHeldError, SignerUnavailableError
from notary.signing.local import LocalSigner
from notary.tuf.drafts import Draft
from notary.tuf.errors import SignatureError
from notary.tuf.files import RoleKeys
from notary.tuf.keys import PublicKey
from notary.tuf.metadata import Metadata
from tests.support.fakes import HeldSigner, SwitchedSigner, WrongSigner
from tests.support.forge import Key

GUN = "docker.io/library/alpine"
PAYLOAD = b'{"_type":"Timestamp","version":1}'
FOREIGN = PublicKey.from_json(Key.generate().public_json())
UNREADABLE = PublicKey("ecdsa-x509", b"nothing")


def draft(*keys: PublicKey, threshold: int = 1) -> Draft:
    by_id: Mapping[str, Any] = {key.key_id: key for key in keys}
    return Draft("timestamp", 1, {}, PAYLOAD, RoleKeys(by_id, threshold))


async def make_keys(signer: ISigner, count: int) -> list[PublicKey]:
    keys = []
    for _ in range(count):
        keys.append(await signer.create_key(GUN, "timestamp"))
        await signer.sign(GUN, "timestamp", keys[-1].canonical_id, b"")
    return keys


@pytest.fixture
def signer() -> LocalSigner:
    return LocalSigner()


@ensureDeferred
async def test_every_key_that_is_held_signs(signer: LocalSigner) -> None:
    keys = await make_keys(signer, 2)
    data = await sign_draft(signer, GUN, draft(*keys, FOREIGN, UNREADABLE))
    file = Metadata.parse(data)
    assert file.payload == PAYLOAD
    assert [signature.key_id for signature in file.signatures] == [key.key_id for key in keys]
    file.check_signatures("timestamp", {key.key_id: key for key in keys}, 2)


@pytest.mark.parametrize(("held", "threshold"), [(0, 1), (1, 2), (2, 3)])
@ensureDeferred
async def test_too_few_keys_are_not_enough(signer: LocalSigner, held: int, threshold: int) -> None:
    keys = await make_keys(signer, held)
    with pytest.raises(KeyNotHeldError) as caught:
        await sign_draft(signer, GUN, draft(*keys, FOREIGN, UNREADABLE, threshold=threshold))
    assert str(caught.value) == (
        f"the signer holds {held} of the {threshold} keys that timestamp needs"
    )


@ensureDeferred
async def test_a_signer_that_is_away_is_not_one_without_keys(signer: LocalSigner) -> None:
    keys = await make_keys(signer, 1)
    switched = SwitchedSigner(signer)
    switched.away = True
    with pytest.raises(SignerUnavailableError):
        await sign_draft(switched, GUN, draft(*keys))


@ensureDeferred
async def test_signatures_are_checked(signer: LocalSigner) -> None:
    keys = await make_keys(signer, 1)
    with pytest.raises(SignatureError):
        await sign_draft(WrongSigner(signer), GUN, draft(*keys))


@pytest.mark.parametrize("fake", [SwitchedSigner, HeldSigner, WrongSigner])
@ensureDeferred
async def test_fakes_provide_the_interface(signer: LocalSigner, fake: Any) -> None:
    made: ISigner = fake(signer)
    verifyObject(ISigner, made)
    key = await made.create_key(GUN, "timestamp")
    assert await made.public_key(key.key_id) == key
    assert (await made.sign(GUN, "timestamp", key.key_id, PAYLOAD)).method == "eddsa"
    await made.check()
