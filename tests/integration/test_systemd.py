"""What ``docs/systemd.rst`` tells an administrator to do, done on a machine with systemd."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.support import notary_client
from tests.support.daemons import FIXTURES, find_program
from tests.support.documents import shell_blocks
from tests.support.machine import Machine, booted

pytestmark = pytest.mark.integration

PAGE = FIXTURES.parent / "docs" / "systemd.rst"
GUN = "registry.example.com/machine"
UNITS = [
    f"notary-{daemon}{instance}" for daemon in ("server", "signer") for instance in ("", "@eu")
]
PASSPHRASES = "\n".join(
    f"export {name}='{value}'" for name, value in notary_client.PASSPHRASES.items()
)
CLIENT = f"""{PASSPHRASES}
client() {{
    notary -s https://localhost:4443 --tlscacert /etc/notary/root-ca.crt -d /root/.trust "$@"
}}
wait_for_signer() {{
    curl --fail --silent --retry 30 --retry-delay 1 --output /dev/null \
        --cacert /etc/notary/root-ca.crt https://localhost:4443/_notary_server/health
}}
"""
ASK_ALL_THE_TIME = """
for _ in $(seq 40); do
    curl --silent --output /dev/null --write-out '%{http_code} ' \
        --cacert /etc/notary/root-ca.crt https://localhost:4443/v2/
done
"""


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine on which everything was done that the page says, in order."""
    if not os.environ.get("NOTARY_TEST_SYSTEMD"):
        pytest.skip("this takes a machine of its own: make test-systemd")
    find_program("curl", "curl")
    with booted(tmp_path_factory.mktemp("machine")) as machine:
        for block in shell_blocks(PAGE.read_text()):
            machine.shell(block)
        yield machine


def test_everything_runs(machine: Machine) -> None:
    for unit in UNITS:
        said = machine.shell(f"systemctl show {unit} --property=ActiveState,NRestarts,StatusText")
        assert set(said.split()) == {"ActiveState=active", "NRestarts=0", "StatusText=Serving"}
    log = machine.shell("journalctl --no-pager --output=cat --unit='notary-*'")
    assert "Traceback" not in log
    assert not machine.shell("journalctl --no-pager -p err --quiet --unit='notary-*'")


def test_daemons_are_shut_in(machine: Machine) -> None:
    for unit in UNITS:
        status = machine.shell(f"cat /proc/$(systemctl show -P MainPID {unit})/status")
        fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
        assert fields["NoNewPrivs"] == "1"
        assert int(fields["CapBnd"], 16) == 0
        assert fields["Seccomp"] == "2"
        assert fields["Uid"].split()[0] != "0"


def test_publish(machine: Machine) -> None:
    find_program("notary", "notary")
    machine.shell(
        f"{CLIENT}wait_for_signer\n"
        f"client init -p {GUN}; client key rotate {GUN} snapshot -r\n"
        f"client add -p {GUN} v1 LICENSE"
    )
    # It has to open its keys again, with the passphrase that is a credential now.
    machine.shell("systemctl restart notary-signer")
    machine.shell(f"{CLIENT}wait_for_signer; client add -p {GUN} v2 LICENSE")
    assert {"v1", "v2"} <= set(machine.shell(f"{CLIENT}client list {GUN}").split())


def test_nobody_is_refused_during_a_restart(machine: Machine) -> None:
    said = machine.shell(f"({ASK_ALL_THE_TIME}) & systemctl restart notary-server; wait $!")
    assert said.split() == ["200"] * 40


def test_secrets_are_for_root(machine: Machine) -> None:
    said = machine.shell("stat --format='%n %a %U' /etc/notary/*.env /etc/notary/timestamp_1")
    for line in said.splitlines():
        assert line.split()[1:] == ["600", "root"], line
    refused = machine.shell(
        "! runuser -u notary-server -- cat /etc/notary/notary-signer.key /etc/notary/signer.env"
    )
    assert refused.count("Permission denied") == 2


def test_certificates_are_renewed(machine: Machine) -> None:
    said = machine.shell(
        "make certs DIR=certs\n"
        "for file in root-ca.crt notary-server.crt notary-server.key; do\n"
        "    cp certs/$file /etc/notary/\n"
        "done\n"
        "systemctl reload notary-server\n"
        "stat --format='%a %G' /etc/notary/notary-server.key\n"
        "sleep 2; openssl s_client -connect localhost:4443 </dev/null 2>/dev/null |\n"
        "    openssl x509 -noout -serial; openssl x509 -in certs/notary-server.crt -noout -serial"
    )
    *_, access, shown, renewed = said.splitlines()
    assert access == "640 notary-server"
    assert shown == renewed
