"""Talks to a signer the way no server of ours would: over a blocking socket, byte by byte."""

from __future__ import annotations

import socket
import ssl
import struct

from notary.signing.signer_pb2 import Request, Response
from notary.signing.wire import ALPN
from tests.support.daemons import FIXTURES, ROOT_CA

SECONDS = 20


def frame(data: bytes) -> bytes:
    """A message as it goes over the wire."""
    return struct.pack("!I", len(data)) + data


class SignerSocket:
    """A connection to the signer at a port of ``localhost``, with the server's certificate.

    Attributes:
        socket: sends and receives raw bytes.
    """

    def __init__(self, port: int) -> None:
        context = ssl.create_default_context(cafile=ROOT_CA)
        context.load_cert_chain(FIXTURES / "notary-server.crt", FIXTURES / "notary-server.key")
        context.set_alpn_protocols([ALPN.decode()])
        plain = socket.create_connection(("127.0.0.1", port), SECONDS)
        self.socket = context.wrap_socket(plain, server_hostname="localhost")

    def close(self) -> None:
        """End the connection."""
        self.socket.close()

    def send(self, *requests: Request) -> None:
        """Send requests."""
        self.socket.sendall(b"".join(frame(each.SerializeToString()) for each in requests))

    def receive(self) -> Response | None:
        """The next answer, or None if the signer ended the connection."""
        head = self.read(4)
        if head is None:
            return None
        body = self.read(*struct.unpack("!I", head))
        return None if body is None else Response.FromString(body)

    def ask(self, request: Request) -> Response:
        """Send a request and return its answer."""
        self.send(request)
        response = self.receive()
        assert response is not None
        return response

    def read(self, size: int) -> bytes | None:
        """So many raw bytes, or None if the signer ended the connection before."""
        data = b""
        while len(data) < size:
            try:
                more = self.socket.recv(size - len(data))
            except ConnectionError:
                return None
            if not more:
                return None
            data += more
        return data


def create_key(call_id: int, gun: str, algorithm: str = "ecdsa") -> Request:
    """A request for a timestamp key."""
    request = Request(id=call_id)
    request.create_key.gun = gun
    request.create_key.role = "timestamp"
    request.create_key.algorithm = algorithm
    return request


def sign(call_id: int, gun: str, key_id: str, content: bytes) -> Request:
    """A request for a signature over a timestamp."""
    request = Request(id=call_id)
    request.sign.keyID.ID = key_id
    request.sign.gun = gun
    request.sign.role = "timestamp"
    request.sign.content = content
    return request
