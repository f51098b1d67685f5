"""Answering calls: what is asked for, who asked, and what is told when something is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from typing import Any

from google.protobuf.message import Message
from twisted.logger import Logger

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
_OUR_FAULT = (Code.INTERNAL, Code.UNAVAILABLE)


def error_response(call_id: int, code: Code, message: str) -> Response:
    """Return the answer that tells what is wrong."""
    text = message.encode(errors="backslashreplace").decode()  # it may hold the name of a file
    return Response(id=call_id, error=Status(code=code, message=text))


class Calls:
    """Answers calls from the vault."""

    _log = Logger()

    def __init__(self, vault: KeyVault) -> None:
        self._vault = vault
        self._methods: dict[str | None, Callable[[Any, str], Coroutine[Any, Any, Message]]] = {
            "create_key": self._create_key,
            "delete_key": self._delete_key,
            "get_key_info": self._get_key_info,
            "sign": self._sign,
            "check_health": self._check_health,
        }

    async def answer(self, request: Request, peer: str) -> Response:
        """Answer a call, whatever is wrong with it.

        Args:
            request: the call.
            peer: who asks, for the log.
        """
        kind = request.WhichOneof("call")
        if kind is None:
            message = "this version of the signer has no such call"
            return error_response(request.id, Code.UNIMPLEMENTED, message)
        try:
            result: Any = await self._methods[kind](getattr(request, kind), peer)
        except tuple(_CODES) as error:
            code = next(code for known, code in _CODES.items() if isinstance(error, known))
            log = self._log.error if code in _OUR_FAULT else self._log.info
            log("{call} for {peer}: {reason}", call=kind, peer=peer, reason=str(error))
            return error_response(request.id, code, str(error))
        except Exception:
            self._log.failure("{call} for {peer} failed", call=kind, peer=peer)
            message = "the signer failed; its log says more"
            return error_response(request.id, Code.INTERNAL, message)
        return Response(id=request.id, **{kind: result})

    async def _create_key(self, call: CreateKeyRequest, peer: str) -> PublicKey:
        check_gun(call.gun)
        if call.role not in _ROLES:
            raise CallError(f"there are no keys for the role {call.role[:_SHOWN]!r} here")
        check_algorithm(call.algorithm)
        public = await self._vault.create_key(call.gun, call.role, call.algorithm)
        self._log.info(
            "gave out the unused key {key_id} for {role} of {gun} to {peer}",
            key_id=public.key_id,
            role=call.role,
            gun=call.gun,
            peer=peer,
        )
        return PublicKey(keyInfo=_key_info(public), publicKey=public.public)

    async def _delete_key(self, call: KeyID, peer: str) -> Void:
        key_id = _checked(call)
        await self._vault.delete_key(key_id)
        self._log.info("deleted the key {key_id} for {peer}", key_id=key_id, peer=peer)
        return Void()

    async def _get_key_info(self, call: KeyID, peer: str) -> GetKeyInfoResponse:
        public, role = await self._vault.public_key(_checked(call))
        return GetKeyInfoResponse(keyInfo=_key_info(public), publicKey=public.public, role=role)

    async def _sign(self, call: SignatureRequest, peer: str) -> Signature:
        key_id = _checked(call.keyID)
        if call.role not in _ROLES:
            role = call.role[:_SHOWN]
            raise KeyNotHeldError(f"no key with the ID {key_id} is held for the role {role!r}")
        check_gun(call.gun)
        made = await self._vault.sign(call.gun, call.role, key_id, call.content)
        self._log.info(
            "signed {role} of {gun} with the key {key_id} for {peer}",
            role=call.role,
            gun=call.gun,
            key_id=key_id,
            peer=peer,
        )
        return Signature(
            keyInfo=KeyInfo(keyID=call.keyID),
            algorithm=Algorithm(algorithm=made.method),
            content=made.signature,
        )

    async def _check_health(self, call: HealthCheckRequest, peer: str) -> HealthCheckResponse:
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
