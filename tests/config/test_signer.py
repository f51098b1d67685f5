from __future__ import annotations

import json
import traceback
from pathlib import Path
from typing import Any

import pytest

from notary.config import ConfigError, load_signer_config
from notary.config.schema import dotted
from notary.config.signer import SIGNER_SCHEMA
from notary.config.values import ListenAddress
from tests.config.conftest import SIGNER_DOOR, LoadSigner, problems_of, value_at

MYSQL = {
    "backend": "mysql",
    "db_url": "signer:hunter2@tcp(mysql:3306)/notarysigner",
    "default_alias": "timestamp_1",
}
WITHOUT_ALIAS = {key: value for key, value in MYSQL.items() if key != "default_alias"}
FROM = "(from DIR/signer.json)"


def test_smallest(load_signer: LoadSigner, directory: Path) -> None:
    config = load_signer()
    assert config.warnings == ()
    assert config.server.grpc_addr == ListenAddress("", 7899)
    assert config.server.tls_cert_file == directory / "notary-signer.crt"
    assert config.server.tls_key_file == directory / "notary-signer.key"
    assert config.server.client_ca_file is None
    assert config.storage.backend == "memory"
    assert config.storage.db_url == ""
    assert config.storage.default_alias == ""
    assert config.logging.level == "error"
    assert config.reporting.bugsnag.api_key == ""


def test_every_key(load_signer: LoadSigner, directory: Path) -> None:
    config = load_signer(
        server={
            "grpc_addr": "[::1]:7899",
            "tls_cert_file": "./notary-signer.crt",
            "tls_key_file": str(directory / "notary-signer.key"),
            "client_ca_file": "root-ca.crt",
        },
        storage=MYSQL,
        logging={"level": "WARN"},
        reporting={"bugsnag": {"api_key": "k", "release_stage": "test", "endpoint": "http://x"}},
    )
    assert config.server.grpc_addr == ListenAddress("::1", 7899)
    assert config.server.tls_cert_file == directory / "notary-signer.crt"
    assert config.server.tls_key_file == directory / "notary-signer.key"
    assert config.server.client_ca_file == directory / "root-ca.crt"
    assert config.storage.backend == "mysql"
    assert config.storage.db_url == MYSQL["db_url"]
    assert config.storage.default_alias == "timestamp_1"
    assert config.logging.level == "warning"
    assert config.reporting.bugsnag.release_stage == "test"
    assert [warning.partition(" (")[0] for warning in config.warnings] == [
        "reporting.bugsnag.api_key: has no effect: no report is sent to Bugsnag"
    ]


def test_relative_database_path(load_signer: LoadSigner, directory: Path) -> None:
    config = load_signer(storage={"backend": "sqlite3", "db_url": "x.db", "default_alias": "a"})
    assert config.storage.db_url == str(directory / "x.db")


@pytest.mark.parametrize("missing", SIGNER_DOOR)
def test_server_needs(load_signer: LoadSigner, directory: Path, missing: str) -> None:
    absent = {key: value for key, value in SIGNER_DOOR.items() if key != missing}
    for server in (absent, {**absent, missing: ""}, {**absent, missing: None}):
        assert problems_of(load_signer, directory, server=server) == [
            f"server.{missing}: is required "
            f"(set it in DIR/signer.json or as NOTARY_SIGNER_SERVER_{missing.upper()})"
        ]


@pytest.mark.parametrize(
    ("sections", "problem"),
    [
        (
            {"server": {**SIGNER_DOOR, "grpc_addr": "7899"}},
            f"server.grpc_addr: '7899' {FROM} is not an address to listen on: write ':PORT', "
            "'HOST:PORT' or '[IPv6]:PORT' with a port from 0 to 65535",
        ),
        (
            {"server": {**SIGNER_DOOR, "tls_key_file": "absent.key"}},
            f"server.tls_key_file: 'absent.key' {FROM} cannot be read: No such file or directory "
            "(looked at 'DIR/absent.key')",
        ),
        (
            {"server": {**SIGNER_DOOR, "client_ca_file": "absent.crt"}},
            f"server.client_ca_file: 'absent.crt' {FROM} cannot be read: No such file or "
            "directory (looked at 'DIR/absent.crt')",
        ),
        (
            {"storage": {}},
            "storage.backend: is required "
            "(set it in DIR/signer.json or as NOTARY_SIGNER_STORAGE_BACKEND)",
        ),
        (
            {"storage": {"backend": "rethinkdb"}},
            f"storage.backend: 'rethinkdb' {FROM} is not supported: use 'mysql', 'postgres' or "
            "'sqlite3' and publish the collections again",
        ),
        (
            {"storage": {"backend": "mysql", "default_alias": "timestamp_1"}},
            "storage.db_url: is required by storage.backend 'mysql' "
            "(set it in DIR/signer.json or as NOTARY_SIGNER_STORAGE_DB_URL)",
        ),
        (
            {"storage": WITHOUT_ALIAS},
            "storage.default_alias: is required by storage.backend 'mysql' "
            "(set it in DIR/signer.json or as NOTARY_SIGNER_STORAGE_DEFAULT_ALIAS)",
        ),
        (
            {"storage": {**MYSQL, "default_alias": "a" * 51}},
            f"storage.default_alias: '{'a' * 51}' {FROM} is longer than 50 characters",
        ),
        (
            {"storage": {**MYSQL, "default_alias": ["a"]}},
            f"storage.default_alias: a list {FROM} is a list where a string belongs",
        ),
        (
            {"storage": {**MYSQL, "client_cert_file": "notary-signer.crt"}},
            "storage.client_key_file: is not set although storage.client_cert_file is: set either "
            "both or neither (set it in DIR/signer.json or as "
            "NOTARY_SIGNER_STORAGE_CLIENT_KEY_FILE)",
        ),
        (
            {"storage": {**MYSQL, "tls_ca_file": "absent.crt"}},
            f"storage.tls_ca_file: 'absent.crt' {FROM} cannot be read: No such file or directory "
            "(looked at 'DIR/absent.crt')",
        ),
        (
            {"logging": {"level": "verbose"}},
            f"logging.level: 'verbose' {FROM} is not one of 'debug', 'info', 'warning', 'error', "
            "'fatal', 'panic'",
        ),
    ],
)
def test_problem(
    load_signer: LoadSigner, directory: Path, sections: dict[str, Any], problem: str
) -> None:
    assert problems_of(load_signer, directory, **sections) == [problem]


