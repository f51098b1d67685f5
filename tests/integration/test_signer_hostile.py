"""A signer among peers that misbehave, all of whom hold a certificate that it lets in."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from notary.signing.signer_pb2 import Response
from notary.signing.wire import MAX_CALLS, MAX_FRAME, Code
from notary.tuf.keys import PublicKey
from tests.support.daemons import OUR_SIGNER, Daemon, free_port, signer_config, signing_config
from tests.support.processes import memory_of
from tests.support.signer_client import SignerSocket, create_key, frame, sign

pytestmark = pytest.mark.integration

CALLS = 10_000
GUN = "registry.example.com/hostile"
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """One signer that has to live through it all."""
    directory = tmp_path_factory.mktemp("hostile")
    storage = {"backend": "sqlite3", "db_url": str(directory / "signer.db")}
    config = signer_config(port := free_port(), storage)
    with signing_config(OUR_SIGNER, directory, config, port) as signer:
        yield signer


@pytest.fixture
def connect(signer: Daemon) -> Iterator[Callable[[], SignerSocket]]:
    """Opens connections, and ends them after the test."""
    opened: list[SignerSocket] = []

    def connect() -> SignerSocket:
        opened.append(SignerSocket(signer.port))
        return opened[-1]

    yield connect
    for connection in opened:
        connection.close()


@pytest.fixture(autouse=True)
def others_are_served(signer: Daemon) -> Iterator[None]:
    """A connection that was there before goes on, its calls are answered at once."""
    with closing(SignerSocket(signer.port)) as other:
        made = other.ask(create_key(1, GUN)).create_key
        key = PublicKey(made.keyInfo.algorithm.algorithm, made.publicKey)
        yield
        begun = time.monotonic()
        signature = other.ask(sign(2, GUN, key.key_id, b"payload")).sign
        assert time.monotonic() - begun < 20
        assert key.verifies(signature.algorithm.algorithm, signature.content, b"payload")


def error_of(response: Response | None) -> tuple[int, int]:
    """Which call an error is about, and its code."""
    assert response is not None
    assert response.WhichOneof("result") == "error", response
    return response.id, response.error.code


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        pytest.param(frame(b"\xff" * 100), Code.INVALID_ARGUMENT, id="garbage in a frame"),
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", Code.RESOURCE_EXHAUSTED, id="another protocol"),
        pytest.param(b"\xff\xff\xff\xff", Code.RESOURCE_EXHAUSTED, id="4 GiB announced"),
        pytest.param(b"\xff\xff\xff\xff" + b"x" * MIB, Code.RESOURCE_EXHAUSTED, id="4 GiB begun"),
        pytest.param(
            (MAX_FRAME + 1).to_bytes(4, "big"), Code.RESOURCE_EXHAUSTED, id="a byte too many"
        ),
    ],
)
def test_what_is_no_message_is_refused_and_ends_the_connection(
    connect: Callable[[], SignerSocket], sent: bytes, code: Code
) -> None:
    peer = connect()
    peer.socket.sendall(sent)
    assert error_of(peer.receive()) == (0, code)
    assert peer.receive() is None


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\x08\x07", id="no call"),
        pytest.param(b"\x08\x07\xba\x3e\x00", id="an unknown call"),
    ],
)
def test_calls_of_a_later_version_are_not_implemented(
    connect: Callable[[], SignerSocket], data: bytes
) -> None:
    peer = connect()
    peer.socket.sendall(frame(data))
    assert error_of(peer.receive()) == (7 if data else 0, Code.UNIMPLEMENTED)
    assert peer.ask(create_key(8, GUN)).create_key.publicKey


def test_half_a_message_costs_no_more_than_what_was_sent(
    connect: Callable[[], SignerSocket], signer: Daemon
) -> None:
    before = memory_of(signer.pid)
    for _ in range(20):
        peer = connect()
        peer.socket.sendall(MAX_FRAME.to_bytes(4, "big") + b"x" * MIB)
    time.sleep(1)
    grown = memory_of(signer.pid) - before
    print(f"20 peers with 1 of {MAX_FRAME // MIB} MiB each: {grown / MIB:.1f} MiB more")
    assert grown < 80 * MIB


def test_calls_whose_answers_nobody_reads(
    connect: Callable[[], SignerSocket], signer: Daemon
) -> None:
    peer = connect()
    key = peer.ask(create_key(1, GUN)).create_key
    calls = [sign(n, GUN, key.keyInfo.keyID.ID, b"x" * 400) for n in range(CALLS)]
    before = memory_of(signer.pid)
    with ThreadPoolExecutor(1) as pool:
        sending = pool.submit(peer.send, *calls)
        time.sleep(3)
        grown = memory_of(signer.pid) - before
        answers = [peer.receive() for _ in calls]
        sending.result()
    by_kind = Counter(answer and answer.WhichOneof("result") for answer in answers)
    print(f"{CALLS} calls and no reader: {grown / MIB:.1f} MiB more, then {dict(by_kind)}")
    assert {answer.id for answer in answers if answer is not None} == set(range(CALLS))
    assert by_kind["sign"] >= MAX_CALLS
    assert {answer.error.code for answer in answers if answer and answer.HasField("error")} <= {
        Code.RESOURCE_EXHAUSTED
    }
    assert grown < 32 * MIB
