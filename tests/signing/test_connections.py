"""Connections to the signer: where they lead, what becomes of lost ones, which one a call gets."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from notary.signing import connections as module
from notary.signing.client import SignerConnection
from notary.signing.connections import CONNECTIONS, PATIENCE, SignerConnections
from notary.signing.signer_pb2 import KeyID, Request, Response
from notary.signing.wire import HANDSHAKE_TIMEOUT
from tests.server.harness import result_of
from tests.signing.network import (
    NAME,
    PAUSE,
    PORT,
    A,
    B,
    C,
    Connect,
    Network,
    best,
    unavailable,
)
from tests.signing.signers import Certificates

CONNECT_TIMEOUT = 5


@pytest.fixture
def single(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes one connection out of four."""
    monkeypatch.setattr(module, "CONNECTIONS", 1)


def address_of(connection: SignerConnection) -> str:
    return str(connection.transport.getPeer().host)


class TestAddresses:
    @pytest.mark.parametrize("host", [A, C])
    def test_one_that_is_given_is_used_for_all(
        self, network: Network, connect: Connect, host: str
    ) -> None:
        connect(host)
        assert network.connected == [host] * CONNECTIONS
        assert network.nameResolver.asked == []

    def test_those_of_a_name_are_used_in_turn(self, network: Network, connect: Connect) -> None:
        connect(NAME)
        assert [host for _, host in network.dialled] == [A, B, C, A]
        assert network.connected == sorted([A, A, B, C])

    def test_from_a_dead_one_it_goes_on_to_the_next(
        self, network: Network, connect: Connect
    ) -> None:
        network.stop(B)
        connect(NAME)
        assert network.connected == sorted([A, A, C])
        network.pass_seconds(PAUSE)
        assert network.connected == sorted([A, A, C, C])

    def test_from_a_silent_one_it_goes_on_after_a_while(
        self, network: Network, connect: Connect
    ) -> None:
        network.be_silent(B)
        connections = connect(NAME)
        network.pass_seconds(CONNECT_TIMEOUT + PAUSE)
        assert network.connected == sorted([A, A, C, C])
        assert address_of(result_of(best(connections))) == A

    def test_from_a_mute_one_too(self, network: Network, connect: Connect) -> None:
        network.be_mute(B)
        connect(NAME)
        network.pass_seconds(HANDSHAKE_TIMEOUT + PAUSE)
        assert network.connected == sorted([A, A, C, C])

    def test_they_are_looked_up_each_time(self, network: Network, connect: Connect) -> None:
        """A signer that moves, as in a cluster, is found at its new address."""
        network.nameResolver.known[NAME] = [A]
        connect(NAME)
        network.nameResolver.known[NAME] = [B]
        network.stop(A)
        network.pass_seconds(PAUSE)
        assert network.connected == [B] * CONNECTIONS

    def test_a_name_that_has_none(self, network: Network, connect: Connect) -> None:
        connections = connect("nowhere.example.com")
        assert unavailable(best(connections, patience=0)) == (
            f"the signer at nowhere.example.com:{PORT} cannot be reached: "
            "DNS lookup failed: the host name nowhere.example.com is unknown."
        )
        network.nameResolver.known["nowhere.example.com"] = [A]
        network.pass_seconds(PAUSE)
        assert network.connected == [A] * CONNECTIONS


@pytest.mark.usefixtures("single")
class TestPauses:
    def test_they_grow_until_there_is_a_connection(
        self, network: Network, connect: Connect, pauses: list[int]
    ) -> None:
        network.stop(A)
        connect(A)
        network.pass_seconds(3 * PAUSE)
        assert pauses == [1, 2, 3, 4]
        network.serve(A)
        network.pass_seconds(PAUSE)
        network.stop(A)
        network.pass_seconds(2 * PAUSE)
        assert pauses == [1, 2, 3, 4, 0, 1, 2]

    def test_a_connection_on_which_nothing_is_answered_is_a_failure(
        self, network: Network, connect: Connect, pauses: list[int]
    ) -> None:
        network.be_mute(A)
        connect(A)
        network.pass_seconds(2 * (HANDSHAKE_TIMEOUT + PAUSE))
        assert pauses == [1, 2]

    def test_by_default_they_end_at_ten_seconds(
        self, network: Network, certificates: Certificates
    ) -> None:
        network.stop(A)
        SignerConnections(network, A, PORT, certificates.of_server()).startService()
        network.pass_seconds(120)
        times = [at for at, _ in network.dialled]
        gaps = [later - earlier for earlier, later in pairwise(times)]
        assert 0 < gaps[0] <= 2
        assert all(10 <= gap <= 11.5 for gap in gaps[8:])
        assert len(gaps) > 12


