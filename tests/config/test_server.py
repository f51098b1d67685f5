from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

import pytest

from notary.config import ConfigError
from notary.config.server import LocalTrust, RemoteTrust
from notary.config.values import ListenAddress
from tests.config.conftest import Load, problems_of

REMOTE = {"type": "remote", "hostname": "signer", "port": 7899, "key_algorithm": "ecdsa"}
OPTIONS = {
    "realm": "https://auth.example.com/token",
    "service": "notary",
    "issuer": "auth.example.com",
    "rootcertbundle": "token-ca.crt",
}


def test_defaults(load: Load) -> None:
    config = load()
    assert config.warnings == ()
    assert config.server.http_addr == ListenAddress("", 4443)
    assert config.server.tls_cert_file is None
    assert config.server.tls_key_file is None
    assert config.server.client_ca_file is None
    assert config.server.max_upload_bytes == 104857600
    assert config.storage.backend == "memory"
    assert config.trust_service == LocalTrust(type="local", ephemeral_keys=False)
    assert config.auth is None
    assert config.logging.level == "error"
    assert config.reporting.bugsnag.api_key == ""
    assert config.caching.max_age.current_metadata == 300
    assert config.caching.max_age.consistent_metadata == 2592000
    assert config.repositories.gun_prefixes == ()
    assert config.repositories.max_version_step == 1000


def test_every_key(load: Load, directory: Path) -> None:
    config = load(
        server={
            "http_addr": "localhost:4443",
            "tls_cert_file": "notary-server.crt",
            "tls_key_file": "./notary-server.key",
            "client_ca_file": str(directory / "root-ca.crt"),
            "max_upload_bytes": "1024",
        },
        trust_service={
            **REMOTE,
            "port": "7899",
            "timeout": "60",
            "tls_ca_file": "root-ca.crt",
            "tls_client_cert": "notary-server.crt",
            "tls_client_key": "notary-server.key",
        },
        storage={"backend": "mysql", "db_url": "server:secret@tcp(mysql:3306)/notaryserver"},
        auth={"type": "token", "options": {**OPTIONS, "autoredirect": True}},
        logging={"level": "WARN"},
        reporting={"bugsnag": {"api_key": "k", "release_stage": "test", "endpoint": "http://x"}},
        caching={"max_age": {"current_metadata": 0, "consistent_metadata": "31536000"}},
        repositories={"gun_prefixes": ["docker.io/", "a/b/"], "max_version_step": 1},
    )
    assert config.server.tls_cert_file == directory / "notary-server.crt"
    assert config.server.tls_key_file == directory / "notary-server.key"
    assert config.server.client_ca_file == directory / "root-ca.crt"
    assert config.server.max_upload_bytes == 1024
    assert config.trust_service == RemoteTrust(
        type="remote",
        hostname="signer",
        port=7899,
        key_algorithm="ecdsa",
        timeout=60,
        tls_ca_file=directory / "root-ca.crt",
        tls_client_cert=directory / "notary-server.crt",
        tls_client_key=directory / "notary-server.key",
    )
    assert config.storage.db_url == "server:secret@tcp(mysql:3306)/notaryserver"
    assert config.auth is not None
    assert config.auth.options.realm == "https://auth.example.com/token"
    assert config.auth.options.rootcertbundle == directory / "token-ca.crt"
    assert config.auth.options.autoredirect is True
    assert config.logging.level == "warning"
    assert config.reporting.bugsnag.release_stage == "test"
    assert config.caching.max_age.current_metadata == 0
    assert config.caching.max_age.consistent_metadata == 31536000
    assert config.repositories.gun_prefixes == ("docker.io/", "a/b/")
    assert config.repositories.max_version_step == 1
    assert [warning.partition(" (")[0] for warning in config.warnings] == [
        "reporting.bugsnag.api_key: has no effect: no report is sent to Bugsnag"
    ]


def test_repr_shows_no_secret(load: Load) -> None:
    config = load(
        trust_service=REMOTE,
        storage={"backend": "mysql", "db_url": "u:hunter2@/db"},
        reporting={"bugsnag": {"api_key": "hunter2"}},
    )
    assert "hunter2" not in repr(config)


FROM = "(from DIR/server.json)"


