"""The whole job of the unmodified ``notary`` 0.7.0 client, as two or more people do it."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from tests.support.daemons import Server
from tests.support.delegations import RELEASES, enrol, make_certificate
from tests.support.notary_client import PASSPHRASES, ClientError, NotaryClient, Target

pytestmark = pytest.mark.integration

CONTENT = b"the content that is published\n"

MakeClient = Callable[[str], NotaryClient]


@pytest.fixture
def make_client(trust_server: Server, tmp_path: Path) -> MakeClient:
    return lambda name: NotaryClient(trust_server, tmp_path / name)


@pytest.fixture
def publisher(make_client: MakeClient) -> NotaryClient:
    return make_client("publisher")


@pytest.fixture
def reader(make_client: MakeClient) -> NotaryClient:
    return make_client("reader")


@pytest.fixture
def delegate(make_client: MakeClient) -> NotaryClient:
    return make_client("delegate")


@pytest.fixture
def gun(request: pytest.FixtureRequest) -> str:
    return "registry.example.com/" + re.sub(r"\W+", "-", request.node.name)


@pytest.fixture
def artefact(tmp_path: Path) -> Path:
    path = tmp_path / "artefact"
    path.write_bytes(CONTENT)
    return path


@pytest.fixture
def collection(publisher: NotaryClient, gun: str, artefact: Path) -> str:
    """A published collection that has the target ``v1``."""
    publisher.run("init", gun)
    publisher.run("add", gun, "v1", artefact)
    publisher.run("publish", gun)
    return gun


@pytest.fixture
def open_collection(publisher: NotaryClient, collection: str) -> str:
    """One whose snapshot the server signs, so that delegates can publish to it."""
    publisher.run("key", "rotate", collection, "snapshot", "-r")
    return collection


def published(role: str = "targets") -> Target:
    return Target(hashlib.sha256(CONTENT).hexdigest(), len(CONTENT), role)


def test_first_publish(
    publisher: NotaryClient, reader: NotaryClient, gun: str, artefact: Path
) -> None:
    publisher.run("init", gun)
    publisher.run("add", gun, "v1", artefact)
    assert re.search(r"create +targets +target +v1", publisher.run("status", gun))
    publisher.run("publish", gun)

    assert reader.targets(gun) == {"v1": published()}
    digest = hashlib.sha256(CONTENT).hexdigest()
    assert reader.run("lookup", gun, "v1") == f"v1 sha256:{digest} {len(CONTENT)}\n"
    with pytest.raises(ClientError, match="No valid trust data for v2"):
        reader.run("lookup", gun, "v2")


def test_verify_passes_what_was_published(
    reader: NotaryClient, collection: str, artefact: Path
) -> None:
    assert reader.run("verify", collection, "v1", "-i", artefact) == CONTENT.decode()


def test_verify_refuses_what_was_tampered_with(
    reader: NotaryClient, collection: str, artefact: Path
) -> None:
    artefact.write_bytes(CONTENT.upper())
    with pytest.raises(ClientError, match="data not present in the trusted collection"):
        reader.run("verify", collection, "v1", "-i", artefact)


def test_nothing_is_known_of_a_collection_that_was_not_published(
    publisher: NotaryClient, reader: NotaryClient, gun: str
) -> None:
    publisher.run("init", gun)
    with pytest.raises(ClientError, match="does not have trust data for"):
        reader.targets(gun)


def test_removed_target_is_gone(
    publisher: NotaryClient, reader: NotaryClient, collection: str, artefact: Path
) -> None:
    publisher.run("add", "-p", collection, "v2", artefact)
    assert set(reader.targets(collection)) == {"v1", "v2"}
    publisher.run("remove", collection, "v1")
    assert set(reader.targets(collection)) == {"v1", "v2"}
    publisher.run("publish", collection)
    assert set(reader.targets(collection)) == {"v2"}


@pytest.mark.parametrize(
    "gun",
    [
        "plain",
        "localhost:5000/a.b/c-d_e",
        "registry.example.com:443/_trust/tuf/x",
        "UPPER/lower",
        "a b/ünïcode+plus",
        "/".join(["deep"] * 20),
    ],
)
def test_guns_of_every_shape(
    publisher: NotaryClient, reader: NotaryClient, gun: str, artefact: Path
) -> None:
    publisher.run("init", "-p", gun)
    publisher.run("add", "-p", gun, "v1", artefact)
    assert reader.targets(gun) == {"v1": published()}


def test_root_certificate_for_a_wildcard(
    publisher: NotaryClient, reader: NotaryClient, gun: str, artefact: Path, tmp_path: Path
) -> None:
    passphrase = PASSPHRASES["NOTARY_ROOT_PASSPHRASE"].encode()
    certificate = make_certificate(
        tmp_path / "root.crt",
        "registry.example.com/*",
        serialization.BestAvailableEncryption(passphrase),
    )
    key = certificate.with_suffix(".key")
    publisher.run("init", "-p", gun, "--rootkey", key, "--rootcert", certificate)
    publisher.run("add", "-p", gun, "v1", artefact)
    assert reader.targets(gun) == {"v1": published()}


def test_delegation_from_start_to_end(
    publisher: NotaryClient,
    delegate: NotaryClient,
    reader: NotaryClient,
    open_collection: str,
    artefact: Path,
) -> None:
    gun = open_collection
    enrol(publisher, delegate, gun, RELEASES, paths="")
    (key_id,) = delegate.keys()["user"]
    assert reader.delegations(gun) == {RELEASES: ('"" <all paths>', key_id)}

    delegate.run("add", "-p", gun, "v2", artefact, "--roles", RELEASES)
    assert reader.targets(gun) == {"v1": published(), "v2": published(RELEASES)}

    publisher.run("delegation", "remove", "-y", "-p", gun, RELEASES)
    assert reader.delegations(gun) == {}
    assert reader.targets(gun) == {"v1": published()}


def test_delegates_need_the_server_to_sign_the_snapshot(
    publisher: NotaryClient, delegate: NotaryClient, collection: str, artefact: Path
) -> None:
    enrol(publisher, delegate, collection, RELEASES, paths="")
    with pytest.raises(ClientError, match="no snapshot was included in update"):
        delegate.run("add", "-p", collection, "v2", artefact, "--roles", RELEASES)


def test_delegate_delegates_further(
    publisher: NotaryClient,
    delegate: NotaryClient,
    reader: NotaryClient,
    make_client: MakeClient,
    open_collection: str,
    artefact: Path,
) -> None:
    gun = open_collection
    enrol(publisher, delegate, gun, "targets/a", paths="a/")
    grandchild = make_client("grandchild")
    enrol(delegate, grandchild, gun, "targets/a/b", paths="a/b/")
    grandchild.run("add", "-p", gun, "a/b/file", artefact, "--roles", "targets/a/b")

    assert reader.targets(gun)["a/b/file"] == published("targets/a/b")
    assert {role: paths for role, (paths, _) in reader.delegations(gun).items()} == {
        "targets/a": "a/",
        "targets/a/b": "a/b/",
    }


@pytest.mark.parametrize("role", ["targets", "snapshot"])
def test_key_of_the_publisher_is_rotated(
    publisher: NotaryClient, reader: NotaryClient, collection: str, artefact: Path, role: str
) -> None:
    assert set(reader.targets(collection)) == {"v1"}
    old = publisher.keys()[role]
    publisher.run("key", "rotate", collection, role)

    publisher.run("add", "-p", collection, "v2", artefact)
    assert set(reader.targets(collection)) == {"v1", "v2"}
    (new,) = publisher.keys()[role] - old
    assert reader.cached(collection, "root")["roles"][role]["keyids"] == [new]


@pytest.mark.parametrize("role", ["timestamp", "snapshot"])
def test_key_of_the_server_is_rotated(
    publisher: NotaryClient, reader: NotaryClient, collection: str, artefact: Path, role: str
) -> None:
    seen = set()
    for attempt in range(2):
        publisher.run("key", "rotate", collection, role, "-r")
        publisher.run("add", "-p", collection, f"after-{attempt}", artefact)
        assert f"after-{attempt}" in reader.targets(collection)
        seen.update(reader.cached(collection, "root")["roles"][role]["keyids"])
    assert len(seen) == 2
    assert not seen & publisher.keys().get(role, set())


def test_root_key_is_rotated_under_the_eyes_of_readers(
    publisher: NotaryClient,
    reader: NotaryClient,
    make_client: MakeClient,
    collection: str,
    artefact: Path,
) -> None:
    assert set(reader.targets(collection)) == {"v1"}
    before = reader.cached(collection, "root")
    publisher.run("key", "rotate", collection, "root", answer="yes\n")
    publisher.run("add", "-p", collection, "v2", artefact)

    assert set(reader.targets(collection)) == {"v1", "v2"}
    after = reader.cached(collection, "root")
    assert after["version"] > before["version"]
    assert not set(after["roles"]["root"]["keyids"]) & set(before["roles"]["root"]["keyids"])
    assert set(make_client("newcomer").targets(collection)) == {"v1", "v2"}


def test_witness_signs_a_role_anew(
    publisher: NotaryClient,
    delegate: NotaryClient,
    reader: NotaryClient,
    open_collection: str,
    artefact: Path,
) -> None:
    gun = open_collection
    enrol(publisher, delegate, gun, RELEASES, paths="")
    delegate.run("add", "-p", gun, "v2", artefact, "--roles", RELEASES)
    before = reader.targets(gun)
    versions = {role: reader.cached(gun, role)["version"] for role in ("targets", RELEASES)}

    publisher.run("witness", "-p", gun, "targets")
    delegate.run("witness", "-p", gun, RELEASES)
    assert reader.targets(gun) == before
    for role, version in versions.items():
        assert reader.cached(gun, role)["version"] == version + 1


def test_collection_is_deleted_and_begun_again(
    publisher: NotaryClient,
    reader: NotaryClient,
    make_client: MakeClient,
    collection: str,
    artefact: Path,
) -> None:
    assert set(reader.targets(collection)) == {"v1"}
    publisher.run("key", "rotate", collection, "root", answer="yes\n")
    assert set(reader.targets(collection)) == {"v1"}
    publisher.run("delete", "--remote", collection)
    with pytest.raises(ClientError, match="does not have trust data for"):
        make_client("newcomer").targets(collection)

    shutil.rmtree(publisher.directory)
    publisher.run("init", "-p", collection)
    publisher.run("add", "-p", collection, "v9", artefact)
    assert set(make_client("newcomer").targets(collection)) == {"v9"}
    with pytest.raises(ClientError, match="could not rotate trust to a new trusted root"):
        reader.targets(collection)


def test_publish_from_a_stale_directory_builds_on_what_others_published(
    publisher: NotaryClient,
    reader: NotaryClient,
    make_client: MakeClient,
    collection: str,
    artefact: Path,
) -> None:
    publisher.run("add", collection, "staged", artefact)
    stale = make_client("stale")
    shutil.copytree(publisher.directory, stale.directory)
    publisher.run("add", "-p", collection, "v2", artefact)
    publisher.run("add", "-p", collection, "v3", artefact)

    stale.run("publish", collection)
    assert set(reader.targets(collection)) == {"v1", "v2", "v3", "staged"}


def test_publishes_that_race_lose_nothing(
    publisher: NotaryClient,
    reader: NotaryClient,
    make_client: MakeClient,
    collection: str,
    artefact: Path,
) -> None:
    """Who is told of success has published; who is refused can publish afterwards."""
    racers = [make_client(f"racer-{number}") for number in range(4)]
    for racer in racers:
        shutil.copytree(publisher.directory, racer.directory)
        racer.run("add", collection, racer.directory.name, artefact)
    processes = [
        subprocess.Popen(
            racer.command("publish", collection),
            env=racer.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for racer in racers
    ]
    outputs = [process.communicate(timeout=60)[0] for process in processes]

    winners = {
        racer.directory.name
        for racer, process in zip(racers, processes, strict=True)
        if process.returncode == 0
    }
    assert winners
    assert set(reader.targets(collection)) == {"v1"} | winners
    for racer, output in zip(racers, outputs, strict=True):
        if racer.directory.name not in winners:
            assert "trust server rejected operation" in output
            racer.run("publish", collection)
    names = {racer.directory.name for racer in racers}
    assert set(reader.targets(collection)) == {"v1"} | names
