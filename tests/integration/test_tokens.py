"""Real clients that have to show access tokens, with the Go server and with ours."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.support.daemons import (
    OUR_SERVER,
    REFERENCE_SERVER,
    Server,
    find_program,
    free_port,
    server_config,
    serving_config,
)
from tests.support.delegations import RELEASES, enrol
from tests.support.docker_client import DockerClient
from tests.support.notary_client import ClientError, NotaryClient
from tests.support.token_server import PUBLISHER, READER, User, giving_tokens
from tests.support.tokens import Signer, auth_section, write_bundle

pytestmark = pytest.mark.integration

UNSEEN = "no signatures or cannot access"
REFUSED = "you are not authorized to perform this operation|incorrect username or password"

HEADERS: dict[str, Callable[[Signer], dict[str, Any]]] = {"kid": Signer.kid, "x5c": Signer.x5c}


@attrs.frozen
class UserClient(NotaryClient):
    """The ``notary`` command of somebody who has a password, or has none."""

    user: User | None = None

    @property
    def environment(self) -> dict[str, str]:
        basic = {"NOTARY_AUTH": self.user.basic} if self.user else {}
        return {**super().environment, **basic}


@pytest.fixture(
    scope="module",
    params=[(server, header) for server in ("reference", "ours") for header in HEADERS],
    ids="-".join,
)
def guarded_server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server that wants tokens, and one that gives them; what signs them has one certificate."""
    which, header = request.param
    program = find_program(REFERENCE_SERVER, "notary") if which == "reference" else OUR_SERVER
    directory = tmp_path_factory.mktemp(f"guarded-{which}-{header}")
    authority = Signer.make(name="authority", is_ca=True)
    signer = Signer.make("RSA") if header == "kid" else Signer.make(issuer=authority)
    vouching = signer if header == "kid" else authority
    bundle = write_bundle(directory / "bundle.crt", vouching.certificate)
    with ExitStack() as stack:
        tokens = stack.enter_context(giving_tokens(directory, signer, HEADERS[header](signer)))
        config = server_config(port := free_port(), {"backend": "memory"})
        config["auth"] = auth_section(bundle, realm=tokens.realm)
        yield stack.enter_context(serving_config(program, directory, config, port))


MakeClient = Callable[[str, User | None], UserClient]


@pytest.fixture
def make_client(guarded_server: Server, tmp_path: Path) -> MakeClient:
    return lambda name, user: UserClient(guarded_server, tmp_path / name, user=user)


@pytest.fixture
def gun(request: pytest.FixtureRequest) -> str:
    return "registry.example.com/" + re.sub(r"\W+", "-", request.node.name)


@pytest.fixture
def artefact(tmp_path: Path) -> Path:
    path = tmp_path / "artefact"
    path.write_bytes(b"content")
    return path


def test_the_whole_flow_with_user_and_password(
    make_client: MakeClient, gun: str, artefact: Path
) -> None:
    alice, bob = make_client("alice", PUBLISHER), make_client("bob", READER)
    delegate = make_client("delegate", PUBLISHER)
    alice.run("init", gun)
    alice.run("add", gun, "v1", artefact)
    alice.run("publish", gun)
    alice.run("key", "rotate", gun, "snapshot", "-r")
    enrol(alice, delegate, gun, RELEASES, paths="")
    delegate.run("add", "-p", gun, "v2", artefact, "--roles", RELEASES)

    assert set(bob.targets(gun)) == {"v1", "v2"}
    assert bob.run("lookup", gun, "v1").startswith("v1 sha256:")
    assert bob.run("verify", gun, "v1", "-i", artefact) == "content"

    alice.run("remove", "-p", gun, "v1")
    assert set(bob.targets(gun)) == {"v2"}
    alice.run("delete", "--remote", gun)
    with pytest.raises(ClientError, match="does not have trust data for"):
        make_client("carol", READER).targets(gun)


def test_who_may_only_pull_cannot_publish_or_delete(
    make_client: MakeClient, gun: str, artefact: Path
) -> None:
    alice, bob = make_client("alice", PUBLISHER), make_client("bob", READER)
    alice.run("init", "-p", gun)
    with pytest.raises(ClientError, match=REFUSED):
        bob.run("init", "-p", f"{gun}-of-bob")
    with pytest.raises(ClientError, match=REFUSED):
        bob.run("delete", "--remote", gun)
    assert bob.targets(gun) == {}


@pytest.mark.parametrize(
    "user", [None, attrs.evolve(PUBLISHER, password="another one")], ids=["nobody", "a stranger"]
)
def test_who_has_no_password_can_do_nothing(
    make_client: MakeClient, gun: str, user: User | None
) -> None:
    make_client("alice", PUBLISHER).run("init", "-p", gun)
    stranger = make_client("stranger", user)
    for arguments in (["list", gun], ["init", "-p", f"{gun}-2"], ["delete", "--remote", gun]):
        with pytest.raises(ClientError, match=REFUSED):
            stranger.run(*arguments)


def test_docker(guarded_server: Server, tmp_path: Path, gun: str) -> None:
    repository = f"localhost:5000/team/{gun.rpartition('/')[2]}".rstrip("-")
    clients = {}
    for name, user in {"alice": PUBLISHER, "bob": READER, "nobody": None}.items():
        clients[name] = DockerClient(guarded_server, tmp_path / name)
        auths = {"localhost:5000": {"auth": user.basic}} if user else {}
        (tmp_path / name / "config.json").write_text(json.dumps({"auths": auths}))
    clients["alice"].trust("key", "generate", "alice", "--dir", tmp_path)
    key = tmp_path / "alice.pub"
    with pytest.raises(ClientError, match=REFUSED):
        clients["bob"].trust("signer", "add", "--key", key, "alice", repository)
    clients["alice"].trust("signer", "add", "--key", key, "alice", repository)
    found = clients["bob"].inspect(repository)
    assert [each["Name"] for each in found["Signers"]] == ["alice"]
    with pytest.raises(ClientError, match=UNSEEN):
        clients["nobody"].inspect(repository)
