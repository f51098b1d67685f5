"""The log of calls: who asked for what, and how that ended."""

from __future__ import annotations

from typing import Any

import attrs
from twisted.logger import Logger

from notary import request_id
from notary.observe.logs import PREPARED, REQUEST_ID, json_field, json_text, tell
from notary.signing.signer_pb2 import Request, SignatureRequest
from notary.signing.wire import Code

OK = "OK"
"""The result of a call that was carried out; those of others are names of a `Code`."""

_DONE = {
    "create_key": "gave out the unused key {key_id} for {role} of {gun} to {peer}",
    "delete_key": "deleted the key {key_id} for {peer}",
    "get_key_info": "told the public half of the key {key_id} to {peer}",
    "sign": "signed {role} of {gun} with the key {key_id} for {peer}",
    "check_health": "told {peer} that all is well",
}
_OUR_FAULT = (Code.INTERNAL, Code.UNAVAILABLE)

_log = Logger()


@attrs.frozen
class Caller:
    """Who makes calls.

    Attributes:
        subject: the subject of its certificate, or what stands for it if it has none.
        address: its IP address and port.
        json: the fields of both in a line of the log, and the name within its message.
    """

    subject: str
    address: str
    json: tuple[str, str, str] = attrs.field(init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        address = json_field("call.remoteaddr", self.address)
        subject = json_field("tls.client.subject", self.subject)
        object.__setattr__(self, "json", (address, subject, json_text(str(self))))

    def __str__(self) -> str:
        return f"{self.subject} at {self.address}"


@attrs.frozen(eq=False)
class Signed:
    """The line about a signature, which most lines are. Is `notary.observe.logs.Prepared`.

    Attributes:
        peer: who asked for it.
        gun: the collection.
        role: of those that need no escapes.
        key_id: in hexadecimal.
        seconds: how long it took.
        request_id: of the server's request, which needs no escapes; empty if there is none.
    """

    peer: Caller
    gun: str
    role: str
    key_id: str
    seconds: float
    request_id: str

    def fields(self) -> dict[str, Any]:
        """See `Prepared.fields`."""
        return {
            "call.name": "sign",
            "call.result": OK,
            "call.duration": _milliseconds(self.seconds),
            "call.remoteaddr": self.peer.address,
            "tls.client.subject": self.peer.subject,
            "gun": self.gun,
            "role": self.role,
            "key_id": self.key_id,
        }

    def json(self, _message: str, time: str) -> str:
        """See `Prepared.json`."""
        address, subject, peer = self.peer.json
        gun, role, key_id = json_text(self.gun), self.role, self.key_id
        request = f'"{REQUEST_ID}": "{self.request_id}", ' if self.request_id else ""
        return (
            f'{{"call.duration": "{_milliseconds(self.seconds)}", "call.name": "sign", {address}, '
            f'"call.result": "{OK}", "gun": "{gun}", {request}"key_id": "{key_id}", '
            f'"level": "info", "msg": "signed {role} of {gun} with the key {key_id} for {peer}", '
            f'"role": "{role}", "time": "{time}", {subject}}}'
        )


def log_done(request: Request, peer: Caller, seconds: float, result: Any) -> None:
    """Log a call that was carried out. What was signed is not told.

    Args:
        request: the call.
        peer: who made it.
        seconds: how long it took.
        result: its result, of the kind that belongs to the call.
    """
    kind = str(request.WhichOneof("call"))
    if kind == "sign":
        _log_signed(request.sign, peer, seconds)
        return
    fields = _fields(request, peer, seconds, OK)
    if kind == "create_key":
        fields["key_id"] = result.keyInfo.keyID.ID
    if kind == "check_health":
        _log.debug(_DONE[kind], peer=peer, **fields)
    else:
        tell(_log, _DONE[kind], peer=peer, **fields)


def _log_signed(asked: SignatureRequest, peer: Caller, seconds: float) -> None:
    gun, role, key_id = asked.gun, asked.role, asked.keyID.ID
    line = Signed(peer, gun, role, key_id, seconds, request_id.current())
    values = {"gun": gun, "role": role, "key_id": key_id, PREPARED: line}
    tell(_log, _DONE["sign"], peer=peer, **values)


def log_refused(request: Request, peer: Caller, seconds: float, code: Code, reason: str) -> None:
    """Log a call that could not be carried out, or was not meant to be."""
    kind = request.WhichOneof("call")
    if code in _OUR_FAULT:
        log = _log.error
    elif kind is None:  # servers ask for nothing once a minute
        log = _log.debug
    else:
        log = _log.info
    fields = _fields(request, peer, seconds, code.name)
    log("{call} for {peer}: {reason}", call=kind, peer=peer, reason=reason, **fields)


def log_failed(request: Request, peer: Caller, seconds: float) -> None:
    """Log, while an exception that nobody thought of is handled, that it ended a call."""
    fields = _fields(request, peer, seconds, Code.INTERNAL.name)
    _log.failure("{call} for {peer} failed", call=fields["call.name"], peer=peer, **fields)


def _fields(request: Request, peer: Caller, seconds: float, result: str) -> dict[str, Any]:
    kind = request.WhichOneof("call")
    asked: Any = getattr(request, kind) if kind else None
    key = asked.keyID if kind == "sign" else asked
    named = {
        "gun": getattr(asked, "gun", ""),
        "role": getattr(asked, "role", ""),
        "key_id": getattr(key, "ID", ""),
    }
    return {
        "call.name": kind or "none",
        "call.result": result,
        "call.duration": _milliseconds(seconds),
        "call.remoteaddr": peer.address,
        "tls.client.subject": peer.subject,
        **{name: value for name, value in named.items() if value},
    }


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.3f}ms"
