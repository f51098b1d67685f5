"""Reading a configuration on in spite of its problems."""

from __future__ import annotations

import json
from pathlib import Path

from notary.config import read_server_config

DOCUMENT = {
    "server": {"http_addr": "nowhere"},
    "trust_service": {"type": "local"},
    "storage": {"backend": "mysql", "db_url": "notary:secret@tcp(db)/notary"},
    "logging": {"level": "info"},
}


def write(directory: Path, text: str) -> Path:
    path = directory / "server.json"
    path.write_text(text)
    return path


def test_sections_without_problems_are_there(tmp_path: Path) -> None:
    reading = read_server_config(write(tmp_path, json.dumps(DOCUMENT)), {})
    assert reading.config is None
    assert "server" not in reading.sections
    assert reading.sections["storage"].db_url == "notary:secret@tcp(db)/notary"
    assert reading.sections["logging"].level == "info"
    assert [line.partition(":")[0] for line in reading.problems] == [
        "server.http_addr",
        "trust_service.type",
    ]


def test_sources_tell_file_and_variable_but_no_secret(tmp_path: Path) -> None:
    path = write(tmp_path, json.dumps(DOCUMENT))
    environ = {"NOTARY_SERVER_SERVER_HTTP_ADDR": ":4443"}
    reading = read_server_config(path, environ)
    variable = "environment variable NOTARY_SERVER_SERVER_HTTP_ADDR"
    assert f"server.http_addr: ':4443' (from {variable})" in reading.sources
    assert f"storage.db_url: the value (from {path})" in reading.sources
    assert f"logging.level: 'info' (from {path})" in reading.sources


def test_all_is_there_if_all_is_well(tmp_path: Path) -> None:
    document = {**DOCUMENT, "server": {"http_addr": ":1"}, "storage": {"backend": "memory"}}
    reading = read_server_config(write(tmp_path, json.dumps(document)), {})
    assert reading.config is not None
    assert dict(reading.config) == dict(reading.sections)


def test_a_file_that_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    reading = read_server_config(write(tmp_path, "{"), {})
    assert reading.config is None
    assert len(reading.problems) == 1
    assert reading.sections == {}
