"""Signers that tests look into, and the certificates that they and servers show each other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import attrs
from cryptography.hazmat.primitives.serialization import Encoding
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IReactorTime

from notary.signer.call_log import Caller
from notary.signer.calls import Calls
from notary.signer.passphrases import Passphrases
from notary.signer.vault import KeyVault
from notary.signing.signer_pb2 import Request, Response
from notary.signing.wire import ALPN
from notary.storage.keys.memory import MemoryKeyStore
from notary.tls import ClientContext, KeyPair, ServerContext
from tests.support.authority import Identity, make_identity

NAME = "localhost"
"""Whom all certificates are for."""


class WatchedCalls(Calls):
    """Answers calls from a vault in memory, unless a test does it.

    Attributes:
        asked: the kinds of the calls that came, but for those that ask for nothing.
        instead: what answers them in place of the vault, None for the vault.
    """

    def __init__(self, clock: IReactorTime) -> None:
        passphrases = Passphrases({"NOTARY_SIGNER_ALIAS": "a passphrase"}, Path())
        vault = KeyVault(MemoryKeyStore(), passphrases, "alias", maybeDeferred, clock)
        super().__init__(vault, clock)
        self.asked: list[str] = []
        self.instead: Callable[[Request], Awaitable[Response]] | None = None

    async def answer(self, request: Request, peer: Caller) -> Response:
        """See `Calls.answer`."""
        kind = request.WhichOneof("call")
        if kind is not None:
            self.asked.append(kind)
            if self.instead is not None:
                return await self.instead(request)
        return await super().answer(request, peer)

    def hang(self) -> None:
        """Answer no calls from now on."""
        self.instead = lambda request: Deferred()


@attrs.frozen
class Certificates:
    """Who vouches for whom.

    Attributes:
        directory: holds their files.
        root: signs those of the intermediate authority and of the server.
        intermediate: signs the signer's.
        signer: what the signer shows.
        server: what the server shows to it.
        other: an authority that nobody trusts.
    """

    directory: Path
    root: Identity
    intermediate: Identity
    signer: Identity
    server: Identity
    other: Identity

    @classmethod
    def make(cls, directory: Path) -> Certificates:
        root = make_identity(directory, "root", is_ca=True)
        intermediate = make_identity(directory, "intermediate", root, is_ca=True)
        return cls(
            directory=directory,
            root=root,
            intermediate=intermediate,
            signer=make_identity(directory, "signer", intermediate),
            server=make_identity(directory, "server", root),
            other=make_identity(directory, "other", is_ca=True),
        )

    def of_signer(self, shown: Identity | None = None) -> Any:
        """The TLS settings of a signer."""
        pair = _pair(shown or self.signer)
        return ServerContext(pair, self.root.certificate_file, [ALPN])

    def of_server(
        self, trusted: Identity | None = None, name: str = NAME
    ) -> IOpenSSLClientConnectionCreator:
        """The TLS settings of a server that trusts one certificate alone."""
        return self.of_other_server(self.server, trusted, name)

    def of_other_server(
        self, shown: Identity | None, trusted: Identity | None = None, name: str = NAME
    ) -> IOpenSSLClientConnectionCreator:
        """The same of a server that shows another certificate, or none."""
        pair = None if shown is None else _pair(shown)
        return ClientContext(name, _alone(trusted or self.root), pair, [ALPN])


def _pair(identity: Identity) -> KeyPair:
    return KeyPair(identity.certificate_file, identity.key_file)


def _alone(identity: Identity) -> Path:
    """A file with a certificate and not its issuers."""
    path = identity.certificate_file.with_suffix(".alone")
    path.write_bytes(identity.certificate.public_bytes(Encoding.PEM))
    return path
