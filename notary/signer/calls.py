"""Answering calls: what is asked for, who asked, and what is told when something is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from typing import Any

from google.protobuf.message import Message
from twisted.internet.interfaces import IReactorTime

from notary.signer.call_log import Caller, log_done, log_failed, log_refused
from notary.signer.passphrases import PassphraseError
from notary.signer.vault import KeyVault, LockedKeyError
from notary.signing.interfaces import KeyNotHeldError
from notary.signing.private_keys import check_algorithm
from notary.signing.signer_pb2 import (
    Algorithm,
    CreateKeyRequest,
    GetKeyInfoResponse,
    HealthCheckRequest,
    HealthCheckResponse,
    KeyID,
    KeyInfo,
    PublicKey,
    Request,
    Response,
    Signature,
    SignatureRequest,
    Status,
    Void,
)
from notary.signing.wire import Code
from notary.storage.interfaces import StoreUnavailableError, UnstorableError
from notary.tuf import keys
from notary.tuf.errors import InvalidGUNError, InvalidKeyError
from notary.tuf.names import SNAPSHOT, TIMESTAMP, check_gun

_KEY_ID = re.compile("[0-9a-f]{64}", re.ASCII)
_SHOWN = 80

_ROLES = (SNAPSHOT, TIMESTAMP)


class CallError(Exception):
    """A call asks for what the signer does not do."""


_CODES: dict[type[Exception], Code] = {
    CallError: Code.INVALID_ARGUMENT,
    KeyNotHeldError: Code.NOT_FOUND,
    InvalidGUNError: Code.INVALID_ARGUMENT,
    InvalidKeyError: Code.INVALID_ARGUMENT,
    UnstorableError: Code.INVALID_ARGUMENT,
    StoreUnavailableError: Code.UNAVAILABLE,
    PassphraseError: Code.INTERNAL,
    LockedKeyError: Code.INTERNAL,
}


def error_response(call_id: int, code: Code, message: str) -> Response:
    """Return the answer that tells what is wrong."""
    text = message.encode(errors="backslashreplace").decode()  # it may hold the name of a file
    return Response(id=call_id, error=Status(code=code, message=text))


class Calls:
    """Answers calls from the vault, and logs them.

    Args:
        vault: holds the keys.
        clock: tells how long calls take.
    """

    def __init__(self, vault: KeyVault, clock: IReactorTime) -> None:
        self._vault = vault
        self._clock = clock
        self._methods: dict[str | None, Callable[[Any], Coroutine[Any, Any, Message]]] = {
            "create_key": self._create_key,
            "delete_key": self._delete_key,
            "get_key_info": self._get_key_info,
            "sign": self._sign,
            "check_health": self._check_health,
        }

    async def answer(self, request: Request, peer: Caller) -> Response:
        """Answer a call, whatever is wrong with it.

        Args:
            request: the call.
            peer: who asks, for the log.
        """
        began = self._clock.seconds()
        kind = request.WhichOneof("call")
        if kind is None:
            message = "this version of the signer has no such call"
            log_refused(request, peer, 0.0, Code.UNIMPLEMENTED, message)
            return error_response(request.id, Code.UNIMPLEMENTED, message)
        try:
            result: Any = await self._methods[kind](getattr(request, kind))
        except tuple(_CODES) as error:
            code = next(code for known, code in _CODES.items() if isinstance(error, known))
            log_refused(request, peer, self._clock.seconds() - began, code, str(error))
            return error_response(request.id, code, str(error))
        except Exception:
            log_failed(request, peer, self._clock.seconds() - began)
            message = "the signer failed; its log says more"
            return error_response(request.id, Code.INTERNAL, message)
        log_done(request, peer, self._clock.seconds() - began, result)
        return Response(id=request.id, **{kind: result})

    async def _create_key(self, call: CreateKeyRequest) -> PublicKey:
        check_gun(call.gun)
        if call.role not in _ROLES:
            raise CallError(f"there are no keys for the role {call.role[:_SHOWN]!r} here")
        check_algorithm(call.algorithm)
        public = await self._vault.create_key(call.gun, call.role, call.algorithm)
        return PublicKey(keyInfo=_key_info(public), publicKey=public.public)

    async def _delete_key(self, call: KeyID) -> Void:
        await self._vault.delete_key(_checked(call))
        return Void()

    async def _get_key_info(self, call: KeyID) -> GetKeyInfoResponse:
        public, role = await self._vault.public_key(_checked(call))
        return GetKeyInfoResponse(keyInfo=_key_info(public), publicKey=public.public, role=role)

    async def _sign(self, call: SignatureRequest) -> Signature:
        key_id = _checked(call.keyID)
        if call.role not in _ROLES:
            role = call.role[:_SHOWN]
            raise KeyNotHeldError(f"no key with the ID {key_id} is held for the role {role!r}")
        check_gun(call.gun)
        made = await self._vault.sign(call.gun, call.role, key_id, call.content)
        return Signature(
            keyInfo=KeyInfo(keyID=call.keyID),
            algorithm=Algorithm(algorithm=made.method),
            content=made.signature,
        )

    async def _check_health(self, call: HealthCheckRequest) -> HealthCheckResponse:
        if call.service:
            raise KeyNotHeldError(f"there is no service {call.service[:_SHOWN]!r} here")
        await self._vault.check()
        return HealthCheckResponse(status=HealthCheckResponse.SERVING)


def _checked(key: KeyID) -> str:
    """Return a key ID. One that cannot be any is not looked up, nor quoted at length."""
    if not _KEY_ID.fullmatch(key.ID):
        raise KeyNotHeldError(f"no key with the ID {key.ID[:_SHOWN]!r} is held here")
    return key.ID


def _key_info(public: keys.PublicKey) -> KeyInfo:
    return KeyInfo(keyID=KeyID(ID=public.key_id), algorithm=Algorithm(algorithm=public.type))
