"""What the page about troubleshooting says that clients say is what they say."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from tests.support.daemons import Server, free_port
from tests.support.documents import REPOSITORY
from tests.support.notary_client import ClientError, NotaryClient
from tests.support.pairs import Plan, plan_pair

pytestmark = pytest.mark.integration

PAGE = REPOSITORY / "docs" / "troubleshooting.rst"
GUN = "example.com/app"
PREFIXES = {"gun_prefixes": ["example.com/"]}


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """A pair with SQLite that takes collections of one prefix."""
    plan = plan_pair(tmp_path)
    return attrs.evolve(plan, server={**plan.server, "repositories": PREFIXES})


def assert_told(symptom: str, client: NotaryClient, *arguments: str | Path) -> None:
    """A client fails with words that are an entry of the page."""
    assert f"``{symptom}``" in PAGE.read_text()
    with pytest.raises(ClientError) as caught:
        client.run(*arguments)
    assert symptom in str(caught.value).partition("The server's log meanwhile")[0]


def test_a_server_in_good_order(plan: Plan, tmp_path: Path) -> None:
    with plan.run() as pair:
        one = NotaryClient(pair.server, tmp_path / "one")
        assert_told("does not have trust data for", one, "list", GUN)
        assert_told("Has a notary repository been initialized?", one, "init", "-p", "other/app")
        distrusting = attrs.evolve(one, authority=None)
        assert_told("certificate signed by unknown authority", distrusting, "list", GUN)
        one.run("init", "-p", GUN)
        another = NotaryClient(pair.server, tmp_path / "another")
        another.run("list", GUN)
        another.run("delete", "--remote", GUN)
        NotaryClient(pair.server, tmp_path / "third").run("init", "-p", GUN)
        assert_told("could not rotate trust to a new trusted root", one, "list", GUN)


def test_nobody_listens(tmp_path: Path) -> None:
    (tmp_path / "log").touch()
    nobody = Server(free_port(), tmp_path / "log", 0)
    client = NotaryClient(nobody, tmp_path / "trust")
    assert_told("connection refused", client, "list", GUN)
    assert_told("client is offline", client, "list", GUN)


def test_the_signer_is_away(plan: Plan, tmp_path: Path) -> None:
    with plan.run_server() as server:
        client = NotaryClient(server, tmp_path / "trust")
        assert_told("unable to reach trust server at this time: 503", client, "init", "-p", GUN)


def test_the_signer_lost_its_keys(plan: Plan, tmp_path: Path) -> None:
    """What the page about production says of that loss."""
    own, served = f"{GUN}/own", f"{GUN}/served"
    with plan.run() as pair:
        client = NotaryClient(pair.server, tmp_path / "trust")
        client.run("init", "-p", own)
        client.run("init", "-p", served)
        client.run("key", "rotate", served, "snapshot", "-r")
    for path in tmp_path.glob("signer.db*"):
        path.unlink()
    with plan.run():
        lost = "server does not hold current snapshot key"
        assert_told(lost, client, "key", "rotate", served, "timestamp", "-r")
        lost = "no timestamp keys exist on the server"
        assert_told(lost, client, "key", "rotate", served, "snapshot", "-r")
        assert_told(lost, client, "key", "rotate", served, "snapshot")
        client.run("key", "rotate", own, "timestamp", "-r")
        client.run("add", "-p", own, "v1", PAGE)
        assert set(client.targets(own)) == {"v1"}
