"""A configuration directory with the files that configurations name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from notary.config import ServerConfig, load_server_config

PEM_FILES = ("notary-server.crt", "notary-server.key", "root-ca.crt", "token-ca.crt")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory that holds stand-ins for certificates and keys."""
    for name in PEM_FILES:
        (tmp_path / name).write_text("-----BEGIN CERTIFICATE-----\n", encoding="ascii")
    return tmp_path


Load = Callable[..., ServerConfig]


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