class TestChoice:
    def call(self, connection: SignerConnection) -> Deferred[Any]:
        return connection.call(lambda request: request.delete_key.MergeFrom(KeyID()))

    def test_those_that_are_equally_busy_take_turns(
        self, network: Network, connect: Connect
    ) -> None:
        connections = connect(A)
        chosen = [result_of(best(connections)) for _ in range(2 * CONNECTIONS)]
        assert len(set(chosen)) == CONNECTIONS
        assert chosen[:CONNECTIONS] == chosen[CONNECTIONS:]

    def test_the_least_busy_one_comes_first(self, network: Network, connect: Connect) -> None:
        network.signers[A].hang()
        connections = connect(A)
        chosen = [result_of(best(connections)) for _ in range(CONNECTIONS)]
        for connection in (chosen[0], chosen[1], chosen[3], chosen[0]):
            self.call(connection)
        assert result_of(best(connections)) is chosen[2]
        assert result_of(best(connections)) is chosen[2]
        self.call(chosen[2])
        assert {result_of(best(connections)) for _ in range(3)} == set(chosen[1:])

    def test_when_all_are_as_busy_as_may_be_there_is_none(
        self, network: Network, connect: Connect, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "MAX_CALLS", 3)
        held: list[Deferred[Response]] = []

        def hold(_: Request) -> Deferred[Response]:
            held.append(Deferred())
            return held[-1]

        network.signers[A].instead = hold
        connections = connect(A)
        for _ in range(3 * CONNECTIONS):
            self.call(result_of(best(connections)))
        network.settle()
        assert unavailable(best(connections)) == (
            f"too many calls to the signer at {A}:{PORT} are under way"
        )
        held[5].callback(Response(id=3))
        network.settle()
        self.call(result_of(best(connections)))
        assert "too many" in unavailable(best(connections))

    def test_a_lost_one_is_not_chosen(self, network: Network, connect: Connect) -> None:
        connections = connect(NAME)
        network.stop(A)
        assert {address_of(result_of(best(connections))) for _ in range(4)} == {B, C}


class TestPatience:
    def test_at_first_a_call_waits_for_a_connection(
        self, network: Network, connect: Connect
    ) -> None:
        network.stop(A)
        connections = connect(A)
        waiting = [best(connections) for _ in range(3)]
        network.pass_seconds(PATIENCE - 2 * PAUSE)
        network.serve(A)
        assert not any(each.called for each in waiting)
        network.pass_seconds(PAUSE)
        for each in waiting:
            result_of(each)

    def test_after_a_loss_it_waits_for_another(self, network: Network, connect: Connect) -> None:
        connections = connect(A)
        network.pass_seconds(100)
        lost = result_of(best(connections))
        network.cut(A)
        waiting = best(connections)
        assert not waiting.called
        network.pass_seconds(PAUSE)
        assert result_of(waiting) is not lost

    def test_but_not_for_long(self, network: Network, connect: Connect) -> None:
        """Then a call fails at once: a server without a signer has to answer all the same."""
        connections = connect(A)
        network.pass_seconds(100)
        network.stop(A)
        network.pass_seconds(PATIENCE - PAUSE)
        waiting = best(connections)
        network.pass_seconds(PAUSE - 0.5)
        assert not waiting.called
        network.pass_seconds(0.5)
        reason = f"the signer at {A}:{PORT} cannot be reached: Connection was refused by other side"
        assert unavailable(waiting).startswith(reason)
        assert unavailable(best(connections)).startswith(reason)

    def test_who_does_not_want_to_wait_learns_why_it_was_lost(
        self, network: Network, connect: Connect
    ) -> None:
        connections = connect(A)
        network.cut(A)
        assert unavailable(best(connections, patience=0)) == (
            f"the signer at {A}:{PORT} cannot be reached: "
            "the connection ended: Connection to the other side was lost in a non-clean fashion: "
            "Connection lost."
        )

    def test_who_waits_may_give_up(self, network: Network, connect: Connect) -> None:
        network.stop(A)
        connections = connect(A)
        waiting = best(connections)
        waiting.addErrback(lambda _: None).cancel()
        network.serve(A)
        network.pass_seconds(PAUSE)
        assert network.connected == [A] * CONNECTIONS
