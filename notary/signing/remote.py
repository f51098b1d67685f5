"""The signer in another process, over the network."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from notary.signing.client import CallLostError
from notary.signing.connections import PATIENCE, SignerConnections
from notary.signing.interfaces import (
    ISigner,
    KeyNotHeldError,
    RawSignature,
    SignerUnavailableError,
    UnsignableError,
)
from notary.signing.signer_pb2 import HealthCheckResponse, KeyInfo, Request, Response
from notary.signing.wire import MAX_FRAME, Code
from notary.tuf.keys import PublicKey

T = TypeVar("T")

_LARGEST_PAYLOAD = MAX_FRAME - 4096
"""Bytes that leave room for the rest of a message."""


@implementer(ISigner)
class RemoteSigner:
    """Has a notary-signer sign.

    All calls may be made again: a key that never signed is given out again, and signatures can be
    made any number of times. So a call whose connection is lost is made anew on another one.

    Args:
        connections: to the signer.
        algorithm: of the keys that are made: ``ecdsa``, ``ed25519`` or ``rsa``.
        timeout: seconds that a call may take in all.
        clock: runs the time-outs.
    """

    def __init__(
        self, connections: SignerConnections, algorithm: str, timeout: float, clock: IReactorTime
    ) -> None:
        self._connections = connections
        self._algorithm = algorithm
        self._timeout = timeout
        self._clock = clock

    def create_key(self, gun: str, role: str) -> Deferred[PublicKey]:
        """See `ISigner.create_key`."""
        return self._within_time(self._create_key(gun, role))

    async def _create_key(self, gun: str, role: str) -> PublicKey:
        def fill_in(request: Request) -> None:
            request.create_key.algorithm = self._algorithm
            request.create_key.gun = gun
            request.create_key.role = role

        made = (await self._call(fill_in)).create_key
        key = _public_key(made.keyInfo, made.publicKey)
        if key.type != self._algorithm:
            raise SignerUnavailableError(f"the signer made a key for {key.type[:40]!r}")
        return key

    def public_key(self, key_id: str) -> Deferred[PublicKey]:
        """See `ISigner.public_key`."""
        return self._within_time(self._public_key(key_id))

    async def _public_key(self, key_id: str) -> PublicKey:
        def fill_in(request: Request) -> None:
            request.get_key_info.ID = key_id

        held = (await self._call(fill_in)).get_key_info
        key = _public_key(held.keyInfo, held.publicKey)
        if key.key_id != key_id:
            raise SignerUnavailableError("the signer answered with another key")
        return key

    def sign(self, gun: str, role: str, key_id: str, payload: bytes) -> Deferred[RawSignature]:
        """See `ISigner.sign`."""
        return self._within_time(self._sign(gun, role, key_id, payload))

    async def _sign(self, gun: str, role: str, key_id: str, payload: bytes) -> RawSignature:
        if len(payload) > _LARGEST_PAYLOAD:
            raise UnsignableError(
                f"the {role} has {len(payload)} bytes, the signer takes {_LARGEST_PAYLOAD}"
            )

        def fill_in(request: Request) -> None:
            request.sign.keyID.ID = key_id
            request.sign.gun = gun
            request.sign.role = role
            request.sign.content = payload

        made = (await self._call(fill_in)).sign
        return RawSignature(made.algorithm.algorithm, made.content)

    def check(self) -> Deferred[None]:
        """See `ISigner.check`."""
        return self._within_time(self._check())

    async def _check(self) -> None:
        answer = await self._call(lambda request: request.check_health.SetInParent(), patience=0)
        if answer.check_health.status != HealthCheckResponse.SERVING:
            raise SignerUnavailableError(f"the signer at {self._connections} is not ready")

    def _within_time(self, work: Coroutine[Any, Any, T]) -> Deferred[T]:
        def too_late(_result: object, timeout: float) -> T:
            raise SignerUnavailableError(
                f"the signer at {self._connections} did not answer within {timeout} seconds"
            )

        return Deferred.fromCoroutine(work).addTimeout(self._timeout, self._clock, too_late)

    async def _call(
        self, fill_in: Callable[[Request], object], patience: float = PATIENCE
    ) -> Response:
        """Make a call until it is answered.

        Raises:
            KeyNotHeldError: the signer holds no such key.
            SignerUnavailableError: it cannot be reached, or cannot do what it is asked to now.
        """
        while True:
            connection = await self._connections.best(patience)
            try:
                response = await connection.call(fill_in)
            except CallLostError:
                continue
            if response.WhichOneof("result") != "error":
                return response
            error = response.error
            if error.code == Code.NOT_FOUND:
                raise KeyNotHeldError(error.message)
            raise SignerUnavailableError(f"the signer at {self._connections}: {error.message}")


def _public_key(info: KeyInfo, public: bytes) -> PublicKey:
    return PublicKey(info.algorithm.algorithm, public)
