"""The specification of the protocol: its bytes, said to a signer over TLS, and its numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from notary.signer.envelope import ENCRYPTION_ALG, KEYWRAP_ALG, seal
from notary.signing import wire
from notary.signing.private_keys import PrivateKey
from notary.storage.bootstrap import SIGNER, bootstrap
from notary.storage.dsn import engine_url
from notary.storage.engines import create_engine_for
from notary.storage.keys.interfaces import SealedKey
from notary.storage.keys.sql import add_txn
from tests.support.daemons import (
    ALIAS,
    OUR_SIGNER,
    PASSPHRASE,
    Daemon,
    free_port,
    signer_config,
    signing_config,
)
from tests.support.signer_client import SignerSocket

PAGE = Path(__file__).parents[2] / "docs" / "signer-protocol.rst"
GUN = "example.com/app"
SEED = bytes(range(32))


def worked_bytes(text: str) -> list[bytes]:
    """The frames of the page, requests and answers in turn; notes stand behind three spaces."""
    blocks = re.findall(r"(?m)^\.\. code-block:: text\n\n((?:   .*\n)+)", text)
    return [
        bytes.fromhex("".join(line.strip().split("   ")[0] for line in block.splitlines()))
        for block in blocks
    ]


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A signer that holds the key of the page, which has not signed anything."""
    directory = tmp_path_factory.mktemp("protocol")
    path = str(directory / "signer.db")
    engine = create_engine_for(engine_url("sqlite3", path))
    bootstrap(engine, SIGNER)
    public = Ed25519PrivateKey.from_private_bytes(SEED).public_key().public_bytes_raw()
    private = PrivateKey.from_bytes("ed25519", public + SEED + public)
    sealed = SealedKey(
        key_id=private.public.key_id,
        algorithm="ed25519",
        gun=GUN,
        role="timestamp",
        public=public,
        private=seal(private.to_bytes(), PASSPHRASE),
        passphrase_alias=ALIAS,
        keywrap_alg=KEYWRAP_ALG,
        encryption_alg=ENCRYPTION_ALG,
    )
    with engine.begin() as connection:
        add_txn(connection, sealed, datetime(2026, 1, 1))
    engine.dispose()
    config = signer_config(port := free_port(), {"backend": "sqlite3", "db_url": path})
    with signing_config(OUR_SIGNER, directory, config, port) as signer:
        yield signer


@pytest.mark.integration
def test_worked_bytes(signer: Daemon) -> None:
    frames = worked_bytes(PAGE.read_text())
    assert len(frames) == 8
    with closing(SignerSocket(signer.port)) as connection:
        for request, answer in zip(frames[::2], frames[1::2], strict=True):
            connection.socket.sendall(request)
            assert connection.read(len(answer)) == answer


def test_codes() -> None:
    rows = re.findall(r"(?m)^(\d+) +``([A-Z_]+)``", PAGE.read_text())
    assert {name: int(number) for number, name in rows} == {
        code.name: code.value for code in wire.Code
    }


def test_numbers() -> None:
    text = " ".join(PAGE.read_text().split())
    assert f"at most {wire.MAX_FRAME:,} bytes" in text
    assert f"up to {wire.MAX_CALLS} calls under way" in text
    assert wire.ALPN.decode() in text
    assert (wire.KEEPALIVE, wire.IDLE_TIMEOUT) == (60, 180)
    assert "after a minute of silence" in text
    assert "for three minutes" in text
