"""A signer that is put together from a configuration, asked over the network by a server."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
from pytest_twisted import ensureDeferred
from twisted.application.service import MultiService
from twisted.internet import reactor
from twisted.internet.threads import deferToThread

from notary.config import load_signer_config
from notary.reloading import Reloader
from notary.signer import tap
from notary.signer.passphrases import variable
from notary.signing.signer_pb2 import Request, Response
from notary.signing.wire import Code
from notary.tuf.keys import PublicKey
from tests.signer.clients import ask, client_context
from tests.signer.harness import ALIAS, GUN, PASSPHRASE, PAYLOAD
from tests.support.authority import Identity, make_identity
from tests.support.daemons import FIXTURES, ROOT_CA, free_port, write_config


@attrs.frozen
class Running:
    """A signer that runs in this process."""

    _port: int
    _client: Identity

    async def ask(self, **call: Any) -> Response:
        context = client_context(ROOT_CA, self._client)
        (answer,) = await deferToThread(ask, self._port, context, Request(id=1, **call))
        return answer

    async def create_key(self) -> PublicKey:
        wanted = {"gun": GUN, "role": "snapshot", "algorithm": "ed25519"}
        return PublicKey("ed25519", (await self.ask(create_key=wanted)).create_key.publicKey)

    async def sign(self, key: PublicKey) -> Response:
        fields = {"keyID": {"ID": key.key_id}, "gun": GUN, "role": "snapshot", "content": PAYLOAD}
        return await self.ask(sign=fields)


@asynccontextmanager
async def running(
    directory: Path, storage: Mapping[str, str], passphrase: str = PASSPHRASE
) -> AsyncIterator[Running]:
    """Run what a configuration asks for until the block ends."""
    port = free_port()
    authority = make_identity(directory, "authority", is_ca=True)
    server = {
        "grpc_addr": f"127.0.0.1:{port}",
        "tls_cert_file": str(FIXTURES / "notary-signer.crt"),
        "tls_key_file": str(FIXTURES / "notary-signer.key"),
        "client_ca_file": str(authority.certificate_file),
    }
    config = load_signer_config(write_config(directory, {"server": server, "storage": storage}), {})
    services = MultiService()
    environ = {variable(ALIAS): passphrase}
    tap.build(config, environ, directory, reactor, services, Reloader(reactor))
    services.startService()
    try:
        yield Running(port, make_identity(directory, "client", authority))
    finally:
        await services.stopService()


MEMORY = {"backend": "memory"}


def sqlite(directory: Path) -> dict[str, str]:
    path = directory / "signer.db"
    return {"backend": "sqlite3", "db_url": str(path), "default_alias": ALIAS}


@pytest.mark.parametrize("backend", ["memory", "sqlite3"])
@ensureDeferred
async def test_signs_with_the_keys_it_makes(tmp_path: Path, backend: str) -> None:
    async with running(tmp_path, MEMORY if backend == "memory" else sqlite(tmp_path)) as signer:
        assert (await signer.ask(check_health={})).HasField("check_health")
        key = await signer.create_key()
        assert key.verifies("eddsa", (await signer.sign(key)).sign.content, PAYLOAD)


@ensureDeferred
async def test_keys_in_memory_end_with_it(tmp_path: Path) -> None:
    async with running(tmp_path, MEMORY) as signer:
        key = await signer.create_key()
    async with running(tmp_path, MEMORY) as signer:
        assert (await signer.sign(key)).error.code == Code.NOT_FOUND


@ensureDeferred
async def test_keys_in_a_database_do_not(tmp_path: Path) -> None:
    async with running(tmp_path, sqlite(tmp_path)) as signer:
        key = await signer.create_key()
    async with running(tmp_path, sqlite(tmp_path)) as signer:
        assert key.verifies("eddsa", (await signer.sign(key)).sign.content, PAYLOAD)


@ensureDeferred
async def test_with_another_passphrase_they_do_not_open(tmp_path: Path) -> None:
    async with running(tmp_path, sqlite(tmp_path)) as signer:
        key = await signer.create_key()
    async with running(tmp_path, sqlite(tmp_path), "another passphrase") as signer:
        error = (await signer.sign(key)).error
        assert error.code == Code.INTERNAL
        assert "the passphrase is wrong" in error.message
        assert await signer.create_key() != key


@ensureDeferred
async def test_strangers_are_kept_out(tmp_path: Path) -> None:
    async with running(tmp_path, MEMORY) as signer:
        stranger = attrs.evolve(signer, client=make_identity(tmp_path, "stranger"))
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await stranger.ask(check_health={})
