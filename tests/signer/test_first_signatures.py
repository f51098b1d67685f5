"""A key's first signature: noted before anybody gets it, so that it does not pass for unused."""

from __future__ import annotations

import pytest
from twisted.internet.defer import gatherResults
from twisted.logger import capturedLogs

from notary.signer.vault import MARK_TIMEOUT, OPEN_SECONDS
from notary.signing.interfaces import KeyNotHeldError
from notary.tuf.names import SNAPSHOT, TIMESTAMP
from tests.server.harness import result_of
from tests.signer.fakes import AWAY
from tests.signer.harness import GUN, PAYLOAD, Signer, made, messages, used


def test_is_noted_before_it_is_given_out(signer: Signer) -> None:
    key = made(signer)
    signer.store.hanging.add("mark_used")
    signing = signer.sign(key)
    assert not signing.called
    signer.store.let_go()
    signature = result_of(signing)
    assert key.verifies(signature.method, signature.signature, PAYLOAD)
    assert result_of(signer.store.inner.by_id(key.key_id)).used


def test_is_noted_once(signer: Signer) -> None:
    key = used(signer)
    result_of(signer.sign(key))
    assert signer.store.times("mark_used") == 1
    other = signer.another()
    result_of(other.sign(key))
    assert other.store.times("mark_used") == 0


def test_is_none_if_it_is_refused(signer: Signer) -> None:
    key = made(signer)
    with pytest.raises(KeyNotHeldError):
        result_of(signer.sign(key, role=SNAPSHOT))
    assert signer.store.times("mark_used") == 0


@pytest.mark.parametrize(
    ("hangs", "reason"),
    [(False, "the database is away"), (True, f"no answer within {MARK_TIMEOUT} seconds")],
)
def test_is_given_out_even_if_it_cannot_be_noted(signer: Signer, hangs: bool, reason: str) -> None:
    key = made(signer)
    with capturedLogs() as events:
        if hangs:
            signer.store.hanging.add("mark_used")
        else:
            signer.store.failures["mark_used"] = AWAY
        signing = signer.sign(key)
        signer.clock.advance(MARK_TIMEOUT - 0.1)
        assert signing.called is not hangs
        signer.clock.advance(0.1)
        signature = result_of(signing)
    assert key.verifies(signature.method, signature.signature, PAYLOAD)
    (warning,) = messages(events, "warning")
    assert warning.startswith(f"the key {key.key_id} has signed for {TIMESTAMP} of {GUN}, ")
    assert warning.endswith(f": {reason}")


def test_an_unnoted_one_is_remembered(signer: Signer) -> None:
    key = made(signer)
    signer.store.failures["mark_used"] = AWAY
    result_of(signer.sign(key))
    signer.store.failures.clear()
    assert made(signer) != key
    result_of(signer.sign(key))
    assert signer.store.times("mark_used") == 1


def test_noting_is_tried_anew_after_the_key_was_forgotten(signer: Signer) -> None:
    key = made(signer)
    signer.store.failures["mark_used"] = AWAY
    result_of(signer.sign(key))
    signer.store.failures.clear()
    signer.clock.advance(OPEN_SECONDS)
    result_of(signer.sign(key))
    assert result_of(signer.store.inner.by_id(key.key_id)).used


def test_several_at_once(signer: Signer) -> None:
    key = made(signer)
    signer.store.hanging.add("mark_used")
    signing = gatherResults([signer.sign(key) for _ in range(3)])
    signer.store.let_go()
    assert len(result_of(signing)) == 3
    assert made(signer) != key
