"""Signers at the other end of real connections, and of others that are as quick as a test likes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import pytest_twisted
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from notary.signing.connections import SignerConnections
from notary.signing.remote import RemoteSigner
from notary.tuf.keys import ED25519
from tests.signing.loopback import CLOCK, HOST, SECONDS, Dial, Listen, ListeningSigner
from tests.signing.network import NAME, PAUSE, PORT, A, B, C, Connect, Network
from tests.signing.signers import Certificates

SHORT_PAUSE = 0.01
"""Seconds until a connection that failed is tried again."""


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates.make(tmp_path_factory.mktemp("certificates"))


@pytest.fixture
def listen(tls_reactor: Any) -> Iterator[Listen]:
    """Starts signers with TLS settings, until the test is over; nothing is left of them then."""
    before = delayed_calls()
    signers = []

    def start(context: Any) -> ListeningSigner:
        signer = ListeningSigner(context, tls_reactor)
        signer.start()
        signers.append(signer)
        return signer

    yield start
    for signer in signers:
        pytest_twisted.blockon(Deferred.fromCoroutine(signer.stop()))
    assert [call for call in delayed_calls() if call not in before] == []


@pytest.fixture
def listening(listen: Listen, certificates: Certificates) -> ListeningSigner:
    """A signer with proper certificates."""
    return listen(certificates.of_signer())


@pytest.fixture
def dial(
    listening: ListeningSigner, certificates: Certificates, tls_reactor: Any
) -> Iterator[Dial]:
    """Makes connections to that signer, or another one, until the test is over."""
    made = []

    def connect(
        algorithm: str = ED25519,
        *,
        to: ListeningSigner = listening,
        context: Any = None,
        timeout: float = SECONDS,
        host: str = HOST,
    ) -> RemoteSigner:
        connections = SignerConnections(
            tls_reactor, host, to.port, context or certificates.of_server(), lambda _: SHORT_PAUSE
        )
        connections.startService()
        made.append(connections)
        return RemoteSigner(connections, algorithm, timeout, CLOCK)

    yield connect
    for connections in made:
        pytest_twisted.blockon(connections.stopService())


@pytest.fixture
def network(certificates: Certificates, monkeypatch: pytest.MonkeyPatch) -> Network:
    """A network on which a host name has three addresses, with a signer at each."""
    network = Network(certificates.of_signer())
    network.nameResolver.known[NAME] = (A, B, C)
    network.serve(A, B, C)
    # Endpoints that wrap a client have no parameter for it.
    monkeypatch.setattr("twisted.protocols.tls._get_default_clock", lambda: network)
    return network


@pytest.fixture
def pauses() -> list[int]:
    """The numbers of failures after which there was a pause."""
    return []


@pytest.fixture
def connect(network: Network, certificates: Certificates, pauses: list[int]) -> Connect:
    """Begins to connect to a host on the network."""

    def pause(failures: int) -> float:
        pauses.append(failures)
        return PAUSE

    def begin(host: str) -> SignerConnections:
        made = SignerConnections(network, host, PORT, certificates.of_server(), pause)
        made.startService()
        network.settle()
        return made

    return begin


def delayed_calls() -> list[Any]:
    """What the reactor is going to do at some time."""
    clock: Any = reactor
    return [call for call in clock.getDelayedCalls() if call.active()]