@pytest.mark.parametrize(
    ("sections", "problem"),
    [
        (
            {"server": {}},
            "server.http_addr: is required "
            "(set it in DIR/server.json or as NOTARY_SERVER_SERVER_HTTP_ADDR)",
        ),
        (
            {"server": {"http_addr": ":4443", "tls_cert_file": "notary-server.crt"}},
            "server.tls_key_file: is not set although server.tls_cert_file is: set either both or "
            "neither (set it in DIR/server.json or as NOTARY_SERVER_SERVER_TLS_KEY_FILE)",
        ),
        (
            {"server": {"http_addr": ":4443", "tls_key_file": "notary-server.key"}},
            f"server.tls_key_file: 'notary-server.key' {FROM} is set although "
            "server.tls_cert_file is not: set either both or neither",
        ),
        (
            {"server": {"http_addr": ":4443", "client_ca_file": "root-ca.crt"}},
            f"server.client_ca_file: 'root-ca.crt' {FROM} asks for client certificates, which "
            "needs TLS: set server.tls_cert_file and server.tls_key_file too",
        ),
        (
            {
                "server": {
                    "http_addr": ":4443",
                    "tls_cert_file": "x",
                    "client_ca_file": "root-ca.crt",
                }
            },
            f"server.tls_cert_file: 'x' {FROM} cannot be read: No such file or directory "
            "(looked at 'DIR/x')",
        ),
        (
            {"server": {"http_addr": ":4443", "max_upload_bytes": 1023}},
            f"server.max_upload_bytes: 1023 {FROM} is less than 1024",
        ),
        (
            {"server": {"http_addr": ":4443", "max_upload_bytes": 2**31 + 1}},
            f"server.max_upload_bytes: 2147483649 {FROM} is more than 2147483648",
        ),
        (
            {"trust_service": {}},
            "trust_service.type: is required "
            "(set it in DIR/server.json or as NOTARY_SERVER_TRUST_SERVICE_TYPE)",
        ),
        (
            {"trust_service": {"type": "remot"}},
            f"trust_service.type: 'remot' {FROM} is not one of 'local', 'remote'; "
            "did you mean 'remote'?",
        ),
        (
            {"trust_service": {"type": ["local"]}},
            f"trust_service.type: a list {FROM} is not one of 'local', 'remote'",
        ),
        (
            {"trust_service": {**REMOTE, "key_algorithm": "dsa"}},
            f"trust_service.key_algorithm: 'dsa' {FROM} is not one of 'ecdsa', 'rsa', 'ed25519'; "
            "did you mean 'ecdsa'?",
        ),
        (
            {"trust_service": {**REMOTE, "timeout": 0}},
            f"trust_service.timeout: 0 {FROM} is less than 1",
        ),
        (
            {"trust_service": {**REMOTE, "timeout": "61"}},
            f"trust_service.timeout: '61' {FROM} is more than 60",
        ),
        (
            {"trust_service": {**REMOTE, "port": 0}},
            f"trust_service.port: 0 {FROM} is less than 1",
        ),
        (
            {"trust_service": {**REMOTE, "hostname": "https://signer"}},
            f"trust_service.hostname: 'https://signer' {FROM} is not a host name or an IP address",
        ),
        (
            {"trust_service": {**REMOTE, "tls_client_cert": "notary-server.crt"}},
            "trust_service.tls_client_key: is not set although trust_service.tls_client_cert is: "
            "set either both or neither "
            "(set it in DIR/server.json or as NOTARY_SERVER_TRUST_SERVICE_TLS_CLIENT_KEY)",
        ),
        (
            {"storage": {}},
            "storage.backend: is required "
            "(set it in DIR/server.json or as NOTARY_SERVER_STORAGE_BACKEND)",
        ),
        (
            {"storage": {"backend": "rethinkdb", "db_url": "x"}},
            f"storage.backend: 'rethinkdb' {FROM} is not supported: use 'mysql', 'postgres' or "
            "'sqlite3' and publish the collections again",
        ),
        (
            {"storage": {"backend": "mysql"}, "trust_service": REMOTE},
            "storage.db_url: is required by storage.backend 'mysql' "
            "(set it in DIR/server.json or as NOTARY_SERVER_STORAGE_DB_URL)",
        ),
        (
            {"storage": "mysql://user:hunter2@host"},
            f"storage: a string {FROM} is not a map of keys",
        ),
        (
            {"storage": {"backend": "sqlite3", "db_url": "x.db"}},
            f"trust_service.type: 'local' {FROM} loses its signing keys when the process ends, "
            "while storage.backend 'sqlite3' keeps the collections, which could then never be "
            "updated: use 'remote', or set storage.backend to 'memory', or accept the loss with "
            "trust_service.ephemeral_keys true",
        ),
        (
            {"server": {"http_addr": ":4443", "workers": 2}, "trust_service": REMOTE},
            f"storage.backend: 'memory' {FROM} is the memory of one process, which the 2 of "
            "server.workers would not share: use a database, or set server.workers to 1",
        ),
        (
            {
                "server": {"http_addr": ":4443", "workers": 2},
                "storage": {"backend": "sqlite3", "db_url": "x.db"},
                "trust_service": {"type": "local", "ephemeral_keys": True},
            },
            f"trust_service.type: 'local' {FROM} keeps its keys in the memory of one process, "
            "which the 2 of server.workers would not share: use 'remote', or set server.workers "
            "to 1",
        ),
        (
            {"auth": {"type": "htpasswd", "options": {"realm": "x"}}},
            f"auth.type: 'htpasswd' {FROM} is not 'token'",
        ),
        (
            {"auth": {"options": {"realm": "https://auth.example.com"}}},
            "auth.type: is required (set it in DIR/server.json or as NOTARY_SERVER_AUTH_TYPE)",
        ),
        ({"auth": True}, f"auth: a boolean {FROM} is not a map of keys"),
        (
            {"logging": {"level": "verbose"}},
            f"logging.level: 'verbose' {FROM} is not one of 'debug', 'info', 'warning', 'error', "
            "'fatal', 'panic'",
        ),
        (
            {"logging": {"level": 3}},
            f"logging.level: 3 {FROM} is not one of 'debug', 'info', 'warning', 'error', 'fatal', "
            "'panic'",
        ),
        (
            {"reporting": {"bugsnag": {"endpoint": "https://x"}}},
            "reporting.bugsnag.api_key: is required by the other keys of reporting.bugsnag "
            "(set it in DIR/server.json or as NOTARY_SERVER_REPORTING_BUGSNAG_API_KEY)",
        ),
        (
            {"reporting": {"bugsnag": {"api_key": ["hunter2"]}}},
            f"reporting.bugsnag.api_key: a list {FROM} is a list where a string belongs",
        ),
        (
            {"caching": {"max_age": {"current_metadata": -1}}},
            f"caching.max_age.current_metadata: -1 {FROM} is less than 0",
        ),
        (
            {"caching": {"max_age": {"consistent_metadata": "31536001"}}},
            f"caching.max_age.consistent_metadata: '31536001' {FROM} is more than 31536000",
        ),
        (
            {"repositories": {"max_version_step": 0}},
            f"repositories.max_version_step: 0 {FROM} is less than 1",
        ),
        (
            {"repositories": {"gun_prefixes": "docker.io/"}},
            f"repositories.gun_prefixes: 'docker.io/' {FROM} is not a list",
        ),
        (
            {"repositories": {"gun_prefixes": ["docker.io/", {}]}},
            f"repositories.gun_prefixes[1]: a map {FROM} is a map where a string belongs",
        ),
    ],
)
def test_problem(load: Load, directory: Path, sections: dict[str, Any], problem: str) -> None:
    assert problems_of(load, directory, **sections) == [problem]


