"""What the signer counts of its own work."""

from __future__ import annotations

from typing import Any, cast

from twisted.internet.defer import Deferred

from notary.signer.call_log import Caller
from notary.signer.metrics import SignerMetrics
from notary.signing.signer_pb2 import Request, Response
from tests.server.harness import result_of
from tests.signer.harness import GUN, Signer


class Counted:
    """A signer whose calls are counted."""

    def __init__(self) -> None:
        self.signer = Signer.make()
        self.metrics = SignerMetrics("1.2.3", cast(Any, self.signer.clock))
        self.calls = self.metrics.measured_calls(self.signer.vault)
        self.metrics.watch_connections(self.signer.factory)

    def ask(self, **call: Any) -> Response:
        answer = self.calls.answer(Request(id=7, **call), Caller("CN=peer", "127.0.0.1:1"))
        return result_of(Deferred.fromCoroutine(answer))

    def value(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"notary_signer_{name}", labels)


def test_calls_keys_and_signatures() -> None:
    counted = Counted()
    wanted = {"gun": GUN, "role": "timestamp", "algorithm": "ecdsa"}
    made = counted.ask(create_key=wanted).create_key
    key_id = {"ID": made.keyInfo.keyID.ID}
    for _ in range(2):
        counted.ask(sign={"keyID": key_id, "gun": GUN, "role": "timestamp", "content": b"x"})
    counted.ask(sign={"keyID": key_id, "gun": GUN, "role": "weird", "content": b"x"})
    counted.ask(get_key_info={"ID": "none"})
    counted.ask()
    assert counted.value("calls_total", call="create_key", code="OK") == 1
    assert counted.value("calls_total", call="sign", code="OK") == 2
    assert counted.value("calls_total", call="sign", code="NOT_FOUND") == 1
    assert counted.value("calls_total", call="get_key_info", code="NOT_FOUND") == 1
    assert counted.value("calls_total", call="unknown", code="UNIMPLEMENTED") == 1
    assert counted.value("call_duration_seconds_count", call="sign") == 3
    assert counted.value("signatures_total", role="timestamp") == 2
    assert counted.value("signatures_total", role="snapshot") == 0
    assert counted.value("keys_created_total") == 1
    assert counted.value("keys_open") == 1
    assert counted.value("vault_hits_total") == 2


def test_a_database_that_is_away() -> None:
    counted = Counted()
    counted.signer.store.go_away()
    key_id = {"ID": "0" * 64}
    counted.ask(sign={"keyID": key_id, "gun": GUN, "role": "snapshot", "content": b"x"})
    assert counted.value("calls_total", call="sign", code="UNAVAILABLE") == 1
    assert counted.value("vault_misses_total") == 1
