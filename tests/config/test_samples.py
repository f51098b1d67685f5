"""The samples of this project, and files as the Go daemon's own samples, load."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from notary.config import load_server_config
from notary.config.server import RemoteTrust
from tests.config.conftest import Load

CONF = Path(__file__).parents[2] / "conf"

GO_SERVER = {
    "http_addr": ":4443",
    "tls_key_file": "./notary-server.key",
    "tls_cert_file": "./notary-server.crt",
}
GO_TRUST_SERVICE = {
    "type": "remote",
    "hostname": "notarysigner",
    "port": "7899",
    "tls_ca_file": "./root-ca.crt",
    "key_algorithm": "ecdsa",
    "tls_client_cert": "./notary-server.crt",
    "tls_client_key": "./notary-server.key",
}


@pytest.mark.parametrize("path", sorted(CONF.glob("server-*.json")), ids=lambda path: path.name)
def test_sample_loads_without_warnings(path: Path) -> None:
    assert load_server_config(path, {}).warnings == ()


def test_there_are_samples() -> None:
    names = {path.name for path in CONF.glob("*.json")}
    assert names >= {"server-local.json", "server-mysql.json"}


@pytest.mark.parametrize(
    "storage",
    [
        {"backend": "memory"},
        {
            "backend": "mysql",
            "db_url": "server@tcp(mysql:3306)/notaryserver?parseTime=True",
        },
        {
            "backend": "postgres",
            "db_url": "postgres://server@postgresql:5432/notaryserver?sslmode=verify-ca",
        },
        {"backend": "sqlite3", "db_url": "/tmp/notary-server.db"},
    ],
    ids=lambda storage: storage["backend"],
)
def test_file_for_the_go_daemon_loads(load: Load, directory: Path, storage: dict[str, Any]) -> None:
    config = load(
        server=GO_SERVER,
        trust_service=GO_TRUST_SERVICE,
        logging={"level": "debug"},
        storage=storage,
    )
    assert config.warnings == ()
    assert config.server.tls_key_file == directory / "notary-server.key"
    assert isinstance(config.trust_service, RemoteTrust)
    assert config.trust_service.port == 7899
    assert config.storage.db_url == storage.get("db_url", "")
