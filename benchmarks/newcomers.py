"""Workloads whose clients have no connection yet."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress

import attrs

from benchmarks.contenders import RSA, Contender
from benchmarks.crowds import crowd
from benchmarks.https import Connection, Expected, WrongAnswerError, client_context, get
from benchmarks.loads import Go


@attrs.frozen
class Pulls:
    """Each client connects, asks for all files of a collection, leaves, and takes the next one.

    Attributes:
        clients: how many.
        collections: the files of each, in the order in which clients ask.
    """

    name: str
    title: str
    clients: int
    collections: Sequence[Sequence[Expected]] = attrs.field(repr=False)
    certificate: str = RSA

    @contextmanager
    def ready(self, contender: Contender, seconds: float) -> Iterator[Go]:
        """Pull once, which also warms what the server keeps in memory."""
        port = contender.server(self.certificate).port
        pullers = [_Puller(port, self.collections, number) for number in range(self.clients)]
        for _ in self.collections:
            pullers[0].step()
        with crowd(pullers, seconds) as go:
            yield go


@attrs.define
class _Puller:
    _port: int
    _collections: Sequence[Sequence[Expected]] = attrs.field(repr=False)
    _next: int
    _context: ssl.SSLContext = attrs.field(factory=client_context)

    def begin(self) -> None:
        pass

    def step(self) -> None:
        files = self._collections[self._next % len(self._collections)]
        self._next += 1
        with closing(Connection(self._port, self._context)) as connection:
            for each in files:
                each.check(connection.ask(get(each.path)))


@attrs.frozen
class Handshakes:
    """Each client connects and leaves.

    Attributes:
        clients: how many.
        resumed: whether they resume the session of a connection before.
    """

    name: str
    title: str
    clients: int
    certificate: str
    resumed: bool = False

    @contextmanager
    def ready(self, contender: Contender, seconds: float) -> Iterator[Go]:
        """Have the clients ready."""
        port = contender.server(self.certificate).port
        visitors = [_Visitor(port, self.resumed) for _ in range(self.clients)]
        with crowd(visitors, seconds) as go:
            yield go


@attrs.define
class _Visitor:
    _port: int
    _resumed: bool
    _context: ssl.SSLContext = attrs.field(factory=client_context)
    _session: ssl.SSLSession | None = None

    def begin(self) -> None:
        """Get a session, which comes with the first answer at the latest."""
        if self._resumed:
            with closing(Connection(self._port, self._context)) as connection:
                connection.ask(get("/v2/"))
                self._session = connection.tls.session

    def step(self) -> None:
        with closing(Connection(self._port, self._context, self._session)) as connection:
            if connection.tls.session_reused != self._resumed:
                raise WrongAnswerError(f"a session was {'not ' * self._resumed}resumed")
            # The server says goodbye too, once it has completed the handshake.
            with suppress(ssl.SSLError, ConnectionError):
                connection.tls.unwrap()
