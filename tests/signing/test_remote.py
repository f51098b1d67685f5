"""A signer over the network: what becomes of calls, above all of those that go wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet.defer import Deferred, gatherResults, succeed
from twisted.internet.task import deferLater

from notary.signing.interfaces import KeyNotHeldError, SignerUnavailableError, UnsignableError
from notary.signing.private_keys import ALGORITHMS, PrivateKey
from notary.signing.remote import RemoteSigner
from notary.signing.signer_pb2 import (
    GetKeyInfoResponse,
    HealthCheckResponse,
    Request,
    Response,
    Status,
    Void,
)
from notary.signing.signer_pb2 import PublicKey as MadeKey
from notary.signing.wire import MAX_FRAME, Code
from notary.tuf.keys import ECDSA, ED25519, PublicKey
from tests.signing.loopback import CLOCK, HOST, Dial, ListeningSigner, trouble, until

GUN = "docker.io/library/alpine"
TIMESTAMP = "timestamp"
PAYLOAD = b'{"_type":"Timestamp"}'
LARGEST = MAX_FRAME - 4096
SHORT = 0.25
"""Seconds that a call may take which is not going to be answered."""

Answer = Callable[[Request], Deferred[Response]]

KEY = PrivateKey.generate(ED25519).public
METHODS: dict[str, Callable[[RemoteSigner], Deferred[Any]]] = {
    "create_key": lambda remote: remote.create_key(GUN, TIMESTAMP),
    "get_key_info": lambda remote: remote.public_key(KEY.key_id),
    "sign": lambda remote: remote.sign(GUN, TIMESTAMP, KEY.key_id, PAYLOAD),
    "check_health": lambda remote: remote.check(),
}
every_method = pytest.mark.parametrize("method", METHODS)


@pytest.fixture
def remote(dial: Dial) -> RemoteSigner:
    return dial()


class TestLosses:
    @ensureDeferred
    async def test_a_call_whose_connection_is_lost_is_made_on_another(
        self, listening: ListeningSigner, remote: RemoteSigner
    ) -> None:
        key = await remote.create_key(GUN, TIMESTAMP)
        listening.calls.hang()
        signing = remote.sign(GUN, TIMESTAMP, key.key_id, PAYLOAD)
        await until(lambda: "sign" in listening.calls.asked)
        listening.calls.instead = None
        listening.drop_connections(busy_only=True)
        made = await signing
        assert key.verifies(made.method, made.signature, PAYLOAD)
        assert listening.calls.asked == ["create_key", "sign", "sign"]

    @ensureDeferred
    async def test_all_connections_may_be_lost(
        self, listening: ListeningSigner, remote: RemoteSigner
    ) -> None:
        await remote.create_key(GUN, TIMESTAMP)
        listening.calls.hang()
        waiting = [remote.create_key(f"{GUN}/{number}", TIMESTAMP) for number in range(20)]
        await until(lambda: len(listening.calls.asked) == 21)
        listening.calls.instead = None
        listening.drop_connections()
        keys = await gatherResults(waiting)
        assert len({key.key_id for key in keys}) == 20

    @ensureDeferred
    async def test_a_signer_that_starts_again_is_found_again(
        self, listening: ListeningSigner, remote: RemoteSigner
    ) -> None:
        key = await remote.create_key(GUN, TIMESTAMP)
        for _ in range(2):
            await listening.stop()
            listening.start()
            made = await remote.sign(GUN, TIMESTAMP, key.key_id, PAYLOAD)
            assert key.verifies(made.method, made.signature, PAYLOAD)

    @ensureDeferred
    async def test_calls_wait_for_a_signer_that_is_just_starting(
        self, listening: ListeningSigner, remote: RemoteSigner
    ) -> None:
        key = await remote.create_key(GUN, TIMESTAMP)
        await listening.stop()
        asking = remote.public_key(key.key_id)
        await deferLater(CLOCK, SHORT)
        assert not asking.called
        listening.start()
        assert await asking == key


class TestDeadlines:
    def hurried(self, remote: RemoteSigner) -> RemoteSigner:
        """One that has little time, over the same connections."""
        return RemoteSigner(remote._connections, ED25519, SHORT, CLOCK)

    @every_method
    @ensureDeferred
    async def test_a_call_that_is_not_answered_fails(
        self, listening: ListeningSigner, remote: RemoteSigner, method: str
    ) -> None:
        assert await trouble(remote) is None
        listening.calls.hang()
        with pytest.raises(SignerUnavailableError) as caught:
            await METHODS[method](self.hurried(remote))
        assert str(caught.value) == (
            f"the signer at {HOST}:{listening.port} did not answer within {SHORT} seconds"
        )
        assert listening.calls.asked[-1] == method
        listening.calls.instead = None
        assert await trouble(remote) is None

    @ensureDeferred
    async def test_waiting_for_a_connection_counts(
        self, listening: ListeningSigner, remote: RemoteSigner
    ) -> None:
        await listening.stop()
        with pytest.raises(SignerUnavailableError, match=f"did not answer within {SHORT} seconds"):
            await self.hurried(remote).create_key(GUN, TIMESTAMP)

    @ensureDeferred
    async def test_the_deadline_is_that_of_all_attempts(
        self, listening: ListeningSigner, remote: RemoteSigner
    ) -> None:
        assert await trouble(remote) is None

        def lose_it(_: Request) -> Deferred[Response]:
            CLOCK.callLater(0, lambda: listening.drop_connections(busy_only=True))
            return Deferred()

        listening.calls.instead = lose_it
        with pytest.raises(SignerUnavailableError, match=f"did not answer within {SHORT} seconds"):
            await self.hurried(remote).create_key(GUN, TIMESTAMP)
        assert listening.calls.asked.count("create_key") > 1


class TestAnswers:
    @pytest.mark.parametrize("method", ["get_key_info", "sign"])
    @ensureDeferred
    async def test_a_key_that_is_not_there(
        self, listening: ListeningSigner, remote: RemoteSigner, method: str
    ) -> None:
        assert await trouble(remote) is None
        listening.calls.instead = failing(Code.NOT_FOUND, "no such key")
        with pytest.raises(KeyNotHeldError, match=r"^no such key$"):
            await METHODS[method](remote)

    @every_method
    @ensureDeferred
    async def test_everything_else_that_is_wrong(
        self, listening: ListeningSigner, remote: RemoteSigner, method: str
    ) -> None:
        """Codes that nobody knows too: a newer signer may have some."""
        assert await trouble(remote) is None
        for code in (*(set(Code) - {Code.NOT_FOUND}), 0, 2, 99):
            listening.calls.instead = failing(code, f"reason {code}")
            with pytest.raises(SignerUnavailableError) as caught:
                await METHODS[method](remote)
            assert str(caught.value) == f"the signer at {HOST}:{listening.port}: reason {code}"

    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    @ensureDeferred
    async def test_a_new_key_of_another_kind_is_refused(
        self, listening: ListeningSigner, dial: Dial, algorithm: str
    ) -> None:
        other = ECDSA if algorithm == ED25519 else ED25519
        listening.calls.instead = made(PrivateKey.generate(other).public)
        with pytest.raises(SignerUnavailableError, match=f"^the signer made a key for '{other}'$"):
            await dial(algorithm).create_key(GUN, TIMESTAMP)

    @pytest.mark.parametrize(
        "answered",
        [PrivateKey.generate(ED25519).public, PublicKey(ECDSA, KEY.public), PublicKey("", b"")],
    )
    @ensureDeferred
    async def test_a_key_that_was_not_asked_for_is_refused(
        self, listening: ListeningSigner, remote: RemoteSigner, answered: PublicKey
    ) -> None:
        listening.calls.instead = found(answered)
        with pytest.raises(SignerUnavailableError, match=r"^the signer answered with another key$"):
            await remote.public_key(KEY.key_id)

    @ensureDeferred
    async def test_a_key_that_was_asked_for_is_not(
        self, listening: ListeningSigner, remote: RemoteSigner
    ) -> None:
        listening.calls.instead = found(KEY)
        assert await remote.public_key(KEY.key_id) == KEY

    @pytest.mark.parametrize("method", ["create_key", "get_key_info"])
    @ensureDeferred
    async def test_an_answer_to_something_else_is_refused(
        self, listening: ListeningSigner, remote: RemoteSigner, method: str
    ) -> None:
        listening.calls.instead = lambda request: succeed(
            Response(id=request.id, delete_key=Void())
        )
        with pytest.raises(SignerUnavailableError):
            await METHODS[method](remote)


class TestPayloads:
    @ensureDeferred
    async def test_the_largest(self, listening: ListeningSigner, remote: RemoteSigner) -> None:
        key = await remote.create_key(GUN, TIMESTAMP)
        payload = b"x" * LARGEST
        signature = await remote.sign(GUN, TIMESTAMP, key.key_id, payload)
        assert key.verifies(signature.method, signature.signature, payload)

    @ensureDeferred
    async def test_one_that_is_larger_is_not_sent(
        self, listening: ListeningSigner, remote: RemoteSigner
    ) -> None:
        key = await remote.create_key(GUN, TIMESTAMP)
        with pytest.raises(UnsignableError) as caught:
            await remote.sign(GUN, TIMESTAMP, key.key_id, b"x" * (LARGEST + 1))
        assert str(caught.value) == (
            f"the timestamp has {LARGEST + 1} bytes, the signer takes {LARGEST}"
        )
        assert listening.calls.asked == ["create_key"]


class TestHealth:
    @ensureDeferred
    async def test_asks_the_signer(self, listening: ListeningSigner, remote: RemoteSigner) -> None:
        await remote.create_key(GUN, TIMESTAMP)
        await remote.check()
        assert listening.calls.asked == ["create_key", "check_health"]

    @pytest.mark.parametrize(
        "answer",
        [
            {"check_health": HealthCheckResponse(status="NOT_SERVING")},
            {"check_health": HealthCheckResponse(status="SERVICE_UNKNOWN")},
            {"check_health": HealthCheckResponse()},
            {"delete_key": Void()},
        ],
    )
    @ensureDeferred
    async def test_a_signer_that_is_not_ready(
        self, listening: ListeningSigner, remote: RemoteSigner, answer: dict[str, Any]
    ) -> None:
        assert await trouble(remote) is None
        listening.calls.instead = lambda request: succeed(Response(id=request.id, **answer))
        with pytest.raises(SignerUnavailableError) as caught:
            await remote.check()
        assert str(caught.value) == f"the signer at {HOST}:{listening.port} is not ready"

    @ensureDeferred
    async def test_does_not_wait_for_a_connection(
        self, listening: ListeningSigner, remote: RemoteSigner
    ) -> None:
        """Others do, for a while: but who asks for the health wants to know how it is now."""
        with pytest.raises(SignerUnavailableError) as caught:
            await remote.check()
        assert str(caught.value) == (
            f"the signer at {HOST}:{listening.port} cannot be reached: "
            "no connection has been made yet"
        )


def failing(code: int, message: str) -> Answer:
    """Tell what is wrong."""
    return lambda request: succeed(
        Response(id=request.id, error=Status(code=code, message=message))
    )


def made(key: PublicKey) -> Answer:
    """Answer with a key that was made."""
    answer = _filled_in(MadeKey(), key)
    return lambda request: succeed(Response(id=request.id, create_key=answer))


def found(key: PublicKey) -> Answer:
    """Answer with a key that is held."""
    answer = _filled_in(GetKeyInfoResponse(), key)
    return lambda request: succeed(Response(id=request.id, get_key_info=answer))


def _filled_in(answer: Any, key: PublicKey) -> Any:
    answer.keyInfo.keyID.ID = key.key_id
    answer.keyInfo.algorithm.algorithm = key.type
    answer.publicKey = key.public
    return answer
