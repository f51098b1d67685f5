"""The samples of this project, and files as the Go daemons' own samples, load."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from notary.config import load_server_config, load_signer_config
from notary.config.server import RemoteTrust
from tests.config.conftest import Load

REPOSITORY = Path(__file__).parents[2]
SAMPLES = sorted(path.name for path in (REPOSITORY / "conf").glob("s*-*.json"))
ROOT_CA = Path("fixtures", "root-ca.crt")
KINDS = ("local", "mysql", "postgres")
LOADERS = {"server": load_server_config, "signer": load_signer_config}

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


@pytest.fixture
def conf(tmp_path: Path) -> Path:
    """The samples in a tree like the repository, with what they need and only an operator has."""
    (tmp_path / "fixtures").symlink_to(REPOSITORY / "fixtures")
    (tmp_path / "var").mkdir()
    (tmp_path / "conf").mkdir()
    for name in SAMPLES:
        (tmp_path / "conf" / name).symlink_to(REPOSITORY / "conf" / name)
    (tmp_path / "conf" / "token-ca.crt").write_bytes((tmp_path / ROOT_CA).read_bytes())
    return tmp_path / "conf"


@pytest.mark.parametrize("name", SAMPLES)
def test_sample_loads_without_warnings(conf: Path, name: str) -> None:
    daemon = name.partition("-")[0]
    assert LOADERS[daemon](conf / name, {}).warnings == ()


def test_there_are_samples() -> None:
    assert {*SAMPLES} == {
        *(f"{daemon}-{kind}.json" for daemon in LOADERS for kind in KINDS),
        "server-token.json",
    }


@pytest.mark.parametrize(
    ("server_kind", "signer_kind"), [*((kind, kind) for kind in KINDS), ("token", "mysql")]
)
def test_samples_belong_together(conf: Path, server_kind: str, signer_kind: str) -> None:
    server = load_server_config(conf / f"server-{server_kind}.json", {})
    signer = load_signer_config(conf / f"signer-{signer_kind}.json", {})
    assert isinstance(server.trust_service, RemoteTrust)
    assert str(signer.server.grpc_addr).endswith(f":{server.trust_service.port}")
    assert server.trust_service.tls_client_cert is not None
    assert signer.server.client_ca_file is not None
    assert server.storage.backend == signer.storage.backend
    assert server.storage.db_url != signer.storage.db_url
    assert (server.auth is not None) == (server_kind == "token")


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
def test_file_for_the_go_server_loads(load: Load, directory: Path, storage: dict[str, Any]) -> None:
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


@pytest.mark.parametrize(
    "storage",
    [
        {"backend": "memory"},
        {
            "backend": "mysql",
            "db_url": "signer@tcp(mysql:3306)/notarysigner?parseTime=True",
        },
        {
            "backend": "postgres",
            "db_url": "postgres://signer@postgresql:5432/notarysigner?sslmode=verify-ca",
        },
        {"backend": "sqlite3", "db_url": "/tmp/notary-signer.db"},
    ],
    ids=lambda storage: storage["backend"],
)
def test_file_for_the_go_signer_loads(directory: Path, storage: dict[str, Any]) -> None:
    path = directory / "signer.json"
    document = {
        "server": {
            "grpc_addr": ":7899",
            "tls_cert_file": "./notary-signer.crt",
            "tls_key_file": "./notary-signer.key",
            "client_ca_file": "./notary-server.crt",
        },
        "logging": {"level": "debug"},
        "storage": storage,
    }
    path.write_text(json.dumps(document, indent="\t"), encoding="utf-8")
    config = load_signer_config(
        path,
        {
            "NOTARY_SIGNER_DEFAULT_ALIAS": "timestamp_1",
            "NOTARY_SIGNER_TIMESTAMP_1": "testpassword",
        },
    )
    assert config.warnings == ()
    assert str(config.server.grpc_addr) == ":7899"
    assert config.server.client_ca_file == directory / "notary-server.crt"
    assert config.storage.default_alias == "timestamp_1"
    assert config.storage.db_url == storage.get("db_url", "")
