"""A few lasting connections to the signer, made again whenever they are lost."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address
from typing import Any, cast

from twisted.application.internet import backoffPolicy
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, TimeoutError, gatherResults
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint, wrapClientTLS
from twisted.internet.error import DNSLookupError
from twisted.internet.interfaces import (
    IAddress,
    IHostResolution,
    IOpenSSLClientConnectionCreator,
    IResolutionReceiver,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater
from twisted.logger import Logger
from zope.interface import implementer

from notary.fast.dialing import TLSClientEndpoint
from notary.fast.reactor import FastReactor
from notary.signing.client import SignerConnection
from notary.signing.interfaces import SignerUnavailableError
from notary.signing.wire import MAX_CALLS

CONNECTIONS = 4
"""How many there are: enough to have one to each of a few signers behind one host name."""

PATIENCE = 3.0
"""Seconds without any connection after which calls are not held back any more, but fail at once."""

_CONNECT_TIMEOUT = 5
_PAUSES = backoffPolicy(initialDelay=0.1, maxDelay=10.0, factor=2.0)
"""Seconds until the next attempt after so many failures: up to 10, and a random second more."""


class SignerConnections(Service):
    """Keeps connections to every address of the signer's host name, as far as they go round.

    Args:
        reactor: connects, resolves names and tells the time.
        host: the signer's host name or IP address.
        port: its TCP port.
        context: the TLS settings, from `notary.tls.ClientContext`.
        pauses: tells how many seconds to wait after so many failures in a row.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        host: str,
        port: int,
        context: IOpenSSLClientConnectionCreator,
        pauses: Callable[[int], float] = _PAUSES,
    ) -> None:
        self._reactor = reactor
        self._host = host
        self._port = port
        self._context = context
        self._pauses = pauses
        self._loops: list[Deferred[None]] = []
        self._usable: list[SignerConnection] = []
        self._waiting: set[Deferred[None]] = set()
        self._without_since = 0.0
        self._trouble = "no connection has been made yet"

    def __str__(self) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{host}:{self._port}"

    @property
    def usable(self) -> int:
        """How many connections there are on which the signer answers."""
        return len(self._usable)

    def startService(self) -> None:
        """Begin to connect."""
        super().startService()
        self._without_since = self._reactor.seconds()
        self._loops = [Deferred.fromCoroutine(self._keep(slot)) for slot in range(CONNECTIONS)]

    def stopService(self) -> Deferred[None]:
        """End all connections.

        Returns:
            A Deferred that fires with None when they have ended.
        """
        super().stopService()
        self._trouble = "this server is stopping"
        for loop in self._loops:
            loop.cancel()
        self._wake()
        # What is aborted ends in the reactor's next turn.
        return gatherResults(self._loops).addCallback(lambda _: deferLater(self._reactor, 0))

    async def best(self, patience: float = PATIENCE) -> SignerConnection:
        """Return the connection with the fewest calls under way.

        If all were lost only just now, wait for one.

        Args:
            patience: how many seconds after the loss of the last one it is not waited any more.

        Raises:
            SignerUnavailableError: there is none, or all are busy; the message says why.
        """
        while not self._usable:
            left = self._without_since + patience - self._reactor.seconds()
            if left <= 0 or not self.running:
                raise SignerUnavailableError(
                    f"the signer at {self} cannot be reached: {self._trouble}"
                )
            waiting: Deferred[None] = Deferred(lambda given_up: self._waiting.discard(given_up))
            self._waiting.add(waiting)
            with suppress(TimeoutError):
                await waiting.addTimeout(left, self._reactor)
        best = min(self._usable, key=lambda connection: connection.under_way)
        if best.under_way >= MAX_CALLS:
            raise SignerUnavailableError(f"too many calls to the signer at {self} are under way")
        self._usable.remove(best)
        self._usable.append(best)  # so that those that are equally busy take turns
        return best

    async def _keep(self, slot: int) -> None:
        failures = 0
        while self.running:
            try:
                connection = await self._connect(slot + failures)
            except Exception as error:
                failures += 1
                self._note(str(error) or type(error).__name__)
            else:
                failures = 0
                await self._use(connection)
            if self.running:
                with suppress(CancelledError):
                    await deferLater(self._reactor, self._pauses(failures))

    async def _connect(self, attempt: int) -> SignerConnection:
        addresses = await self.addresses()
        return await self.dial(addresses[attempt % len(addresses)])

    async def dial(self, address: str) -> SignerConnection:
        """Make a connection, which is not counted among the lasting ones; whoever asks ends it.

        Raises:
            Exception: that is not possible; its text says why.
        """
        protocol = await self._endpoint(address).connect(_Factory(self._reactor))
        return await cast(SignerConnection, protocol).usable

    def _endpoint(self, address: str) -> IStreamClientEndpoint:
        where = self._reactor, address, self._port, _CONNECT_TIMEOUT
        if isinstance(self._reactor, FastReactor):
            return TLSClientEndpoint(*where, self._context)
        kind = TCP6ClientEndpoint if ":" in address else TCP4ClientEndpoint
        return wrapClientTLS(self._context, kind(*where))

    async def addresses(self) -> list[str]:
        """Return all IP addresses of the host.

        Raises:
            DNSLookupError: its name is unknown.
        """
        try:
            return [str(ip_address(self._host))]
        except ValueError:
            found = _Addresses()
            self._reactor.nameResolver.resolveHostName(found, self._host, self._port)
            return await found.complete

    async def _use(self, connection: SignerConnection) -> None:
        """Offer a connection until it is lost or this service stops."""
        self._log.info("connected to the signer at {signer}", signer=self)
        self._trouble = ""
        self._usable.append(connection)
        try:
            self._wake()
            if not self.running:  # whoever waited has stopped it
                raise CancelledError
            self._note(await connection.lost)
        except CancelledError:
            connection.transport.abortConnection()
        finally:
            self._usable.remove(connection)
            self._without_since = self._reactor.seconds()

    def _wake(self) -> None:
        """Let those look again who wait for a connection."""
        waiting, self._waiting = self._waiting, set()
        for waiter in waiting:
            waiter.callback(None)

    def _note(self, trouble: str) -> None:
        """Log what is wrong, but not the same again and again, nor that this service stops."""
        if not self.running:
            return
        if trouble != self._trouble:
            self._log.warn("the signer at {signer}: {trouble}", signer=self, trouble=trouble)
        self._trouble = trouble


class _Factory(Factory):
    noisy = False

    def __init__(self, clock: Any) -> None:
        self._clock = clock

    def buildProtocol(self, addr: IAddress | None) -> SignerConnection:
        return SignerConnection(self._clock)


@implementer(IResolutionReceiver)
class _Addresses:
    """Collects the addresses of a host name.

    Attributes:
        complete: fires with all of them, or fails with `DNSLookupError`.
    """

    def __init__(self) -> None:
        self.complete: Deferred[list[str]] = Deferred()
        self._found: list[str] = []
        self._name = ""

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:
        self._name = resolutionInProgress.name

    def addressResolved(self, address: Any) -> None:
        self._found.append(address.host)

    def resolutionComplete(self) -> None:
        if self._found:
            self.complete.callback(self._found)
        else:
            self.complete.errback(DNSLookupError(f"the host name {self._name} is unknown"))
