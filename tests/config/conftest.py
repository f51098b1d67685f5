"""A configuration directory with the files that configurations name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from notary.config import (
    ConfigError,
    ServerConfig,
    SignerConfig,
    load_server_config,
    load_signer_config,
)

PEM_FILES = (
    "notary-server.crt",
    "notary-server.key",
    "notary-signer.crt",
    "notary-signer.key",
    "root-ca.crt",
    "token-ca.crt",
)

SIGNER_DOOR = {
    "grpc_addr": ":7899",
    "tls_cert_file": "notary-signer.crt",
    "tls_key_file": "notary-signer.key",
}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory that holds stand-ins for certificates and keys."""
    for name in PEM_FILES:
        (tmp_path / name).write_text("-----BEGIN CERTIFICATE-----\n", encoding="ascii")
    return tmp_path


Load = Callable[..., ServerConfig]
LoadSigner = Callable[..., SignerConfig]


@pytest.fixture
def load(directory: Path) -> Load:
    """Load a document, given as the sections that differ from the smallest one."""

    def load_sections(environ: dict[str, str] | None = None, **sections: Any) -> ServerConfig:
        smallest = {
            "server": {"http_addr": ":4443"},
            "trust_service": {"type": "local"},
            "storage": {"backend": "memory"},
        }
        path = directory / "server.json"
        path.write_text(json.dumps({**smallest, **sections}), encoding="utf-8")
        return load_server_config(path, environ or {})

    return load_sections


@pytest.fixture
def load_signer(directory: Path) -> LoadSigner:
    """As `load`, for the signer."""

    def load_sections(environ: dict[str, str] | None = None, **sections: Any) -> SignerConfig:
        smallest = {"server": SIGNER_DOOR, "storage": {"backend": "memory"}}
        path = directory / "signer.json"
        path.write_text(json.dumps({**smallest, **sections}), encoding="utf-8")
        return load_signer_config(path, environ or {})

    return load_sections


def problems_of(
    load: Load | LoadSigner,
    directory: Path,
    environ: dict[str, str] | None = None,
    **sections: Any,
) -> list[str]:
    """The lines that tell why a document is refused."""
    with pytest.raises(ConfigError) as caught:
        load(environ, **sections)
    return [problem.replace(str(directory), "DIR") for problem in caught.value.problems]


def value_at(config: Any, path: tuple[str, ...]) -> Any:
    """What a configuration holds under a key path."""
    for step in path:
        config = getattr(config, step)
    return config
