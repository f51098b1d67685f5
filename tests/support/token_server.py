"""A token server, as registries have one: user and password in, access token out."""

from __future__ import annotations

import base64
import json
import ssl
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509 import load_pem_x509_certificate
from klein import Klein
from twisted.internet import endpoints, reactor
from twisted.web.iweb import IRequest
from twisted.web.server import Site

from notary.tls import KeyPair, ServerContext
from tests.support.daemons import FIXTURES, ROOT_CA, free_port, listens, running
from tests.support.tokens import Signer, access, claims


@attrs.frozen
class User:
    """Somebody who has an account.

    Attributes:
        actions: what they may do to every collection.
    """

    name: str
    password: str = attrs.field(repr=False)
    actions: tuple[str, ...]

    @property
    def basic(self) -> str:
        """Name and password, as HTTP and the variable ``NOTARY_AUTH`` have them."""
        return base64.b64encode(f"{self.name}:{self.password}".encode()).decode()


PUBLISHER = User("alice", "a password for alice", ("*", "push", "pull"))
READER = User("bob", "a password for bob", ("pull",))
USERS = {user.name: user for user in (PUBLISHER, READER)}


class TokenServer:
    """Gives tokens for as much of what is asked for as the user may have; nobody may nothing."""

    app = Klein()

    def __init__(self, signer: Signer, header: Mapping[str, Any]) -> None:
        self._signer = signer
        self._header = header

    @app.route("/token", methods=["GET"])
    def token(self, request: IRequest) -> str:
        """Give a token, or refuse a wrong password."""
        name, password = (text.decode() for text in (request.getUser(), request.getPassword()))
        user = USERS.get(name)
        if name and (user is None or user.password != password):
            request.setResponseCode(401)
            return json.dumps({"details": "incorrect username or password"})
        granted = []
        for scope in request.args.get(b"scope", []):
            kind, rest = scope.decode().split(":", 1)
            thing, actions = rest.rsplit(":", 1)
            may = user.actions if user and kind == "repository" else ()
            granted.append(
                access(thing, *(each for each in actions.split(",") if each in may), kind=kind)
            )
        (service,) = request.args[b"service"]
        text = claims(*granted, sub=name, aud=service.decode())
        request.setHeader("Content-Type", "application/json")
        return json.dumps({"token": self._signer.sign(text, self._header), "expires_in": 300})


@attrs.frozen
class RunningTokenServer:
    """One that listens with TLS on ``localhost``."""

    port: int

    @property
    def realm(self) -> str:
        return f"https://localhost:{self.port}/token"

    def token(self, user: User | None, *scopes: str, service: str) -> str:
        """What it gives to a user; nobody is None."""
        query = urllib.parse.urlencode(
            [("service", service), *(("scope", scope) for scope in scopes)]
        )
        request = urllib.request.Request(f"{self.realm}?{query}")
        if user is not None:
            request.add_header("Authorization", f"Basic {user.basic}")
        context = ssl.create_default_context(cafile=ROOT_CA)
        with urllib.request.urlopen(request, context=context) as answer:
            return str(json.load(answer)["token"])


@contextmanager
def giving_tokens(
    directory: Path, signer: Signer, header: Mapping[str, Any]
) -> Iterator[RunningTokenServer]:
    """Run a token server, in a process of its own, until the block ends."""
    port = free_port()
    private = signer.private.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    ).decode()
    settings = directory / "token-server.json"
    settings.write_text(
        json.dumps(
            {
                "port": port,
                "private": private,
                "certificate": signer.certificate.public_bytes(Encoding.PEM).decode(),
                "header": header,
            }
        )
    )
    root = str(Path(__file__).parent.parent.parent)
    command = [sys.executable, "-m", __name__, str(settings)]
    log = directory / "token-server.log"
    with running(command, log, lambda: listens(port), {"PYTHONPATH": root}):
        yield RunningTokenServer(port)


def serve(settings: Mapping[str, Any]) -> None:
    """Be the process."""
    private: Any = load_pem_private_key(settings["private"].encode(), None)
    certificate = load_pem_x509_certificate(settings["certificate"].encode())
    server = TokenServer(Signer(private, certificate), settings["header"])
    pair = KeyPair(FIXTURES / "notary-server.crt", FIXTURES / "notary-server.key")
    context = ServerContext(pair, None)
    endpoint = endpoints.SSL4ServerEndpoint(
        reactor, settings["port"], context, interface="127.0.0.1"
    )
    endpoint.listen(Site(server.app.resource()))
    reactor.run()


if __name__ == "__main__":
    serve(json.loads(Path(sys.argv[1]).read_text()))
