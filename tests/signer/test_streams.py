"""Whatever bytes a peer sends, in whatever pieces: at most one answer a frame, and no trouble."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import capturedLogs

from notary.signing.signer_pb2 import HealthCheckRequest, KeyID, Request, Response
from notary.signing.wire import MAX_CALLS, MAX_FRAME
from tests.signer.harness import UNKNOWN, Peer, Signer, frame
from tests.tuf.strategies import many

REQUESTS = [
    Request(id=1, check_health=HealthCheckRequest()),
    Request(id=2, get_key_info=KeyID(ID=UNKNOWN)),
    Request(id=3, delete_key=KeyID(ID="x")),
    Request(id=4),
]
MESSAGES = st.sampled_from([request.SerializeToString() for request in REQUESTS])
LENGTHS = st.sampled_from([0, 1, 100, MAX_FRAME, MAX_FRAME + 1, 2**32 - 1])

frames = (MESSAGES | st.binary(max_size=30)).map(frame)
streams = st.lists(
    frames | st.binary(max_size=20) | LENGTHS.map(lambda length: length.to_bytes(4, "big")),
    max_size=12,
).map(b"".join)
sizes = st.lists(st.integers(1, 40), max_size=60)


def pieces(stream: bytes, sizes: Sequence[int]) -> list[bytes]:
    """A stream cut into pieces of these sizes, and the rest."""
    found = []
    for size in sizes:
        found.append(stream[:size])
        stream = stream[size:]
    return [*found, stream]


def most_answers(stream: bytes) -> int:
    """How many frames a stream has, the first one that is too long being the last."""
    number = 0
    while len(stream) >= 4:
        length = int.from_bytes(stream[:4], "big")
        if length > MAX_FRAME:
            return number + 1
        if len(stream) < 4 + length:
            break
        number += 1
        stream = stream[4 + length :]
    return number


def answers_to(chunks: Sequence[bytes]) -> tuple[list[Response], str]:
    """What is answered, and how the connection ended."""
    peer = Peer.let_in(Signer.make())
    with capturedLogs() as events:
        for chunk in chunks:
            peer.send(chunk)
        answers = peer.answers()
    assert not [event for event in events if "log_failure" in event]
    return answers, peer.ended


@many
@given(streams, sizes)
def test_pieces_make_no_difference(stream: bytes, sizes: list[int]) -> None:
    answers, ended = answers_to(pieces(stream, sizes))
    assert (answers, ended) == answers_to([stream])
    assert len(answers) <= most_answers(stream)
    assert ended in ("", "closed")
    if not ended:
        assert len(answers) == most_answers(stream)


@many
@given(st.lists(MESSAGES, max_size=MAX_CALLS), sizes)
def test_each_good_message_is_answered(requests: list[bytes], sizes: list[int]) -> None:
    answers, ended = answers_to(pieces(b"".join(map(frame, requests)), sizes))
    assert ended == ""
    asked = [Request.FromString(request).id for request in requests]
    assert [answer.id for answer in answers] == asked


@many
@given(st.lists(st.binary(max_size=100)))
def test_any_bytes(chunks: list[bytes]) -> None:
    answers, _ = answers_to(chunks)
    assert len(answers) <= most_answers(b"".join(chunks))
