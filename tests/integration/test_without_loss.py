"""Certificates are replaced and daemons stop while requests go on: none of them fails."""

from __future__ import annotations

import http.client
import json
import os
import signal
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import attrs
import pytest
from cryptography import x509

from tests.support.api_client import ApiClient
from tests.support.authority import Identity, make_identity
from tests.support.daemons import (
    OUR_SERVER,
    OUR_SIGNER,
    PLAIN_SERVER,
    listens,
    running,
    write_config,
)
from tests.support.kept import Client, begin, fail_early
from tests.support.pairs import Plan, plan_pair
from tests.support.publishers import Publisher, assert_whole, wait_for

pytestmark = pytest.mark.integration

GUN = "registry.example.com/rolling"
READERS = 8
RELOADS = 50
PATIENCE = 20
"""Seconds until a new certificate has to be shown."""
RESTART_SECONDS = 2.5
"""How long a signer may be away unnoticed: less than the server holds calls back."""


@attrs.define
class Certificates:
    """The certificate that a server shows, which is replaced again and again.

    Attributes:
        authority: signs it.
        certificate_file: where the server looks for it.
        key_file: where the server looks for its key.
    """

    directory: Path
    authority: Identity
    certificate_file: Path
    key_file: Path

    @classmethod
    def make(cls, directory: Path) -> Certificates:
        """Make the first one."""
        authority = make_identity(directory, "root-ca", is_ca=True)
        made = cls(directory, authority, directory / "live.crt", directory / "live.key")
        made.replace()
        return made

    def replace(self) -> x509.Certificate:
        """Put another one in its place, in two steps."""
        new = make_identity(self.directory, "new", self.authority)
        os.replace(new.certificate_file, self.certificate_file)
        os.replace(new.key_file, self.key_file)
        return new.certificate


@attrs.define
class Newcomer:
    """Connects again and again, and resumes its session if the server lets it."""

    port: int
    context: ssl.SSLContext
    resumed: int = 0
    _session: ssl.SSLSession | None = None

    def connect(self) -> x509.Certificate:
        """Have a request answered on a new connection, and return what the server shows."""
        connection = http.client.HTTPConnection("localhost", self.port, timeout=60)
        with closing(connection):
            connection.connect()
            secure = self.context.wrap_socket(
                connection.sock, server_hostname="localhost", session=self._session
            )
            connection.sock = secure
            connection.request("GET", "/v2/")
            response = connection.getresponse()
            assert response.status == http.client.OK
            response.read()
            self._session = secure.session
            self.resumed += bool(secure.session_reused)
            shown = secure.getpeercert(binary_form=True)
            assert shown is not None
            return x509.load_der_x509_certificate(shown)


@pytest.mark.parametrize("server", [[OUR_SERVER], PLAIN_SERVER], ids=["uvloop", "without uvloop"])
def test_certificates_are_replaced_and_the_server_stops(
    tmp_path: Path, server: list[str | Path]
) -> None:
    plan = plan_pair(tmp_path)
    certificates = Certificates.make(tmp_path)
    port = plan.server_port
    files = certificates.certificate_file, certificates.key_file
    plan.server["server"].update(tls_cert_file=str(files[0]), tls_key_file=str(files[1]))
    command = [*server, f"--config={write_config(tmp_path, plan.server)}"]
    log = tmp_path / "server.log"
    context = ssl.create_default_context(cafile=certificates.authority.certificate_file)
    newcomer = Newcomer(port, context)
    clients = [Client(ApiClient(port, context)) for _ in range(READERS + 1)]
    with ThreadPoolExecutor(READERS + 1) as pool, plan.run_signer():
        with running(command, log, lambda: listens(port)) as pid:
            jobs = begin(clients, pool, GUN)
            begun = time.monotonic()
            for _ in range(RELOADS):
                new = certificates.replace()
                os.kill(pid, signal.SIGHUP)
                wait_until_shown(newcomer, new)
                fail_early(jobs)
                resumed = newcomer.resumed
                assert newcomer.connect() == new
                assert newcomer.resumed == resumed + 1
                time.sleep(0.1)
        seconds = time.monotonic() - begun
        for job in jobs:
            job.result()
    answered = [client.answered for client in clients]
    print(
        f"{sum(answered)} requests answered in {seconds:.1f} s, {answered[-1]} of them publishes, "
        f"{newcomer.resumed} sessions resumed, {RELOADS} reloads"
    )
    errors = [line for line in log.read_text().splitlines() if '"level":"error"' in line]
    assert all("does not belong to the certificate" in line for line in errors), errors
    assert "Traceback" not in log.read_text()


def wait_until_shown(newcomer: Newcomer, certificate: x509.Certificate) -> None:
    deadline = time.monotonic() + PATIENCE
    while newcomer.connect() != certificate:
        assert time.monotonic() < deadline
        time.sleep(0.01)


class TestSigners:
    """Two signers over one database, behind one name: one on each address of ``localhost``."""

    HOSTS = ("127.0.0.1", "[::1]")

    @pytest.fixture
    def plan(self, tmp_path: Path) -> Plan:
        return plan_pair(tmp_path)

    def start(self, plan: Plan, host: str) -> ExitStack:
        """Start a signer; it stops when the stack is closed."""
        directory = plan.directory / host.strip("[]").replace(":", "_")
        directory.mkdir(exist_ok=True)
        config = json.loads(json.dumps(plan.signer))
        config["server"]["grpc_addr"] = f"{host}:{plan.signer_port}"
        command: list[str | Path] = [
            OUR_SIGNER,
            f"-config={write_config(directory, config, 'signer.json')}",
        ]
        stack = ExitStack()
        stack.enter_context(
            running(
                command,
                directory / "signer.log",
                lambda: listens(plan.signer_port, host.strip("[]")),
                {"NOTARY_SIGNER_TIMESTAMP_1": "an open sesame"},
            )
        )
        return stack

    @pytest.mark.parametrize("hosts", [HOSTS, HOSTS[:1]], ids=["two", "one"])
    def test_one_after_the_other_is_started_again(self, plan: Plan, hosts: tuple[str, ...]) -> None:
        away = []
        signers = {host: self.start(plan, host) for host in hosts}
        with plan.run_server() as server, ThreadPoolExecutor(4) as pool:
            publishers = [Publisher(server.port, [f"{GUN}/{n}"], 45) for n in range(4)]
            jobs = [pool.submit(publisher.work) for publisher in publishers]
            for restart in range(4):
                wait_for(publishers, jobs, 30 * (restart + 1))
                host = hosts[restart % len(hosts)]
                begun = time.monotonic()
                signers[host].close()
                signers[host] = self.start(plan, host)
                away.append(time.monotonic() - begun)
            for job in jobs:
                job.result()
            with closing(ApiClient(server.port)) as client:
                for publisher in publishers:
                    for gun in publisher.guns:
                        assert_whole(client, gun, publisher.acknowledged[gun])
        for stack in signers.values():
            stack.close()
        refused = [dict(publisher.refused) for publisher in publishers if publisher.refused]
        print(f"away for {[f'{seconds:.1f}' for seconds in away]} s; refused: {refused}")
        if len(hosts) > 1 or max(away) < RESTART_SECONDS:
            assert not refused
