"""All metrics of the signer, and what they are read from."""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime

from notary.observe.registry import DaemonMetrics
from notary.observe.tallies import Calls as CallTallies
from notary.signer.call_log import Caller
from notary.signer.calls import Calls
from notary.signer.protocol import SignerFactory
from notary.signer.vault import KeyVault
from notary.signing.signer_pb2 import Request, Response
from notary.signing.wire import Code
from notary.tuf.names import SNAPSHOT, TIMESTAMP

PREFIX = "notary_signer"

CALLS = ("create_key", "delete_key", "get_key_info", "sign", "check_health")


class MeasuredCalls(Calls):
    """Counts the calls it answers, by what came of them, and the signatures by role.

    Args:
        vault: has the keys.
        tallies: where calls are counted, with the name of their code.
        clock: tells how long answers take.

    Attributes:
        signatures: how many were given out, by role.
    """

    def __init__(self, vault: KeyVault, tallies: CallTallies, clock: IReactorTime) -> None:
        super().__init__(vault, clock)
        self._tallies = tallies
        self.signatures = {SNAPSHOT: 0, TIMESTAMP: 0}

    async def answer(self, request: Request, peer: Caller) -> Response:
        """See `Calls.answer`."""
        began = self._clock.seconds()
        response = await super().answer(request, peer)
        call = request.WhichOneof("call") or "unknown"
        well = response.WhichOneof("result") != "error"
        code = "OK" if well else Code(response.error.code).name
        self._tallies.observe(call, code, self._clock.seconds() - began)
        if call == "sign" and well:
            self.signatures[request.sign.role] += 1
        return response


class SignerMetrics(DaemonMetrics):
    """The registry of a signer, filled as the signer is put together.

    Args:
        version: of the signer.
        clock: tells how long things take.
    """

    def __init__(self, version: str, clock: IReactorTime) -> None:
        self._clock = clock
        super().__init__(PREFIX, version)

    def measured_calls(self, vault: KeyVault) -> Calls:
        """Return what answers calls from a vault, and counts them."""
        what = "the signer by servers"
        tallies = CallTallies(self.registry, PREFIX, what, CALLS, "code", "OK")
        calls = MeasuredCalls(vault, tallies, self._clock)
        self.read("signatures_total", "Signatures given out.", lambda: calls.signatures, "role")
        self.read("keys_created_total", "Keys made.", lambda: vault.made)
        self.read("keys_open", "Decrypted keys in memory.", lambda: vault.open_keys)
        self.read("vault_hits_total", "Keys that were needed and open already.", lambda: vault.hits)
        self.read(
            "vault_misses_total",
            "Keys that were needed and had to be read and decrypted.",
            lambda: vault.misses,
        )
        return calls

    def watch_connections(self, factory: SignerFactory) -> None:
        """Tell of the connections of servers."""
        self.read(
            "connections", "Connections of servers that are open.", lambda: len(factory.connections)
        )
        self.read(
            "connections_refused_total",
            "Connections refused: too many, another protocol, or a handshake that failed.",
            lambda: factory.refused,
            "reason",
        )
