"""What each call is answered, what is told when something is wrong, and what the log says."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.logger import LogLevel, capturedLogs

from notary.signer.calls import CallError
from notary.signer.envelope import seal
from notary.signer.passphrases import PassphraseError
from notary.signer.vault import LockedKeyError
from notary.signing.interfaces import KeyNotHeldError
from notary.signing.private_keys import ALGORITHMS, PrivateKey
from notary.signing.signer_pb2 import HealthCheckResponse, Request, Response, Status
from notary.signing.wire import Code
from notary.storage.interfaces import StoreUnavailableError, UnstorableError
from notary.storage.keys.interfaces import KeyNotStoredError
from notary.tuf.errors import InvalidGUNError, InvalidKeyError
from notary.tuf.keys import ECDSA, PublicKey
from tests.server.harness import result_of
from tests.signer.harness import (
    GUN,
    PASSPHRASE,
    PAYLOAD,
    PEER,
    UNKNOWN,
    Signer,
    messages,
    written_log,
)
from tests.tuf.strategies import damaged, many

HUGE = "x" * 5_000_000
BAD_GUNS = ["", " a", "a ", "a//b", "/a", "../a", "a*", "a\nb", "x" * 256, "\U0001f511", HUGE]
BAD_KEY_IDS = ["", "0", UNKNOWN[:-1], UNKNOWN + "0", "A" * 64, "\u0661" * 64, UNKNOWN + "\n", HUGE]
BAD_ROLES = ["", "root", "targets", "targets/releases", "Timestamp", "timestamp ", HUGE]


def created(signer: Signer, **over: str) -> PublicKey:
    fields = {"gun": GUN, "role": "timestamp", "algorithm": ECDSA, **over}
    answer = signer.ask(create_key=fields).create_key
    key = PublicKey(answer.keyInfo.algorithm.algorithm, answer.publicKey)
    assert key.key_id == answer.keyInfo.keyID.ID
    return key


def signing(key_id: str, **over: Any) -> dict[str, Any]:
    call = {"keyID": {"ID": key_id}, "gun": GUN, "role": "timestamp", "content": PAYLOAD}
    return {"sign": {**call, **over}}


def error_of(response: Response) -> tuple[Code, str]:
    assert response.WhichOneof("result") == "error"
    assert len(response.error.message) < 300
    return Code(response.error.code), response.error.message


class TestAnswers:
    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    @pytest.mark.parametrize("role", ["timestamp", "snapshot"])
    def test_signatures(self, signer: Signer, algorithm: str, role: str) -> None:
        key = created(signer, algorithm=algorithm, role=role)
        assert key.type == algorithm
        answer = signer.ask(**signing(key.key_id, role=role)).sign
        assert key.verifies(answer.algorithm.algorithm, answer.content, PAYLOAD)
        assert key.key_id == answer.keyInfo.keyID.ID

    def test_a_new_key(self, signer: Signer) -> None:
        key = created(signer)
        assert created(signer) == key
        signer.ask(**signing(key.key_id))
        assert created(signer) != key

    def test_a_public_half(self, signer: Signer) -> None:
        key = created(signer, role="snapshot")
        answer = signer.ask(get_key_info={"ID": key.key_id}).get_key_info
        assert (answer.keyInfo.keyID.ID, answer.role) == (key.key_id, "snapshot")
        assert PublicKey(answer.keyInfo.algorithm.algorithm, answer.publicKey) == key

    def test_a_deletion(self, signer: Signer) -> None:
        key = created(signer).key_id
        for _ in range(2):
            assert signer.ask(delete_key={"ID": key}).WhichOneof("result") == "delete_key"
        code, message = error_of(signer.ask(**signing(key)))
        assert (code, message) == (Code.NOT_FOUND, f"no key with the ID {key} is held here")

    def test_health(self, signer: Signer) -> None:
        answer = signer.ask(check_health={})
        assert answer.WhichOneof("result") == "check_health"
        assert answer.check_health.status == HealthCheckResponse.SERVING

    def test_the_health_of_an_unknown_service(self, signer: Signer) -> None:
        for service in ("grpc", HUGE):
            code, message = error_of(signer.ask(check_health={"service": service}))
            assert code == Code.NOT_FOUND
            assert message == f"there is no service {service[:80]!r} here"

    def test_no_call(self, signer: Signer) -> None:
        code, message = error_of(signer.ask())
        assert code == Code.UNIMPLEMENTED
        assert message == "this version of the signer has no such call"
        assert signer.store.asked == []


class TestWhatIsNotThere:
    @pytest.mark.parametrize("key_id", BAD_KEY_IDS, ids=lambda key_id: ascii(key_id[:20]))
    @pytest.mark.parametrize("call", ["sign", "get_key_info", "delete_key"])
    def test_malformed_key_ids(self, signer: Signer, call: str, key_id: str) -> None:
        created(signer)
        signer.store.asked.clear()
        asked = signing(key_id) if call == "sign" else {call: {"ID": key_id}}
        code, message = error_of(signer.ask(**asked))
        assert code == Code.NOT_FOUND
        assert message == f"no key with the ID {key_id[:80]!r} is held here"
        assert signer.store.asked == []

    @pytest.mark.parametrize("call", ["sign", "get_key_info"])
    def test_unknown_key_ids(self, signer: Signer, call: str) -> None:
        asked = signing(UNKNOWN) if call == "sign" else {call: {"ID": UNKNOWN}}
        expected = (Code.NOT_FOUND, f"no key with the ID {UNKNOWN} is held here")
        assert error_of(signer.ask(**asked)) == expected

    def test_keys_of_others(self, signer: Signer) -> None:
        key = created(signer).key_id
        for over in ({"gun": f"{GUN}/more"}, {"role": "snapshot"}):
            code, message = error_of(signer.ask(**signing(key, **over)))
            assert code == Code.NOT_FOUND
            assert message.startswith(f"no key with the ID {key} is held for ")

    @pytest.mark.parametrize("role", BAD_ROLES, ids=lambda role: role[:20])
    def test_other_roles_have_no_keys(self, signer: Signer, role: str) -> None:
        fields = {"gun": GUN, "role": role, "algorithm": ECDSA}
        code, message = error_of(signer.ask(create_key=fields))
        assert code == Code.INVALID_ARGUMENT
        assert message == f"there are no keys for the role {role[:80]!r} here"
        assert signer.store.asked == []

    @pytest.mark.parametrize("role", BAD_ROLES, ids=lambda role: role[:20])
    def test_nothing_is_signed_for_other_roles(self, signer: Signer, role: str) -> None:
        """Not even by a key that is not bound to any."""
        early = signer.put(PrivateKey.generate(ECDSA), gun="", role="")
        for key in (early.key_id, created(signer).key_id):
            code, message = error_of(signer.ask(**signing(key, role=role)))
            assert code == Code.NOT_FOUND
            assert message == f"no key with the ID {key} is held for the role {role[:80]!r}"
        assert signer.store.times("mark_used") == 0

    @pytest.mark.parametrize("gun", BAD_GUNS, ids=lambda gun: ascii(gun[:20]))
    def test_bad_guns(self, signer: Signer, gun: str) -> None:
        key = created(signer).key_id
        fields = {"gun": gun, "role": "timestamp", "algorithm": ECDSA}
        for asked in ({"create_key": fields}, signing(key, gun=gun)):
            code, message = error_of(signer.ask(**asked))
            assert code == Code.INVALID_ARGUMENT
            assert message.startswith("the name ")

    @pytest.mark.parametrize("algorithm", ["", "dsa", "ECDSA", "ecdsa-x509", "rsa ", HUGE])
    def test_unknown_algorithms(self, signer: Signer, algorithm: str) -> None:
        fields = {"gun": GUN, "role": "timestamp", "algorithm": algorithm}
        code, message = error_of(signer.ask(create_key=fields))
        assert code == Code.INVALID_ARGUMENT
        assert message.startswith(f"there is no key algorithm {algorithm[:40]!r} here, only ecdsa")


class TestErrors:
    @staticmethod
    def failing(error: Exception) -> Callable[[], Deferred[None]]:
        async def fail() -> None:
            raise error

        return lambda: Deferred.fromCoroutine(fail())

    @pytest.mark.parametrize(
        ("kind", "code", "level"),
        [
            (CallError, Code.INVALID_ARGUMENT, "info"),
            (InvalidGUNError, Code.INVALID_ARGUMENT, "info"),
            (InvalidKeyError, Code.INVALID_ARGUMENT, "info"),
            (UnstorableError, Code.INVALID_ARGUMENT, "info"),
            (KeyNotHeldError, Code.NOT_FOUND, "info"),
            (StoreUnavailableError, Code.UNAVAILABLE, "error"),
            (PassphraseError, Code.INTERNAL, "error"),
            (LockedKeyError, Code.INTERNAL, "error"),
        ],
    )
    def test_table(
        self,
        signer: Signer,
        monkeypatch: pytest.MonkeyPatch,
        kind: type[Exception],
        code: Code,
        level: str,
    ) -> None:
        monkeypatch.setattr(signer.vault, "check", self.failing(kind("the reason")))
        with capturedLogs() as events:
            assert error_of(signer.ask(check_health={})) == (code, "the reason")
        assert messages(events, level) == [f"check_health for {PEER}: the reason"]

    @pytest.mark.parametrize("kind", [RuntimeError, KeyError, KeyNotStoredError, RecursionError])
    def test_unexpected_ones_are_for_the_log_only(
        self, signer: Signer, monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
    ) -> None:
        monkeypatch.setattr(signer.vault, "check", self.failing(kind("an inner matter")))
        with capturedLogs() as events:
            code, message = error_of(signer.ask(check_health={}))
        assert (code, message) == (Code.INTERNAL, "the signer failed; its log says more")
        (event,) = events
        assert "an inner matter" in event["log_failure"].getErrorMessage()
        assert f"check_health for {PEER} failed" in written_log(events)

    def test_what_is_no_text_can_be_told(
        self, signer: Signer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Such as the name of a file, which may be any bytes."""
        error = PassphraseError("the file \udcff")
        monkeypatch.setattr(signer.vault, "check", self.failing(error))
        assert error_of(signer.ask(check_health={})) == (Code.INTERNAL, "the file \\udcff")

    def test_outages(self, signer: Signer) -> None:
        key = created(signer).key_id
        other = signer.another()
        other.store.go_away()
        fields = {"gun": GUN, "role": "timestamp", "algorithm": ECDSA}
        calls = [
            {"create_key": fields},
            {"delete_key": {"ID": key}},
            {"get_key_info": {"ID": key}},
            signing(key),
            {"check_health": {}},
        ]
        for call in calls:
            expected = (Code.UNAVAILABLE, "the database is away")
            assert error_of(other.ask(**call)) == expected


