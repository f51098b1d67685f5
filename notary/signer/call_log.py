"""The log of calls: who asked for what, and how that ended."""

from __future__ import annotations

from typing import Any

import attrs
from twisted.logger import Logger

from notary.observe.logs import tell
from notary.signing.signer_pb2 import Request
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
    """

    subject: str
    address: str

    def __str__(self) -> str:
        return f"{self.subject} at {self.address}"


def log_done(request: Request, peer: Caller, seconds: float, result: Any) -> None:
    """Log a call that was carried out. What was signed is not told.

    Args:
        request: the call.
        peer: who made it.
        seconds: how long it took.
        result: its result, of the kind that belongs to the call.
    """
    kind = str(request.WhichOneof("call"))
    fields = _fields(request, peer, seconds, OK)
    if kind == "create_key":
        fields["key_id"] = result.keyInfo.keyID.ID
    if kind == "check_health":
        _log.debug(_DONE[kind], peer=peer, **fields)
    else:
        tell(_log, _DONE[kind], peer=peer, **fields)


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
        "call.duration": f"{seconds * 1000:.3f}ms",
        "call.remoteaddr": peer.address,
        "tls.client.subject": peer.subject,
        **{name: value for name, value in named.items() if value},
    }