def test_longest_alias(load_signer: LoadSigner) -> None:
    assert load_signer(storage={**MYSQL, "default_alias": "a" * 50}).warnings == ()


OVERRIDES = {
    "server.tls_cert_file": "root-ca.crt",
    "server.tls_key_file": "token-ca.crt",
    "server.client_ca_file": "notary-server.crt",
    "server.reuse_port": "True",
    "server.workers": "3",
    "server.debug_addr": "[::1]:2",
    "server.grpc_addr": "[::1]:1",
    "server.metrics_addr": "localhost:3",
    "storage.backend": "postgres",
    "storage.db_url": "postgres://elsewhere/db",
    "storage.db_password_file": "root-ca.crt",
    "storage.tls_ca_file": "token-ca.crt",
    "storage.client_cert_file": "notary-server.crt",
    "storage.client_key_file": "notary-server.key",
    "storage.default_alias": "other",
    "logging.level": "panic",
    "reporting.bugsnag.release_stage": "other",
    "reporting.bugsnag.endpoint": "other",
    "reporting.bugsnag.api_key": "other",
}


FULL = {"server": {**SIGNER_DOOR, "client_ca_file": "root-ca.crt"}, "storage": MYSQL}


@pytest.mark.parametrize("document", [{}, FULL], ids=["absent", "set"])
def test_environment_sets_every_scalar(directory: Path, document: dict[str, Any]) -> None:
    path = directory / "signer.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    environ = {SIGNER_SCHEMA.variable(tuple(key.split("."))): v for key, v in OVERRIDES.items()}
    config = load_signer_config(path, environ)
    for key, value in OVERRIDES.items():
        found = value_at(config, tuple(key.split(".")))
        if isinstance(found, Path):
            assert found == directory / value
        else:
            assert str(found) == value
    assert {dotted(key) for key in SIGNER_SCHEMA.scalars()} == set(OVERRIDES)


STAND_IN = "NOTARY_SIGNER_DEFAULT_ALIAS"
OVERRIDE = "NOTARY_SIGNER_STORAGE_DEFAULT_ALIAS"


@pytest.mark.parametrize("value", [None, ""])
def test_default_alias_by_its_short_variable(load_signer: LoadSigner, value: str | None) -> None:
    config = load_signer(
        {STAND_IN: "short", OVERRIDE: ""}, storage={**MYSQL, "default_alias": value}
    )
    assert config.storage.default_alias == "short"
    assert config.warnings == ()


@pytest.mark.parametrize(
    ("environ", "storage", "alias"),
    [
        ({}, MYSQL, "timestamp_1"),
        ({OVERRIDE: "long"}, WITHOUT_ALIAS, "long"),
        ({OVERRIDE: "long"}, MYSQL, "long"),
    ],
    ids=["file", "override", "both"],
)
def test_the_short_variable_only_stands_in(
    load_signer: LoadSigner, environ: dict[str, str], storage: dict[str, str], alias: str
) -> None:
    config = load_signer({STAND_IN: "short", **environ}, storage=storage)
    assert config.storage.default_alias == alias
    assert config.warnings == ()


def test_a_wrong_alias_names_the_short_variable(load_signer: LoadSigner, directory: Path) -> None:
    assert problems_of(load_signer, directory, {STAND_IN: "a" * 51}, storage=WITHOUT_ALIAS) == [
        f"storage.default_alias: '{'a' * 51}' (from environment variable {STAND_IN}) is longer "
        "than 50 characters"
    ]


