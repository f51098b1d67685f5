"""A network without sockets, threads or time: signers at addresses, and host names for these."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError, TimeoutError
from twisted.internet.interfaces import (
    IAddress,
    IHostnameResolver,
    IHostResolution,
    IResolutionReceiver,
)
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure
from twisted.test.iosim import FakeTransport, IOPump
from zope.interface import implementer

from notary.signer.protocol import SignerFactory
from notary.signing.client import SignerConnection
from notary.signing.connections import SignerConnections
from notary.signing.interfaces import SignerUnavailableError
from tests.server.harness import result_of
from tests.signing.signers import WatchedCalls

A, B, C = "192.0.2.10", "192.0.2.20", "2001:db8::30"
NAME = "signer.example.com"
PORT = 7899
PAUSE = 1.0
"""Seconds between two attempts to connect."""

OURS = IPv4Address("TCP", "192.0.2.1", 54321)


Connect = Callable[[str], SignerConnections]


def best(connections: SignerConnections, **how: float) -> Deferred[SignerConnection]:
    """The connection for a call."""
    return Deferred.fromCoroutine(connections.best(**how))


def unavailable(waiting: Deferred[SignerConnection]) -> str:
    """Why there is none."""
    with pytest.raises(SignerUnavailableError) as caught:
        result_of(waiting)
    return str(caught.value)


def address_of(host: str) -> IPv4Address | IPv6Address:
    return (IPv6Address if ":" in host else IPv4Address)("TCP", host, PORT)


class Network(Clock):
    """A reactor whose connections lead to signers in this process.

    Where nothing was put, connections are refused.

    Args:
        context: the TLS settings of the signers.

    Attributes:
        nameResolver: knows the host names.
        signers: what answers calls, by address.
        dialled: the addresses that were connected to, and when.
    """

    def __init__(self, context: Any) -> None:
        super().__init__()
        self.nameResolver = Names(self)
        self.signers: dict[str, WatchedCalls] = {}
        self.dialled: list[tuple[float, str]] = []
        self._context = context
        self._served: dict[str, Any] = {}
        self._links: list[tuple[str, IOPump]] = []

    def serve(self, *hosts: str) -> None:
        """Put signers at addresses."""
        for host in hosts:
            self.signers[host] = WatchedCalls(self)
            factory = SignerFactory(self.signers[host], self)
            self._served[host] = TLSMemoryBIOFactory(self._context, False, factory, clock=self)

    def be_silent(self, host: str) -> None:
        """Let nothing come from an address."""
        self._served[host] = None

    def be_mute(self, host: str) -> None:
        """Put somebody at an address who accepts connections and never says anything."""
        self._served[host] = Factory.forProtocol(Protocol)

    def stop(self, *hosts: str) -> None:
        """End signers."""
        for host in hosts:
            del self._served[host]
        self.cut(*hosts)

    def cut(self, *hosts: str) -> None:
        """End the connections to addresses."""
        for host, pump in self._links:
            if host in hosts:
                pump.serverIO.loseConnection()
        self.settle()

    @property
    def connected(self) -> list[str]:
        """The addresses of all connections."""
        return sorted(host for host, _ in self._links)

    def settle(self) -> None:
        """Let everything happen that takes no time."""
        self.advance(0)
        while self._pump():
            self._links = [
                (host, pump)
                for host, pump in self._links
                if not (pump.clientIO.disconnected and pump.serverIO.disconnected)
            ]

    def _pump(self) -> bool:
        """Carry something over every connection; tell whether there was anything."""
        moved = [pump.pump() for _, pump in self._links]
        return any(moved)

    def pass_seconds(self, seconds: float, step: float = 0.5) -> None:
        """Let time pass, and everything happen when it is due."""
        self.settle()
        for _ in range(round(seconds / step)):
            self.advance(step)
            self.settle()

    def connectTCP(
        self, host: str, port: int, factory: Any, timeout: float = 30, bindAddress: object = None
    ) -> Attempt:
        """See `IReactorTCP.connectTCP`."""
        assert port == PORT
        self.dialled.append((self.seconds(), host))
        attempt = Attempt(self, host)
        factory.startedConnecting(attempt)
        served = self._served.get(host)
        if served is not None:
            attempt.ends_in(0, self._link, host, factory, served)
        elif host in self._served:
            attempt.ends_in(timeout, factory.clientConnectionFailed, attempt, TIMEOUT)
        else:
            attempt.ends_in(0, factory.clientConnectionFailed, attempt, REFUSED)
        return attempt

    def _link(self, host: str, factory: Any, served: Any) -> None:
        theirs = address_of(host)
        server, client = served.buildProtocol(OURS), factory.buildProtocol(theirs)
        server_end = FakeTransport(server, True, theirs, OURS)
        client_end = FakeTransport(client, False, OURS, theirs)
        self._links.append((host, IOPump(client, server, client_end, server_end, False, self)))
        server.makeConnection(server_end)
        client.makeConnection(client_end)


REFUSED = Failure(ConnectionRefusedError())
TIMEOUT = Failure(TimeoutError())


class Attempt:
    """An attempt to connect, which may be given up."""

    def __init__(self, clock: Clock, host: str) -> None:
        self._clock = clock
        self._host = host

    def ends_in(self, seconds: float, function: Callable[..., object], *arguments: object) -> None:
        self._end = self._clock.callLater(seconds, function, *arguments)

    def getDestination(self) -> IAddress:
        """See `IConnector.getDestination`."""
        return address_of(self._host)

    def stopConnecting(self) -> None:
        """See `IConnector.stopConnecting`."""
        self._end.cancel()


@implementer(IHostResolution)
class Lookup:
    """A host name that is being looked up."""

    def __init__(self, name: str) -> None:
        self.name = name

    def cancel(self) -> None:
        """See `IHostResolution.cancel`: Twisted's own cannot be cancelled."""
        raise NotImplementedError


@implementer(IHostnameResolver)
class Names:
    """Knows the addresses of host names.

    Attributes:
        known: addresses by host name.
        asked: the host names that were looked up.
        holding: whether answers wait until `let_go`.
    """

    def __init__(self, clock: Clock) -> None:
        self.known: dict[str, Sequence[str]] = {}
        self.asked: list[str] = []
        self.holding = False
        self._clock = clock
        self._waiting: list[Callable[[], None]] = []

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[IAddress]] | None = None,
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        """See `IHostnameResolver.resolveHostName`."""
        self.asked.append(hostName)
        lookup = Lookup(hostName)
        resolutionReceiver.resolutionBegan(lookup)

        def answer() -> None:
            for host in self.known.get(hostName, ()):
                resolutionReceiver.addressResolved(address_of(host))
            resolutionReceiver.resolutionComplete()

        self._waiting.append(answer)
        if not self.holding:
            self._clock.callLater(0, self.let_go)
        return lookup

    def let_go(self) -> None:
        """Answer all that was asked."""
        while self._waiting:
            self._waiting.pop(0)()
