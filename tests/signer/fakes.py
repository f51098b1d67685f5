"""What stands below a signer and beside it, ready to do on demand what goes wrong in earnest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from OpenSSL import crypto
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail, maybeDeferred
from twisted.internet.testing import StringTransport
from zope.interface import implementer

from notary.signing.wire import ALPN
from notary.storage.interfaces import StoreUnavailableError
from notary.storage.keys.interfaces import IKeyStore, SealedKey

T = TypeVar("T")

AWAY = StoreUnavailableError("the database is away")


@implementer(IKeyStore)
class SwitchedKeyStore:
    """A store of keys that can fail, and whose answers can be made to wait.

    Attributes:
        inner: the store that does the work.
        failures: what methods fail with, by their names.
        hanging: methods, or IDs of keys, whose calls wait to be let go.
        asked: the methods called so far, with the key that they are about.
    """

    def __init__(self, store: IKeyStore) -> None:
        self.inner = store
        self.failures: dict[str, Exception] = {}
        self.hanging: set[str] = set()
        self.asked: list[tuple[str, str]] = []
        self._waiting: list[Callable[[], object]] = []

    def go_away(self) -> None:
        """Fail like a database that cannot be reached."""
        self.failures = {str(name): AWAY for name in IKeyStore.names()}

    def let_go(self) -> None:
        """Answer all that waits, and let nothing wait any more."""
        self.hanging.clear()
        while self._waiting:
            self._waiting.pop(0)()

    def times(self, method: str) -> int:
        """How often a method was called."""
        return sum(asked == method for asked, _ in self.asked)

    def add(self, key: SealedKey) -> Deferred[None]:
        """See `IKeyStore.add`."""
        return self._ask("add", key.key_id, lambda: self.inner.add(key))

    def by_id(self, key_id: str) -> Deferred[SealedKey]:
        """See `IKeyStore.by_id`."""
        return self._ask("by_id", key_id, lambda: self.inner.by_id(key_id))

    def unused(self, gun: str, role: str, algorithm: str) -> Deferred[Sequence[SealedKey]]:
        """See `IKeyStore.unused`."""
        return self._ask("unused", "", lambda: self.inner.unused(gun, role, algorithm))

    def mark_used(self, key_id: str) -> Deferred[None]:
        """See `IKeyStore.mark_used`."""
        return self._ask("mark_used", key_id, lambda: self.inner.mark_used(key_id))

    def delete(self, key_id: str) -> Deferred[None]:
        """See `IKeyStore.delete`."""
        return self._ask("delete", key_id, lambda: self.inner.delete(key_id))

    def check(self) -> Deferred[None]:
        """See `IKeyStore.check`."""
        return self._ask("check", "", self.inner.check)

    def _ask(self, method: str, key_id: str, ask: Callable[[], Deferred[T]]) -> Deferred[T]:
        self.asked.append((method, key_id))

        def answer() -> Deferred[T]:
            return fail(self.failures[method]) if method in self.failures else ask()

        if self.hanging.isdisjoint({method, key_id}):
            return answer()
        held: Deferred[T] = Deferred()
        self._waiting.append(lambda: answer().chainDeferred(held))
        return held


class HeldThreads:
    """Runs work at once, or holds its results back.

    Attributes:
        holding: whether results wait to be let go.
        ran: the names of the functions that were run.
    """

    def __init__(self) -> None:
        self.holding = False
        self.ran: list[str] = []
        self._waiting: list[Callable[[], object]] = []

    def run(self, function: Callable[..., Any], *args: Any) -> Deferred[Any]:
        self.ran.append(function.__name__)
        done = maybeDeferred(function, *args)
        if not self.holding:
            return done
        held: Deferred[Any] = Deferred()
        self._waiting.append(lambda: done.chainDeferred(held))
        return held

    def let_go(self) -> None:
        """Deliver all that waits, and let nothing wait any more."""
        self.holding = False
        while self._waiting:
            self._waiting.pop(0)()


class TLSTransport(StringTransport):
    """A TLS connection whose handshake comes out as it is told.

    Attributes:
        negotiatedProtocol: what ALPN has come to.
        options: socket options by the names of their setters.
    """

    def __init__(
        self, negotiated: bytes | None = ALPN, certificate: crypto.X509 | None = None
    ) -> None:
        super().__init__(peerAddress=IPv4Address("TCP", "192.168.1.1", 54321), lenient=True)
        self.negotiatedProtocol = negotiated
        self._certificate = certificate
        self.options: dict[str, bool] = {}

    def setTcpNoDelay(self, enabled: bool) -> None:
        self.options["setTcpNoDelay"] = enabled

    def setTcpKeepAlive(self, enabled: bool) -> None:
        self.options["setTcpKeepAlive"] = enabled

    def getPeerCertificate(self) -> crypto.X509 | None:
        return self._certificate

    def getHandle(self) -> Any:
        return self

    def write(self, data: bytes) -> None:
        """Send; as Twisted's, drop what comes after the end unless a producer is registered."""
        if self.connected and not (self.disconnecting and self.producer is None):
            super().write(data)

    def unregisterProducer(self) -> None:
        """Forget the producer; as Twisted's, there need not be one."""
        self.producer = None
