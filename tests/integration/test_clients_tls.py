"""What OpenSSL and the Go client think of the servers' TLS."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.daemons import ROOT_CA, Server, find_program
from tests.support.notary_client import ClientError, NotaryClient, run_client

pytestmark = pytest.mark.integration


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_openssl_trusts_the_chain(trust_server: Server, version: str) -> None:
    openssl = find_program("openssl", "openssl")
    done = subprocess.run(
        [openssl, "s_client", "-connect", trust_server.address, "-CAfile", ROOT_CA, version],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
    )
    results = [line for line in done.stdout.splitlines() if "Verify return code" in line]
    assert results
    assert {line.strip() for line in results} == {"Verify return code: 0 (ok)"}


def test_client_that_was_not_given_the_authority_refuses(
    trust_server: Server, tmp_path: Path
) -> None:
    client = NotaryClient(trust_server, tmp_path)
    command = [client.program, "-s", trust_server.url, "-d", str(tmp_path), "list", "some/gun"]
    with pytest.raises(ClientError, match="certificate signed by unknown authority"):
        run_client(command, trust_server, client.environment)
