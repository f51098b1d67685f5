from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from notary.config import ConfigError, load_server_config
from notary.config.schema import dotted
from notary.config.server import SERVER_SCHEMA, LocalTrust
from tests.config.conftest import Load, value_at

REMOTE = {"type": "remote", "hostname": "signer", "port": 7899, "key_algorithm": "ecdsa"}


OVERRIDES = {
    "server.reuse_port": "true",
    "server.workers": "3",
    "server.debug_addr": "localhost:2",
    "server.tls_cert_file": "root-ca.crt",
    "server.tls_key_file": "token-ca.crt",
    "server.client_ca_file": "notary-server.crt",
    "server.http_addr": "[::1]:1",
    "server.max_upload_bytes": "2048",
    "storage.backend": "postgres",
    "storage.db_url": "postgres://elsewhere/db",
    "storage.db_password_file": "root-ca.crt",
    "storage.tls_ca_file": "token-ca.crt",
    "storage.client_cert_file": "notary-server.crt",
    "storage.client_key_file": "notary-server.key",
    "trust_service.type": "remote",
    "trust_service.hostname": "other",
    "trust_service.port": "1",
    "trust_service.key_algorithm": "rsa",
    "trust_service.timeout": "9",
    "trust_service.tls_ca_file": "token-ca.crt",
    "trust_service.tls_client_cert": "root-ca.crt",
    "trust_service.tls_client_key": "token-ca.crt",
    "auth.type": "token",
    "auth.options.realm": "https://other",
    "auth.options.service": "other",
    "auth.options.issuer": "other",
    "auth.options.rootcertbundle": "root-ca.crt",
    "auth.options.autoredirect": "true",
    "logging.level": "panic",
    "reporting.bugsnag.release_stage": "other",
    "reporting.bugsnag.endpoint": "other",
    "reporting.bugsnag.api_key": "other",
    "caching.max_age.current_metadata": "7",
    "caching.max_age.consistent_metadata": "8",
    "caching.memory_bytes": "1048577",
    "repositories.max_version_step": "9",
}


def test_environment_sets_every_scalar_absent_from_the_file(directory: Path) -> None:
    path = directory / "server.json"
    path.write_text("{}")
    environ = {SERVER_SCHEMA.variable(tuple(key.split("."))): v for key, v in OVERRIDES.items()}
    config = load_server_config(path, environ)
    for key, value in OVERRIDES.items():
        found = value_at(config, tuple(key.split(".")))
        if isinstance(found, Path):
            assert found == directory / value
        else:
            assert str(found).lower() == value
    # ephemeral_keys belongs to the other type of signing service, and has its own test.
    scalars = {dotted(key) for key in SERVER_SCHEMA.scalars()}
    assert scalars == {*OVERRIDES, "trust_service.ephemeral_keys"}


def test_environment_overrides_the_file(load: Load, directory: Path) -> None:
    config = load(
        {
            "NOTARY_SERVER_TRUST_SERVICE_TYPE": "local",
            "NOTARY_SERVER_TRUST_SERVICE_EPHEMERAL_KEYS": "1",
            "NOTARY_SERVER_STORAGE_BACKEND": "sqlite3",
            "NOTARY_SERVER_STORAGE_DB_URL": "data.db",
            "NOTARY_SERVER_LOGGING_LEVEL": "debug",
            "NOTARY_SIGNER_LOGGING_LEVEL": "bad",
            "PATH": "/bin",
        },
        trust_service=REMOTE,
        storage={"backend": "mysql", "db_url": "server@tcp(mysql:3306)/notaryserver"},
        logging={"level": "fatal"},
    )
    assert config.trust_service == LocalTrust(type="local", ephemeral_keys=True)
    assert config.storage.backend == "sqlite3"
    assert config.storage.db_url == str(directory / "data.db")
    assert config.logging.level == "debug"
    assert config.warnings == ()


def test_environment_corrects_a_wrong_value_of_the_file(load: Load) -> None:
    config = load({"NOTARY_SERVER_LOGGING_LEVEL": "info"}, logging={"level": ["verbose"]})
    assert config.logging.level == "info"


@pytest.mark.parametrize("value", ["", None])
def test_empty_values_count_as_not_set(load: Load, value: str | None) -> None:
    config = load(
        {"NOTARY_SERVER_SERVER_HTTP_ADDR": "", "NOTARY_SERVER_STORAGE": "", "NOTARY_SERVER_X": ""},
        server={"http_addr": ":1", "tls_cert_file": value, "max_upload_bytes": value},
        logging={"level": value},
        auth=value,
    )
    assert str(config.server.http_addr) == ":1"
    assert config.server.tls_cert_file is None
    assert config.server.max_upload_bytes == 104857600
    assert config.logging.level == "error"
    assert config.auth is None
    assert config.warnings == ()