def test_defaults_of_a_remote_signer(load: Load) -> None:
    trust = load(trust_service=REMOTE).trust_service
    assert isinstance(trust, RemoteTrust)
    assert trust.timeout == 5
    assert trust.tls_ca_file is None
    assert trust.tls_client_cert is None
    assert trust.tls_client_key is None


@pytest.mark.parametrize("missing", ["hostname", "port", "key_algorithm"])
def test_remote_signer_needs(load: Load, directory: Path, missing: str) -> None:
    remote = {key: value for key, value in REMOTE.items() if key != missing}
    (problem,) = problems_of(load, directory, trust_service=remote)
    assert problem.startswith(f"trust_service.{missing}: is required (set it in ")


@pytest.mark.parametrize("missing", ["realm", "service", "issuer", "rootcertbundle"])
def test_token_access_needs(load: Load, directory: Path, missing: str) -> None:
    options = {key: value for key, value in OPTIONS.items() if key != missing}
    (problem,) = problems_of(load, directory, auth={"type": "token", "options": options})
    assert problem.startswith(f"auth.options.{missing}: is required (set it in ")


@pytest.mark.parametrize(
    "prefix", ["docker.io", "/a/", "../a/", "a//b/", "a/../b/", "a/./", " a/", "a/ ", "/", "//", ""]
)
def test_unclean_gun_prefix(load: Load, directory: Path, prefix: str) -> None:
    (problem,) = problems_of(load, directory, repositories={"gun_prefixes": ["ok/", prefix]})
    assert problem == (
        f"repositories.gun_prefixes[1]: {prefix!r} {FROM} is not a clean relative path that ends "
        "in '/', such as 'docker.io/'"
    )


