"""A whole signer without sockets, threads or time, and keys as they lie in its store."""

from __future__ import annotations

import json
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Any, cast

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Clock
from twisted.logger import LogEvent
from twisted.python.failure import Failure

from notary.observe.levels import LogThreshold
from notary.observe.logs import log_observer
from notary.signer.call_log import Caller
from notary.signer.calls import Calls
from notary.signer.envelope import ENCRYPTION_ALG, KEYWRAP_ALG, seal
from notary.signer.passphrases import Passphrases, variable
from notary.signer.protocol import SignerFactory
from notary.signer.vault import KeyVault
from notary.signing.interfaces import RawSignature
from notary.signing.private_keys import PrivateKey
from notary.signing.signer_pb2 import Request, Response
from notary.storage.keys.interfaces import IKeyStore, SealedKey
from notary.storage.keys.memory import MemoryKeyStore
from notary.tuf.keys import ECDSA, PublicKey
from notary.tuf.names import TIMESTAMP
from tests.server.harness import result_of
from tests.signer.fakes import HeldThreads, SwitchedKeyStore, TLSTransport

GUN = "docker.io/library/alpine"
PAYLOAD = b'{"_type":"Timestamp"}'
ALIAS = "timestamp_1"
PASSPHRASE = "correct horse battery"
PEER = Caller("CN=server", "192.168.1.1:54321")
UNKNOWN = "0" * 64


def sealed_key(pair: PrivateKey, /, **over: Any) -> SealedKey:
    """A key as it is stored, some of its fields replaced."""
    fields: dict[str, Any] = {
        "key_id": pair.public.key_id,
        "algorithm": pair.public.type,
        "gun": GUN,
        "role": TIMESTAMP,
        "public": pair.public.public,
        "private": seal(pair.to_bytes(), PASSPHRASE),
        "passphrase_alias": ALIAS,
        "keywrap_alg": KEYWRAP_ALG,
        "encryption_alg": ENCRYPTION_ALG,
    }
    return SealedKey(**{**fields, **over})


@attrs.frozen
class Signer:
    """A signer and all that it stands on.

    Attributes:
        clock: its time.
        store: holds the keys, as long as nothing else is asked of it.
        threads: where it makes, opens and sometimes uses them.
        environ: its environment variables.
    """

    clock: Clock
    store: SwitchedKeyStore
    threads: HeldThreads
    environ: dict[str, str]
    vault: KeyVault
    calls: Calls
    factory: SignerFactory

    @classmethod
    def make(cls, inner: IKeyStore | None = None) -> Signer:
        clock = Clock()
        store = SwitchedKeyStore(inner or MemoryKeyStore())
        threads = HeldThreads()
        environ = {variable(ALIAS): PASSPHRASE}
        passphrases = Passphrases(environ, Path("/nowhere"))
        vault = KeyVault(store, passphrases, ALIAS, threads.run, clock)
        calls = Calls(vault, cast(IReactorTime, clock))
        return cls(clock, store, threads, environ, vault, calls, SignerFactory(calls, clock))

    def another(self) -> Signer:
        """A signer on the same store in another process."""
        return Signer.make(self.store.inner)

    def create_key(
        self, gun: str = GUN, role: str = TIMESTAMP, algorithm: str = ECDSA
    ) -> Deferred[PublicKey]:
        return Deferred.fromCoroutine(self.vault.create_key(gun, role, algorithm))

    def sign(
        self,
        key: PublicKey | str,
        gun: str = GUN,
        role: str = TIMESTAMP,
        payload: bytes = PAYLOAD,
    ) -> Deferred[RawSignature]:
        key_id = key if isinstance(key, str) else key.key_id
        return Deferred.fromCoroutine(self.vault.sign(gun, role, key_id, payload))

    def put(self, pair: PrivateKey, /, **over: Any) -> SealedKey:
        """Store a key behind the signer's back."""
        key = sealed_key(pair, **over)
        result_of(self.store.inner.add(key))
        return key

    def ask(self, **call: Any) -> Response:
        """What a call is answered."""
        asked = self.calls.answer(Request(id=7, **call), PEER)
        response = result_of(Deferred.fromCoroutine(asked))
        assert response.id == 7
        return response


def made(signer: Signer, **wanted: str) -> PublicKey:
    """A new key, or one that never signed."""
    return result_of(signer.create_key(**wanted))


def used(signer: Signer, **wanted: str) -> PublicKey:
    """A key that has signed."""
    key = made(signer, **wanted)
    result_of(signer.sign(key))
    return key


class Peer:
    """One server's connection to the signer.

    Attributes:
        transport: what the signer writes to.
    """

    def __init__(self, signer: Signer, transport: TLSTransport | None = None) -> None:
        self.transport = transport or TLSTransport()
        self._clock = signer.clock
        self._protocol = cast(Any, signer.factory.buildProtocol(self.transport.getPeer()))
        self._protocol.makeConnection(self.transport)

    @classmethod
    def let_in(cls, signer: Signer) -> Peer:
        """A connection whose handshake is done."""
        peer = cls(signer)
        peer.finish_handshake()
        return peer

    def finish_handshake(self) -> None:
        self._protocol.handshakeCompleted()

    def send(self, data: bytes, size: int | None = None) -> None:
        """Send bytes, in chunks of a size."""
        for start in range(0, len(data), size or len(data) or 1):
            self._protocol.dataReceived(data[start : start + (size or len(data))])

    def ask(self, *requests: Request) -> None:
        self.send(b"".join(frame(request.SerializeToString()) for request in requests))

    def answers(self) -> list[Response]:
        """All answers up to the next turn of the reactor, in order."""
        self._clock.advance(0)
        return [Response.FromString(data) for data in taken_apart(self.transport.value())]

    def go_away(self, reason: Exception | None = None) -> None:
        """End the connection from the server's side, or by what went wrong with it."""
        self.transport.connected = False
        self._protocol.connectionLost(Failure(reason or ConnectionDone()))

    @property
    def producer(self) -> Any:
        """What the transport pauses when answers are not read."""
        assert self.transport.producer is not None
        return self.transport.producer

    @property
    def ended(self) -> str:
        """How the signer ended the connection: ``aborted``, ``closed`` or not at all."""
        if self.transport.disconnected:
            return "aborted"
        return "closed" if self.transport.disconnecting else ""


def frame(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def taken_apart(stream: bytes) -> Sequence[bytes]:
    """The contents of whole frames."""
    found = []
    while stream:
        size = int.from_bytes(stream[:4], "big")
        assert len(stream) >= 4 + size
        found.append(stream[4 : 4 + size])
        stream = stream[4 + size :]
    return found


def written_log(events: Sequence[LogEvent]) -> str:
    """All that a log of everything, tracebacks too, would hold."""
    stream = StringIO()
    observer = log_observer(stream, "json", LogThreshold("debug"))
    for event in events:
        observer(event)
    return stream.getvalue()


def messages(events: Sequence[LogEvent], level: str) -> list[str]:
    """The messages of a level: ``info``, ``warning`` or ``error``."""
    lines = map(json.loads, written_log(events).splitlines())
    return [line["msg"] for line in lines if line["level"] == level]
