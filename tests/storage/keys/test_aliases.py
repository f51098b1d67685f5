"""Which passphrases the stored keys need."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import Engine

from notary.signing.private_keys import PrivateKey
from notary.storage.bootstrap import SIGNER, bootstrap
from notary.storage.dsn import engine_url
from notary.storage.engines import create_engine_for
from notary.storage.keys.aliases import alias_uses
from notary.storage.keys.interfaces import SealedKey
from notary.storage.keys.sql import add_txn, delete_txn
from notary.storage.transactions import run_transaction

NOW = datetime(2026, 1, 2, 3, 4, 5)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = create_engine_for(engine_url("sqlite3", str(tmp_path / "signer.db")))
    bootstrap(engine, SIGNER)
    yield engine
    engine.dispose()


def add(engine: Engine, alias: str) -> str:
    """Store a key; returns its ID."""
    public = PrivateKey.generate("ed25519").public
    key = SealedKey(
        key_id=public.key_id,
        algorithm="ed25519",
        gun="example.com/app",
        role="timestamp",
        public=public.public,
        private=b"sealed",
        passphrase_alias=alias,
        keywrap_alg="",
        encryption_alg="",
    )
    run_transaction(engine, lambda connection: add_txn(connection, key, NOW))
    return key.key_id


def test_none(engine: Engine) -> None:
    assert list(alias_uses(engine)) == []


def test_each_with_its_newest_key(engine: Engine) -> None:
    deleted = add(engine, "gone")
    run_transaction(engine, lambda connection: delete_txn(connection, deleted, NOW))
    ids = [add(engine, alias) for alias in ("b", "a", "b")]
    uses = [(use.alias, use.keys, use.sample.key_id) for use in alias_uses(engine)]
    assert uses == [("a", 1, ids[1]), ("b", 2, ids[2])]
