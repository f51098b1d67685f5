"""The certificates that the project makes are good for daemons and for the real client."""

from __future__ import annotations

import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.daemons import (
    FIXTURES,
    OUR_SERVER,
    OUR_SIGNER,
    PASSPHRASE_ENVIRONMENT,
    Server,
    listens,
    running,
    write_config,
)
from tests.support.delegations import RELEASES
from tests.support.notary_client import NotaryClient
from tests.support.pairs import Plan, plan_for, plan_pair

pytestmark = pytest.mark.integration

GUN = "registry.example.com/certificates"
MEMORY = {"backend": "memory"}
RELOAD_SECONDS = 30


def make_certificates(directory: Path) -> None:
    subprocess.run([sys.executable, FIXTURES / "certs.py", directory], check=True, timeout=60)


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    directory = tmp_path / "certificates"
    make_certificates(directory)
    return directory


def plan_with(certificates: Path, directory: Path) -> Plan:
    """A pair that uses a private set."""
    plan = plan_for(directory, {"server": MEMORY, "signer": MEMORY})
    for name, config in (("server", plan.server), ("signer", plan.signer)):
        for end in ("cert", "key"):
            suffix = {"cert": "crt", "key": "key"}[end]
            config["server"][f"tls_{end}_file"] = str(certificates / f"notary-{name}.{suffix}")
    trust, root_ca = plan.server["trust_service"], str(certificates / "root-ca.crt")
    trust["tls_client_cert"] = plan.server["server"]["tls_cert_file"]
    trust["tls_client_key"] = plan.server["server"]["tls_key_file"]
    trust["tls_ca_file"] = plan.signer["server"]["client_ca_file"] = root_ca
    return plan


@contextmanager
def run(plan: Plan) -> Iterator[tuple[Server, list[int]]]:
    """Run a pair whatever its certificates; yields the server and both process IDs."""
    directory = plan.directory
    signer: list[str | Path] = [
        OUR_SIGNER,
        f"-config={write_config(directory, plan.signer, 'signer.json')}",
    ]
    server: list[str | Path] = [OUR_SERVER, f"-config={write_config(directory, plan.server)}"]
    log = directory / "server.log"
    with (
        running(
            signer,
            directory / "signer.log",
            lambda: listens(plan.signer_port),
            PASSPHRASE_ENVIRONMENT,
        ) as signer_pid,
        running(server, log, lambda: listens(plan.server_port)) as server_pid,
    ):
        yield Server(plan.server_port, log, server_pid), [signer_pid, server_pid]


def shown_by(port: int, authority: Path) -> str:
    """The certificate that a daemon shows, in PEM."""
    return ssl.get_server_certificate(("localhost", port), ca_certs=str(authority))


def test_private_set_and_its_renewal(tmp_path: Path, certificates: Path) -> None:
    plan = plan_with(certificates, tmp_path)
    root_ca = certificates / "root-ca.crt"
    with run(plan) as (server, pids):
        publisher = NotaryClient(server, tmp_path / "publisher", root_ca)
        publisher.run("init", "-p", GUN)
        former = shown_by(server.port, root_ca)

        make_certificates(certificates)
        for pid in pids:
            os.kill(pid, signal.SIGHUP)
        deadline = time.monotonic() + RELOAD_SECONDS
        while shown_by(server.port, root_ca) == former:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        publisher.run("add", "-p", GUN, "v1", FIXTURES / "README.rst")
        assert set(publisher.targets(GUN)) == {"v1"}
    assert "Traceback" not in (tmp_path / "signer.log").read_text()


def test_delegation_to_the_sample_user(tmp_path: Path) -> None:
    with plan_pair(tmp_path).run() as pair:
        publisher = NotaryClient(pair.server, tmp_path / "publisher")
        publisher.run("init", "-p", GUN)
        publisher.run("key", "rotate", GUN, "snapshot", "-r")
        certificate = FIXTURES / "delegation-user.crt"
        publisher.run("delegation", "add", "-p", GUN, RELEASES, certificate, "--all-paths")

        delegate = NotaryClient(pair.server, tmp_path / "delegate")
        delegate.run("key", "import", FIXTURES / "delegation-user.key", "--role", "user")
        delegate.run("add", "-p", GUN, "v1", FIXTURES / "README.rst", "--roles", RELEASES)
        assert publisher.targets(GUN)["v1"].role == RELEASES