PASSPHRASES = {
    "NOTARY_SIGNER_TIMESTAMP_1": "hunter2",
    "NOTARY_SIGNER_TIMESTAMP_2_FILE": "/run/secrets/hunter2",
    "NOTARY_SIGNER_STORAGE_DBURL": "hunter2",
    "NOTARY_SIGNER_": "hunter2",
}


def test_passphrases_cause_no_warning(load_signer: LoadSigner) -> None:
    config = load_signer({**PASSPHRASES, "NOTARY_SERVER_X": "hunter2"}, storage=MYSQL)
    assert config.warnings == ()
    assert "hunter2" not in repr(config)


@pytest.mark.parametrize("path", SIGNER_SCHEMA.maps, ids=dotted)
def test_a_map_cannot_be_overridden(
    load_signer: LoadSigner, directory: Path, path: tuple[str, ...]
) -> None:
    name = SIGNER_SCHEMA.variable(path)
    scalars = ", ".join(SIGNER_SCHEMA.variable(scalar) for scalar in SIGNER_SCHEMA.scalars(path))
    assert problems_of(load_signer, directory, {name: "hunter2"}) == [
        f"{dotted(path)}: a map cannot be overridden by an environment variable: unset {name} "
        f"and use {scalars}"
    ]


def test_each_path_has_a_variable_of_its_own() -> None:
    paths = {*SIGNER_SCHEMA.keys, *SIGNER_SCHEMA.maps, *SIGNER_SCHEMA.no_effect}
    variables = {SIGNER_SCHEMA.variable(path) for path in paths}
    assert len(variables) == len(paths)
    assert variables.isdisjoint(SIGNER_SCHEMA.stand_ins)


RETHINKDB = "has no effect: belongs to RethinkDB, which is not supported (in FILE)"


@pytest.mark.parametrize(
    ("sections", "warning"),
    [
        (
            {"server": {**SIGNER_DOOR, "http_addr": ":4443"}},
            "server.http_addr: has no effect: belongs to notary-server (in FILE)",
        ),
        (
            {"server": {**SIGNER_DOOR, "max_upload_bytes": 2048}},
            "server.max_upload_bytes: unknown key (in FILE)",
        ),
        ({"trust_service": {"type": "local"}}, "trust_service: unknown key (in FILE)"),
        ({"auth": {"type": "token"}}, "auth: unknown key (in FILE)"),
        ({"caching": {}}, "caching: unknown key (in FILE)"),
        ({"repositories": {}}, "repositories: unknown key (in FILE)"),
        *(
            ({"storage": {**MYSQL, key: "hunter2"}}, f"storage.{key}: {RETHINKDB}")
            for key in ("database", "username", "password")
        ),
        (
            {"storage": {**MYSQL, "defaultalias": "hunter2"}},
            "storage.defaultalias: unknown key (in FILE); did you mean storage.default_alias?",
        ),
    ],
)
def test_what_has_no_effect_only_warns(
    load_signer: LoadSigner, directory: Path, sections: dict[str, Any], warning: str
) -> None:
    config = load_signer(**sections)
    file = str(directory / "signer.json")
    assert [found.replace(file, "FILE") for found in config.warnings] == [warning]


@pytest.mark.parametrize(
    ("variable", "warning"),
    [
        (
            "NOTARY_SIGNER_SERVER_HTTP_ADDR",
            "server.http_addr: has no effect: belongs to notary-server "
            "(environment variable NOTARY_SIGNER_SERVER_HTTP_ADDR)",
        ),
        (
            "NOTARY_SIGNER_STORAGE_PASSWORD",
            "storage.password: has no effect: belongs to RethinkDB, which is not supported "
            "(environment variable NOTARY_SIGNER_STORAGE_PASSWORD)",
        ),
    ],
)
def test_variable_without_effect_only_warns(
    load_signer: LoadSigner, variable: str, warning: str
) -> None:
    assert load_signer({variable: "hunter2"}).warnings == (warning,)


def test_repr_shows_no_secret(load_signer: LoadSigner) -> None:
    config = load_signer(storage=MYSQL, reporting={"bugsnag": {"api_key": "hunter2"}})
    assert "hunter2" not in repr(config)


def test_all_problems_at_once_and_no_secret(load_signer: LoadSigner) -> None:
    with pytest.raises(ConfigError) as caught:
        load_signer(
            {**PASSPHRASES, "NOTARY_SIGNER_LOGGING": "hunter2"},
            server={"grpc_addr": "7899", "tls_cert_file": "absent.crt"},
            storage={
                "backend": "sqlite3",
                "db_url": "absent/hunter2.db",
                "password": "hunter2",
                "pasphrase": "hunter2",
            },
            reporting={"bugsnag": {"api_key": {"hunter2": "hunter2"}}},
        )
    message = str(caught.value)
    assert [line.partition(": ")[0] for line in message.splitlines()] == [
        "logging",
        "server.tls_cert_file",
        "server.tls_key_file",
        "server.grpc_addr",
        "storage.db_url",
        "storage.default_alias",
        "reporting.bugsnag.api_key",
        *["warning"] * 3,
    ]
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))