@pytest.mark.parametrize(
    ("variable", "problem"),
    [
        (
            "NOTARY_SERVER_STORAGE",
            "storage: a map cannot be overridden by an environment variable: unset "
            "NOTARY_SERVER_STORAGE and use NOTARY_SERVER_STORAGE_BACKEND, "
            "NOTARY_SERVER_STORAGE_DB_URL, NOTARY_SERVER_STORAGE_DB_PASSWORD_FILE, "
            "NOTARY_SERVER_STORAGE_TLS_CA_FILE, "
            "NOTARY_SERVER_STORAGE_CLIENT_CERT_FILE, NOTARY_SERVER_STORAGE_CLIENT_KEY_FILE",
        ),
        (
            "NOTARY_SERVER_CACHING_MAX_AGE",
            "caching.max_age: a map cannot be overridden by an environment variable: unset "
            "NOTARY_SERVER_CACHING_MAX_AGE and use "
            "NOTARY_SERVER_CACHING_MAX_AGE_CURRENT_METADATA, "
            "NOTARY_SERVER_CACHING_MAX_AGE_CONSISTENT_METADATA",
        ),
        (
            "NOTARY_SERVER_REPOSITORIES_GUN_PREFIXES",
            "repositories.gun_prefixes: a list cannot be overridden by an environment variable: "
            "unset NOTARY_SERVER_REPOSITORIES_GUN_PREFIXES and set the list in FILE",
        ),
    ],
)
def test_maps_and_lists_are_not_overridable(
    load: Load, directory: Path, variable: str, problem: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load({variable: '{"storage":{"backend":"memory"}}'})
    found = str(caught.value).replace(str(directory / "server.json"), "FILE")
    assert found == problem


def test_every_map_is_refused_in_the_environment(load: Load) -> None:
    for path in SERVER_SCHEMA.maps:
        with pytest.raises(ConfigError, match=f"^{dotted(path)}: a map cannot be overridden"):
            load({SERVER_SCHEMA.variable(path): "x"})


def test_each_path_has_a_variable_of_its_own() -> None:
    paths = {*SERVER_SCHEMA.keys, *SERVER_SCHEMA.maps, *SERVER_SCHEMA.no_effect}
    assert len({SERVER_SCHEMA.variable(path) for path in paths}) == len(paths)


def test_a_map_that_is_none_is_told_beside_its_overrides(load: Load, directory: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load({"NOTARY_SERVER_STORAGE_BACKEND": "memory"}, storage=["memory"])
    assert str(caught.value) == (
        f"storage: a list (from {directory}/server.json) is not a map of keys"
    )


@pytest.mark.parametrize(
    ("sections", "warning"),
    [
        (
            {"storage": {"backend": "memory", "db_ulr": "hunter2"}},
            "storage.db_ulr: unknown key (in FILE); did you mean storage.db_url?",
        ),
        ({"http_addr": ":1"}, "http_addr: unknown key (in FILE); did you mean server.http_addr?"),
        ({"loging": {"level": 1}}, "loging: unknown key (in FILE); did you mean logging?"),
        ({"zzz": {}}, "zzz: unknown key (in FILE)"),
        ({"a\n.b": 1}, '"a\\n.b": unknown key (in FILE)'),
        (
            {"storage": {"backend": "memory", "usrname": 1}},
            "storage.usrname: unknown key (in FILE)",
        ),
        (
            {"storage": {"backend": "memory", "password": "hunter2"}},
            "storage.password: has no effect: belongs to RethinkDB, which is not supported "
            "(in FILE)",
        ),
        (
            {"server": {"http_addr": ":1", "grpc_addr": ":2"}},
            "server.grpc_addr: has no effect: belongs to notary-signer (in FILE)",
        ),
    ],
)
def test_what_has_no_effect_only_warns(
    load: Load, directory: Path, sections: dict[str, Any], warning: str
) -> None:
    config = load(**sections)
    file = str(directory / "server.json")
    assert [found.replace(file, "FILE") for found in config.warnings] == [warning]


@pytest.mark.parametrize(
    ("variable", "warning"),
    [
        (
            "NOTARY_SERVER_STORAGE_DBURL",
            "unknown environment variable 'NOTARY_SERVER_STORAGE_DBURL'; "
            "did you mean NOTARY_SERVER_STORAGE_DB_URL?",
        ),
        (
            "NOTARY_SERVER_" + "\n" * 30,
            r"unknown environment variable 'NOTARY_SERVER_" + r"\n" * 30 + "'",
        ),
        (
            "NOTARY_SERVER_" + "9" * 200,
            "unknown environment variable 'NOTARY_SERVER_" + "9" * 105 + "...",
        ),
        (
            "NOTARY_SERVER_STORAGE_PASSWORD",
            "storage.password: has no effect: belongs to RethinkDB, which is not supported "
            "(environment variable NOTARY_SERVER_STORAGE_PASSWORD)",
        ),
    ],
)
def test_variable_without_effect_only_warns(load: Load, variable: str, warning: str) -> None:
    assert load({variable: "hunter2"}).warnings == (warning,)


def test_warnings_go_with_the_problems(load: Load, directory: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(storage={"backnd": "memory"})
    file = directory / "server.json"
    assert str(caught.value) == (
        "storage.backend: is required "
        f"(set it in {file} or as NOTARY_SERVER_STORAGE_BACKEND)\n"
        f"warning: storage.backnd: unknown key (in {file}); did you mean storage.backend?"
    )


def test_control_characters_of_a_value_cannot_forge_a_line(load: Load) -> None:
    with pytest.raises(ConfigError) as caught:
        load(logging={"level": "x\nstorage.backend: fine\x1b[2J\ud800"})
    assert str(caught.value).startswith(r"logging.level: 'x\nstorage.backend: fine\x1b[2J\ud800' (")


def test_keys_in_any_case(load: Load) -> None:
    assert load(LOGGING={"Level": "Info"}).logging.level == "info"


def test_relative_configuration_path(
    load: Load, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(
        server={
            "http_addr": ":1",
            "tls_cert_file": "notary-server.crt",
            "tls_key_file": "notary-server.key",
        }
    )
    monkeypatch.chdir(directory)
    config = load_server_config("server.json", {})
    assert config.server.tls_cert_file == directory / "notary-server.crt"
