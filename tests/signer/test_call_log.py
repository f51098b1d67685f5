"""Lines about signatures, which are written from fields that are known."""

from __future__ import annotations

import json
from collections.abc import Sequence
from io import StringIO

import pytest
from twisted.logger import LogEvent, capturedLogs

from notary import request_id
from notary.observe.levels import LogThreshold
from notary.observe.logs import FIELDS, PREPARED, log_observer
from notary.signer.call_log import Caller, log_done
from notary.signing.signer_pb2 import Request, Signature
from tests.signer.harness import PEER

KEY_ID = "0123456789abcdef" * 4


def lines(events: Sequence[LogEvent], kind: str) -> list[str]:
    stream = StringIO()
    observer = log_observer(stream, kind, LogThreshold("info"))
    for event in events:
        observer(event)
    return stream.getvalue().splitlines()


@pytest.mark.parametrize("request_of", ["", "id-1"])
@pytest.mark.parametrize("gun", ["docker.io/library/alpine", 'a"b\\c', "käse/ﬁ"])
@pytest.mark.parametrize(
    "peer", [PEER, Caller('CN="q\\,\x7f\n', "[2001:db8::1]:1"), Caller("a" * 2000, "192.0.2.1:1")]
)
def test_are_as_all_others(gun: str, peer: Caller, request_of: str) -> None:
    asked = {"keyID": {"ID": KEY_ID}, "gun": gun, "role": "snapshot"}
    with capturedLogs() as events, request_id.serving(request_of):
        log_done(Request(id=1, sign=asked), peer, 0.0123456, Signature())
        (event,) = events
        (line,) = lines(events, "json")
        plain = {name: value for name, value in event.items() if name not in FIELDS}
        plain |= plain.pop(PREPARED).fields()
        (other,) = lines([plain], "json")
        fields = json.loads(other)
        if len(peer.subject) < 1000:
            assert line == other
        else:
            assert json.loads(line) == {**fields, "msg": json.loads(line)["msg"]}
            assert len(line) < len(other)
        assert lines(events, "logfmt") == lines([plain], "logfmt")
    assert fields["call.duration"] == "12.346ms"
    assert fields.get("http.request.id", "") == request_of
