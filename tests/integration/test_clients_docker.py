"""``docker trust``: signers as Docker's users know them, which are delegations underneath."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.daemons import Server
from tests.support.docker_client import PASSPHRASES, DockerClient
from tests.support.notary_client import ClientError, NotaryClient, run_client

pytestmark = pytest.mark.integration


@pytest.fixture
def owner(trust_server: Server, tmp_path: Path) -> DockerClient:
    return DockerClient(trust_server, tmp_path / "owner")


@pytest.fixture
def signer(trust_server: Server, tmp_path: Path) -> DockerClient:
    return DockerClient(trust_server, tmp_path / "signer")


@pytest.fixture
def repository(request: pytest.FixtureRequest) -> str:
    return f"localhost:5000/team/{request.node.originalname}"


def signers(found: dict[str, Any]) -> set[str]:
    return {each["Name"] for each in found["Signers"]}


def add_signer(
    owner: DockerClient, signer: DockerClient, name: str, repository: str, directory: Path
) -> None:
    """Let a signer make a key pair, and the owner of a repository add its public half."""
    signer.trust("key", "generate", name, "--dir", directory)
    owner.trust("signer", "add", "--key", directory / f"{name}.pub", name, repository)


def publish_as(signer: DockerClient, name: str, repository: str, tag: str, path: Path) -> None:
    """What ``docker trust sign`` publishes; the command itself asks an engine for the image."""
    notary = NotaryClient(signer.server, signer.trust_directory)
    run_client(
        notary.command(
            "add", "-p", repository, tag, path, "--roles", f"targets/{name},targets/releases"
        ),
        signer.server,
        {
            "HOME": str(signer.directory),
            "NOTARY_DELEGATION_PASSPHRASE": PASSPHRASES[
                "DOCKER_CONTENT_TRUST_REPOSITORY_PASSPHRASE"
            ],
        },
    )


def test_first_signer_makes_the_repository(
    owner: DockerClient, signer: DockerClient, repository: str, tmp_path: Path
) -> None:
    add_signer(owner, signer, "alice", repository, tmp_path)

    found = signer.inspect(repository)
    assert found["Name"] == repository
    assert found["SignedTags"] == []
    assert signers(found) == {"alice"}
    assert {each["Name"] for each in found["AdministrativeKeys"]} == {"Root", "Repository"}
    pretty = signer.trust("inspect", "--pretty", repository)
    assert f"No signatures for {repository}" in pretty
    key_id = found["Signers"][0]["Keys"][0]["ID"]
    assert f"alice     {key_id[:12]}" in pretty


def test_signer_with_a_loaded_key_signs_a_tag(
    owner: DockerClient, signer: DockerClient, repository: str, tmp_path: Path
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    private, public, image = tmp_path / "bob.key", tmp_path / "bob.pub", tmp_path / "image"
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
    )
    private.chmod(0o600)
    public.write_bytes(
        key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    image.write_text("stands for the manifest of an image")
    digest = hashlib.sha256(image.read_bytes()).hexdigest()

    signer.trust("key", "load", "--name", "bob", private)
    owner.trust("signer", "add", "--key", public, "bob", repository)
    publish_as(signer, "bob", repository, "1.0", image)

    assert owner.inspect(f"{repository}:1.0")["SignedTags"] == [
        {"SignedTag": "1.0", "Digest": digest, "Signers": ["bob"]}
    ]
    (line,) = [
        line
        for line in owner.trust("inspect", "--pretty", repository).splitlines()
        if line.startswith("1.0")
    ]
    assert line.split() == ["1.0", digest, "bob"]


def test_removed_signer_is_gone_with_what_she_signed(
    owner: DockerClient, signer: DockerClient, repository: str, tmp_path: Path
) -> None:
    """She is the one who signed last: Docker 28 forgets to remove any other."""
    image = tmp_path / "image"
    image.write_text("stands for the manifest of an image")
    add_signer(owner, signer, "alice", repository, tmp_path)
    add_signer(owner, owner, "bob", repository, tmp_path)
    publish_as(signer, "alice", repository, "1.0", image)
    assert signers(owner.inspect(repository)) == {"alice", "bob"}

    said = owner.trust("signer", "remove", "alice", repository, answer="y\n")
    assert f"Successfully removed alice from {repository}" in said
    found = signer.inspect(repository)
    assert signers(found) == {"bob"}
    assert found["SignedTags"] == []


def test_unsigned_repository_is_reported(owner: DockerClient, repository: str) -> None:
    with pytest.raises(ClientError, match="o signatures or cannot access"):
        owner.inspect(repository)
