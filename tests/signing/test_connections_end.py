"""Connections to the signer: how they end, and what is logged of what is wrong with them."""

from __future__ import annotations

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.python.failure import Failure

from notary.signing.client import CallLostError, SignerConnection
from notary.signing.connections import CONNECTIONS, SignerConnections
from tests.server.harness import log_lines, result_of
from tests.signing.loopback import HOST, ListeningSigner, until
from tests.signing.network import (
    NAME,
    PAUSE,
    PORT,
    A,
    Connect,
    Network,
    best,
    unavailable,
)
from tests.signing.signers import Certificates


class TestStop:
    def stop(self, network: Network, connections: SignerConnections) -> None:
        """Stop, and make sure that nothing is left."""
        stopping = connections.stopService()
        network.settle()
        result_of(stopping)
        assert network.connected == []
        assert network.getDelayedCalls() == []
        assert unavailable(best(connections)) == (
            f"the signer at {connections} cannot be reached: this server is stopping"
        )

    def test_while_connected(self, network: Network, connect: Connect) -> None:
        network.signers[A].hang()
        connections = connect(NAME)
        call = result_of(best(connections)).call(lambda request: None)
        self.stop(network, connections)
        with pytest.raises(CallLostError):
            result_of(call)

    def test_while_connecting(self, network: Network, connect: Connect) -> None:
        network.be_silent(A)
        self.stop(network, connect(A))

    def test_while_shaking_hands(self, network: Network, connect: Connect) -> None:
        network.be_mute(A)
        self.stop(network, connect(A))

    def test_while_looking_up_a_name(self, network: Network, connect: Connect) -> None:
        network.nameResolver.holding = True
        connections = connect(NAME)
        self.stop(network, connections)
        network.nameResolver.let_go()
        network.settle()
        assert network.dialled == []

    def test_while_pausing(self, network: Network, connect: Connect) -> None:
        network.stop(A)
        self.stop(network, connect(A))

    def test_while_calls_wait(self, network: Network, connect: Connect) -> None:
        """Nobody has to wait for what will not come any more."""
        network.stop(A)
        connections = connect(A)
        waiting = best(connections)
        self.stop(network, connections)
        assert "this server is stopping" in unavailable(waiting)

    def test_at_the_hands_of_who_waited(self, network: Network, connect: Connect) -> None:
        network.stop(A)
        connections = connect(A)
        stopped = best(connections).addCallback(lambda _: connections.stopService())
        network.serve(A)
        network.pass_seconds(PAUSE)
        assert result_of(stopped) is None
        assert network.connected == []
        assert network.getDelayedCalls() == []

    def test_may_start_again(self, network: Network, connect: Connect) -> None:
        connections = connect(A)
        network.pass_seconds(100)
        self.stop(network, connections)
        connections.startService()
        waiting = best(connections)
        network.settle()
        result_of(waiting)
        assert network.connected == [A] * CONNECTIONS

    @ensureDeferred
    async def test_real_connections_have_ended_then(
        self,
        listening: ListeningSigner,
        certificates: Certificates,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        ended = []
        end = SignerConnection.connectionLost

        def note_end(connection: SignerConnection, reason: Failure) -> None:
            ended.append(connection)
            end(connection, reason)

        monkeypatch.setattr(SignerConnection, "connectionLost", note_end)
        connections = SignerConnections(reactor, HOST, listening.port, certificates.of_server())
        connections.startService()
        await until(lambda: len(connections._usable) == CONNECTIONS)
        made = list(connections._usable)
        assert ended == []
        await connections.stopService()
        assert set(ended) == set(made)


class TestLog:
    def complaints(self, lines: list[str]) -> list[str]:
        beginning = f"the signer at {A}:{PORT}: "
        return [line.removeprefix(beginning) for line in lines if line.startswith(beginning)]

    def test_the_same_trouble_is_logged_once(self, network: Network, connect: Connect) -> None:
        network.stop(A)
        with log_lines() as lines:
            connect(A)
            network.pass_seconds(20)
        assert self.complaints(lines) == ["Connection was refused by other side."]

    def test_another_one_is_logged_too(self, network: Network, connect: Connect) -> None:
        network.stop(A)
        with log_lines() as lines:
            connect(A)
            network.be_silent(A)
            network.pass_seconds(20)
        assert self.complaints(lines) == [
            "Connection was refused by other side.",
            "User timeout caused connection failure.",
        ]

    def test_the_same_one_is_logged_again_after_a_connection(
        self, network: Network, connect: Connect
    ) -> None:
        with log_lines() as lines:
            connect(A)
            for _ in range(2):
                network.cut(A)
                network.pass_seconds(PAUSE)
        lost = "Connection to the other side was lost in a non-clean fashion: Connection lost."
        assert self.complaints(lines) == [f"the connection ended: {lost}"] * 2
        assert lines.count(f"connected to the signer at {A}:{PORT}") == 3 * CONNECTIONS

    def test_an_end_that_is_wanted_is_no_trouble(self, network: Network, connect: Connect) -> None:
        connections = connect(A)
        with log_lines() as lines:
            connections.stopService()
            network.settle()
        assert self.complaints(lines) == []