def test_local_keys_over_a_lasting_store_when_asked_for_by_name(
    load: Load, directory: Path
) -> None:
    config = load(
        trust_service={"type": "local", "ephemeral_keys": True},
        storage={"backend": "sqlite3", "db_url": "data.db"},
    )
    assert config.trust_service == LocalTrust(type="local", ephemeral_keys=True)
    assert config.storage.db_url == str(directory / "data.db")


def test_local_type_ignores_what_is_said_about_a_signer(load: Load) -> None:
    config = load(
        trust_service={**REMOTE, "type": "local", "port": "none", "tls_ca_file": "absent"}
    )
    assert isinstance(config.trust_service, LocalTrust)


def test_memory_ignores_the_database(load: Load) -> None:
    assert load(storage={"backend": "memory", "db_url": "server@tcp(mysql)/x"}).warnings == ()


def test_postgres_takes_a_url_as_it_is(load: Load) -> None:
    url = "postgres://server@postgresql:5432/notaryserver?sslmode=verify-ca&sslrootcert=/ca.pem"
    config = load(trust_service=REMOTE, storage={"backend": "postgres", "db_url": url})
    assert config.storage.db_url == url


@pytest.mark.parametrize(
    ("db_url", "problem"),
    [
        (":memory:", "is not the plain path of a database file"),
        ("file:x.db", "is not the plain path of a database file"),
        ("sqlite:///x.db", "is not the plain path of a database file"),
        ("x.db?cache=shared", "is not the plain path of a database file"),
        (".", "names a directory, not a database file"),
        ("absent/x.db", "names a file in a directory that does not exist"),
        ("a\0b", "holds a null character"),
    ],
)
def test_bad_sqlite_path_is_not_shown(
    load: Load, directory: Path, db_url: str, problem: str
) -> None:
    (found,) = problems_of(
        load, directory, trust_service=REMOTE, storage={"backend": "sqlite3", "db_url": db_url}
    )
    assert found.startswith(f"storage.db_url: the value {FROM} {problem}")


@pytest.mark.parametrize(("alias", "level"), [("Trace", "debug"), ("warn", "warning")])
def test_level_alias(load: Load, alias: str, level: str) -> None:
    assert load(logging={"level": alias}).logging.level == level


def test_all_problems_at_once_and_no_secret(load: Load, directory: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(
            {"NOTARY_SERVER_STORAGE_BACKEND": "mysqll", "NOTARY_SERVER_CACHING": "{}"},
            server={"http_addr": "4443", "tls_cert_file": "absent.crt"},
            trust_service={"type": "remote"},
            storage={"db_url": "user:hunter2@tcp(host)/db", "pasword": "hunter2"},
            auth={"type": "token"},
            reporting={"bugsnag": {"api_key": {"hunter2": "hunter2"}}},
            caching={"max_age": {"current_metadata": "soon"}},
        )
    message = str(caught.value)
    assert [line.partition(": ")[0] for line in message.splitlines()] == [
        "caching",
        "server.tls_cert_file",
        "server.http_addr",
        "storage.backend",
        "trust_service.hostname",
        "trust_service.port",
        "trust_service.key_algorithm",
        "auth.options.realm",
        "auth.options.service",
        "auth.options.issuer",
        "auth.options.rootcertbundle",
        "reporting.bugsnag.api_key",
        "caching.max_age.current_metadata",
        "warning",
        "warning",
    ]
    assert (
        "storage.backend: 'mysqll' (from environment variable NOTARY_SERVER_STORAGE_BACKEND) is "
        "not one of 'mysql', 'postgres', 'sqlite3', 'memory'; did you mean 'mysql'?"
    ) in message
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))