class TestLog:
    @pytest.mark.parametrize("role", ["timestamp", "snapshot"])
    def test_says_who_asked_for_what(self, signer: Signer, role: str) -> None:
        with capturedLogs() as events:
            key = created(signer, role=role).key_id
            signer.ask(**signing(key, role=role))
            signer.ask(delete_key={"ID": key})
        assert messages(events, "info") == [
            f"gave out the unused key {key} for {role} of {GUN} to {PEER}",
            f"signed {role} of {GUN} with the key {key} for {PEER}",
            f"deleted the key {key} for {PEER}",
        ]

    def test_a_line_has_fields_to_search_by(self, signer: Signer) -> None:
        key = created(signer).key_id
        with capturedLogs() as events:
            signer.ask(**signing(key))
            signer.ask(**signing(key, role="snapshot"))
            signer.ask(get_key_info={"ID": "x" * 5000})
        good, bad, long = map(json.loads, written_log(events).splitlines())
        expected = {
            "call.name": "sign",
            "call.result": "OK",
            "call.duration": "0.000ms",
            "call.remoteaddr": PEER.address,
            "tls.client.subject": PEER.subject,
            "gun": GUN,
            "role": "timestamp",
            "key_id": key,
        }
        assert good == {**good, **expected}
        assert bad == {**bad, **expected, "call.result": "NOT_FOUND", "role": "snapshot"}
        assert len(json.dumps(long)) < 2500

    def test_health_and_pings_are_details(self, signer: Signer) -> None:
        with capturedLogs() as events:
            signer.ask(check_health={})
            signer.ask()
        assert [event["log_level"] for event in events] == [LogLevel.debug] * 2
        assert [event["call.result"] for event in events] == ["OK", "UNIMPLEMENTED"]

    def test_says_who_was_refused_what(self, signer: Signer) -> None:
        key = created(signer).key_id
        with capturedLogs() as events:
            signer.ask(**signing(key, role="snapshot"))
        assert messages(events, "info") == [
            f"sign for {PEER}: no key with the ID {key} is held for snapshot of {GUN!r}"
        ]

    def test_holds_no_secrets(self, signer: Signer, monkeypatch: pytest.MonkeyPatch) -> None:
        """Neither private keys nor passphrases, whatever goes well or wrong."""
        pair = PrivateKey.generate(ECDSA)
        good = signer.put(pair)
        locked = [
            signer.put(PrivateKey.generate(ECDSA), private=private).key_id
            for private in (
                seal(b"nothing", PASSPHRASE),
                seal(pair.to_bytes(), PASSPHRASE),
                seal(pair.to_bytes(), "another"),
                good.private[:-9],
                pair.to_bytes(),
            )
        ]
        with capturedLogs() as events:
            created(signer)
            for key in (good.key_id, *locked):
                signer.ask(**signing(key))
                signer.ask(get_key_info={"ID": key})
            created(signer)
            signer.environ.clear()
            signer.ask(create_key={"gun": GUN, "role": "snapshot", "algorithm": ECDSA})
            monkeypatch.setattr(signer.vault, "_passphrases", None)
            signer.ask(**signing(locked[0]))
        levels = [len(messages(events, level)) for level in ("info", "warning", "error")]
        assert min(levels) > 1
        log = written_log(events) + repr(events)
        raw = pair.to_bytes()
        for secret in (PASSPHRASE, repr(raw)[2:-1], raw.hex(), base64.b64encode(raw).decode()):
            assert secret not in log
        assert good.private.decode() not in log


@many
@given(st.binary() | damaged(Request(id=7, **signing(UNKNOWN)).SerializeToString()))
def test_any_message_has_one_answer(data: bytes) -> None:
    signer = Signer.make()
    try:
        request = Request.FromString(data)
    except DecodeError:
        return
    answer = result_of(Deferred.fromCoroutine(signer.calls.answer(request, PEER)))
    assert answer.id == request.id
    assert answer.WhichOneof("result") in ("error", request.WhichOneof("call"))
    assert isinstance(answer.error, Status)
