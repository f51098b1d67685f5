"""Whether a server can reach its signer."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from notary.check.certificates import CLIENT
from notary.check.files import check_shown, check_trusted
from notary.check.findings import Finding, error, ok
from notary.config.server import RemoteTrust
from notary.settings import client_pair
from notary.signing.connections import SignerConnections
from notary.signing.signer_pb2 import HealthCheckResponse
from notary.signing.wire import ALPN
from notary.tls import ClientContext, TLSError

_SUBJECT = "trust_service"


def check_signer_files(trust: RemoteTrust, now: datetime) -> list[Finding]:
    """Judge the certificates for the connection to the signer."""
    findings = check_trusted(f"{_SUBJECT}.tls_ca_file", trust.tls_ca_file, now)
    pair = client_pair(trust)
    if pair is not None:
        names = f"{_SUBJECT}.tls_client_cert", f"{_SUBJECT}.tls_client_key"
        findings += check_shown(*names, pair, CLIENT, now)
    return findings


async def check_signer(trust: RemoteTrust, reactor: Any) -> Sequence[Finding]:
    """Ask the signer for its health, at any address of its host name."""
    try:
        context = ClientContext(trust.hostname, trust.tls_ca_file, client_pair(trust), [ALPN])
    except TLSError as problem:
        return [error(_SUBJECT, f"the signer is not asked, because {problem}")]
    connections = SignerConnections(reactor, trust.hostname, trust.port, context)
    try:
        addresses = await connections.addresses()
    except Exception as problem:
        return [
            error(f"{_SUBJECT}.hostname", f"{str(problem).rstrip('.')}: correct it, or the DNS")
        ]
    troubles = []
    for address in addresses:
        try:
            return [await _ask(connections, address, trust.timeout, reactor)]
        except Exception as problem:
            troubles.append(f"{address}: {str(problem) or type(problem).__name__}")
    return [
        error(
            _SUBJECT,
            f"the signer at {connections} cannot be reached ({'; '.join(troubles)}): check that it "
            "runs, trust_service.hostname and port, and the certificates of both",
        )
    ]


async def _ask(
    connections: SignerConnections, address: str, timeout: float, reactor: Any
) -> Finding:
    connection = await connections.dial(address)
    try:
        calling = connection.call(lambda request: request.check_health.SetInParent())
        response = await calling.addTimeout(timeout, reactor)
    finally:
        connection.transport.abortConnection()
        with suppress(Exception):
            await connection.lost
    where = f"the signer at {connections} ({address})"
    if response.WhichOneof("result") == "error":
        return error(
            _SUBJECT,
            f"{where} lets this server in, but is not ready: {response.error.message}; run "
            "notary-signer -check there",
        )
    if response.check_health.status != HealthCheckResponse.SERVING:
        return error(_SUBJECT, f"{where} is not ready: run notary-signer -check there")
    return ok(_SUBJECT, f"{where} lets this server in, and is ready")
