"""The client that reads answers by itself."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import pytest

from benchmarks.https import Answer, Connection, WrongAnswerError, client_context, get, post
from tests.support.daemons import FIXTURES

OK = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


@contextmanager
def answering(pieces: Sequence[bytes]) -> Iterator[Connection]:
    """A connection to somebody who sends these bytes, whatever the request is."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(FIXTURES / "notary-server.crt", FIXTURES / "notary-server.key")

    def serve() -> None:
        plain, _ = listener.accept()
        with context.wrap_socket(plain, server_side=True) as tls:
            tls.recv(1000)
            for piece in pieces:
                tls.sendall(piece)

    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool:
        served = pool.submit(serve)
        with closing(Connection(listener.getsockname()[1], client_context())) as connection:
            yield connection
        served.result()


@pytest.mark.parametrize(
    ("pieces", "answer"),
    [
        ([OK + b"Content-Length: 5\r\n\r\nhello"], Answer(200, b"hello")),
        ([OK + b"content-length: 5\r", b"\n\r\nhe", b"llo"], Answer(200, b"hello")),
        ([b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"], Answer(404, b"")),
        (
            [CHUNKED + b"5\r\nhel", b"lo\r\na\r\n", b"0123456789\r\n", b"0\r\n\r\n"],
            Answer(200, b"hello0123456789"),
        ),
    ],
)
def test_answers(pieces: list[bytes], answer: Answer) -> None:
    with answering(pieces) as connection:
        assert connection.ask(get("/")) == answer


def test_one_answer_after_the_other() -> None:
    answer = CHUNKED + b"1\r\nx\r\n0\r\n\r\n"
    with answering([answer + answer]) as connection:
        assert connection.ask(get("/")).body == b"x"
        assert connection.ask(get("/")).body == b"x"


def test_an_answer_without_a_length() -> None:
    with answering([OK + b"\r\n"]) as connection, pytest.raises(WrongAnswerError, match="length"):
        connection.ask(get("/"))


def test_an_answer_that_ends_early() -> None:
    short = OK + b"Content-Length: 5\r\n\r\nhe"
    with answering([short]) as connection, pytest.raises(OSError, match="ended the connection"):
        connection.ask(get("/"))


def test_an_upload() -> None:
    request = post("/path", "text/plain", b"hello")
    head, _, body = request.partition(b"\r\n\r\n")
    assert head.splitlines()[0] == b"POST /path HTTP/1.1"
    assert b"Content-Length: 5" in head.splitlines()
    assert body == b"hello"
