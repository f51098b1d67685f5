"""A server's end of the connection in its plainest form: it blocks, over a real socket."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Sequence
from pathlib import Path

from notary.signing.signer_pb2 import Request, Response
from notary.signing.wire import ALPN
from tests.signer.harness import frame
from tests.support.authority import Identity
from tests.support.doors import SECONDS

HEALTH = Request(id=1, check_health={})


def client_context(
    authority: Path,
    identity: Identity | None = None,
    version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
    protocols: Sequence[bytes] = (ALPN,),
) -> ssl.SSLContext:
    """The TLS settings of a server that asks a signer.

    Args:
        authority: vouches for the signer.
        identity: what is shown to the signer, None for nothing.
        version: of TLS; no other is spoken.
        protocols: what is asked for by ALPN; none to do without.
    """
    context = ssl.create_default_context(cafile=authority)
    context.minimum_version = context.maximum_version = version
    if identity is not None:
        context.load_cert_chain(identity.certificate_file, identity.key_file)
    if protocols:
        context.set_alpn_protocols([protocol.decode() for protocol in protocols])
    return context


def ask(port: int, context: ssl.SSLContext, *requests: Request) -> list[Response]:
    """What a signer on localhost answers, in the order in which the answers come.

    Raises:
        OSError: it ends the connection.
    """
    with (
        socket.create_connection(("127.0.0.1", port), SECONDS) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        secure.sendall(b"".join(frame(request.SerializeToString()) for request in requests))
        return [_answer(secure) for _ in requests]


def _answer(secure: ssl.SSLSocket) -> Response:
    size = int.from_bytes(_read(secure, 4), "big")
    return Response.FromString(_read(secure, size))


def _read(secure: ssl.SSLSocket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = secure.recv(size - len(data))
        if not more:
            raise ConnectionError("the signer ended the connection")
        data += more
    return data
