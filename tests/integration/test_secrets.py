"""No log holds a private key, a passphrase or a database password, whatever goes wrong."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from notary.signer.envelope import unseal
from tests.support.daemons import OUR_SERVER, OUR_SIGNER, PASSPHRASE, DaemonError, bootstrap
from tests.support.mariadb import PASSWORD, MariaDB
from tests.support.notary_client import ClientError, NotaryClient
from tests.support.pairs import Plan, plan_pair

pytestmark = pytest.mark.integration

GUN = "registry.example.com/secrets"
OTHER_PASSPHRASE = "another passphrase"


@pytest.fixture(scope="module")
def plan(mariadb: MariaDB, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return plan_pair(
        tmp_path_factory.mktemp("secrets"),
        databases=mariadb,
        rights="SELECT, INSERT, DELETE",
        level="debug",
    )


@pytest.fixture(scope="module")
def logs(plan: Plan) -> str:
    """All that a pair had to say when it was used, well and badly."""
    with plan.run() as pair:
        publisher = NotaryClient(pair.server, plan.directory / "trust")
        publisher.run("init", "-p", GUN)
        publisher.run("key", "rotate", GUN, "snapshot", "-r")
        publisher.run("add", "-p", GUN, "v1", plan.directory / "server.json")
    wrong = {"NOTARY_SIGNER_TIMESTAMP_1": OTHER_PASSPHRASE}
    with plan.run_signer(environment=wrong), plan.run_server(), pytest.raises(ClientError):
        publisher.run("add", "-p", GUN, "v2", plan.directory / "server.json")
    texts = [path.read_text() for path in plan.directory.glob("*.log")]
    texts += [refusal(plan, OUR_SERVER, plan.server), refusal(plan, OUR_SIGNER, plan.signer)]
    return "\n".join(texts)


def refusal(plan: Plan, program: Path, config: Any) -> str:
    """What a daemon says if the database does not let it in."""
    storage = {**config["storage"], "db_url": config["storage"]["db_url"].replace("notary_", "no")}
    with pytest.raises(DaemonError) as caught:
        bootstrap(program, plan.directory, {**config, "storage": storage}, "refused.json")
    return str(caught.value)


def test_there_was_something_to_say(logs: str) -> None:
    for said in (
        "which could not be noted",
        "the passphrase is wrong, or the encrypted key is damaged",
        "Access denied",
        "signed timestamp of",
    ):
        assert said in logs


@pytest.mark.parametrize(
    "secret", [PASSWORD, quote(PASSWORD), repr(PASSWORD)[1:-1], PASSPHRASE, OTHER_PASSPHRASE]
)
def test_no_password_or_passphrase(logs: str, secret: str) -> None:
    assert secret not in logs


def test_no_private_key(logs: str, plan: Plan, mariadb: MariaDB) -> None:
    database = plan.signer["storage"]["db_url"].rpartition("/")[2].partition("?")[0]
    rows = mariadb.execute(f"SELECT private FROM {database}.private_keys")
    assert len(rows) >= 2
    for (envelope,) in rows:
        private = unseal(envelope, PASSPHRASE)
        secrets = {
            "sealed": envelope.decode(),
            "base64": base64.b64encode(private).decode(),
            "hex": private.hex(),
            "repr": repr(private)[2:40],
        }
        assert [name for name, secret in secrets.items() if secret in logs] == []
    assert "PRIVATE KEY" not in logs
