"""What operators write into ``storage.db_url``."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notary.storage.certificates import Certificates
from notary.storage.dsn import DSNError, engine_url
from notary.storage.engines import create_engine_for

SECRET = "p@ss:w/rd?&=()"


@pytest.mark.parametrize(
    ("dsn", "host", "port"),
    [
        ("notary:secret@tcp(mysql:3307)/server?parseTime=true", "mysql", 3307),
        ("notary:secret@tcp(mysql)/server", "mysql", 3306),
        ("notary:secret@tcp([2001:db8::1]:3307)/server", "2001:db8::1", 3307),
        ("notary:secret@tcp([::1])/server", "::1", 3306),
        ("notary:secret@tcp/server", "127.0.0.1", 3306),
        ("notary:secret@/server", "127.0.0.1", 3306),
        ("notary:secret@(mysql)/server", "mysql", 3306),
    ],
)
def test_mysql_over_tcp(dsn: str, host: str, port: int) -> None:
    url = engine_url("mysql", dsn)
    assert url.drivername == "mysql+pymysql"
    assert (url.host, url.port, url.database) == (host, port, "server")
    assert (url.username, url.password) == ("notary", "secret")
    assert not url.query


@pytest.mark.parametrize(
    ("dsn", "socket"),
    [
        ("notary@unix(/run/mysqld/mysqld.sock)/server", "/run/mysqld/mysqld.sock"),
        ("notary@unix/server", "/tmp/mysql.sock"),
    ],
)
def test_mysql_over_a_socket(dsn: str, socket: str) -> None:
    url = engine_url("mysql", dsn)
    assert (url.host, url.port, url.database) == (None, None, "server")
    assert (url.username, url.password) == ("notary", None)
    assert url.query == {"unix_socket": socket}


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_password_may_hold_anything(password: str) -> None:
    url = engine_url("mysql", f"notary:{password}@tcp(mysql:3306)/server?parseTime=true")
    assert (url.username, url.password) == ("notary", password)
    assert (url.host, url.port, url.database) == ("mysql", 3306, "server")


def test_a_user_may_hold_an_at_sign() -> None:
    url = engine_url("mysql", "notary@host:secret@tcp(mysql)/server")
    assert (url.username, url.password) == ("notary@host", "secret")


@pytest.mark.parametrize(
    ("parameters", "query"),
    [
        ("parseTime=true", {}),
        ("parseTime=True&charset=utf8mb4,utf8&collation=utf8mb4_unicode_ci", {}),
        ("loc=UTC&interpolateParams=true&maxAllowedPacket=0&allowNativePasswords=true", {}),
        ("checkConnLiveness=false&clientFoundRows=true&columnsWithAlias=true", {}),
        ("multiStatements=true&rejectReadOnly=true&allowAllFiles=true", {}),
        ("allowCleartextPasswords=false&allowOldPasswords=0&compress=f", {}),
        ("allowFallbackToPlaintext=false&connectionAttributes=program_name:notary", {}),
        ("timeout=5s", {"connect_timeout": "5"}),
        ("readTimeout=1m30s&writeTimeout=500ms", {"read_timeout": "90", "write_timeout": "1"}),
        ("timeout=1.5s", {"connect_timeout": "2"}),
        ("timeout=1h", {"connect_timeout": "3600"}),
        ("tls=true", {"tls": "true"}),
        ("tls=1", {"tls": "true"}),
        ("tls=False", {"tls": "false"}),
        ("tls=preferred", {"tls": "preferred"}),
        ("tls=skip-verify", {"tls": "skip-verify"}),
        ("time_zone=%27%2B00:00%27", {"time_zone": "+00:00"}),
        ("time_zone=%27Europe%2FBerlin%27", {"time_zone": "Europe/Berlin"}),
    ],
)
def test_parameters(parameters: str, query: dict[str, str]) -> None:
    url = engine_url("mysql", f"notary:{SECRET}@tcp(mysql)/server?{parameters}")
    assert url.query == query


@pytest.mark.parametrize(
    ("dsn", "reason"),
    [
        ("", "not of the form"),
        (f"notary:{SECRET}@tcp(mysql)", "not of the form"),
        (f"notary:{SECRET}@tcp(mysql)/", "not of the form"),
        (f"notary:{SECRET}tcp(mysql)/server", "not of the form"),
        (f":{SECRET}@tcp(mysql)/server", "not of the form"),
        ("tcp(mysql)/server", "not of the form"),
        (f"mysql://notary:{SECRET}@tcp(mysql)/server/", "not of the form"),
        (f"notary:{SECRET}@udp(mysql)/server", "'udp' is no kind of address"),
        (f"notary:{SECRET}@tcp(mysql:0)/server", "'mysql:0' is no address"),
        (f"notary:{SECRET}@tcp(mysql:65536)/server", "'mysql:65536' is no address"),
        (f"notary:{SECRET}@tcp(mysql:port)/server", "'mysql:port' is no address"),
        (f"notary:{SECRET}@tcp(2001:db8::1)/server", "is no address"),
        (f"notary:{SECRET}@tcp(m)/server?strict=1", "parameter 'strict' is not.*known.*timeout"),
        (f"notary:{SECRET}@tcp(m)/server?loc=Local", "loc=Local: only utc"),
        (f"notary:{SECRET}@tcp(m)/server?charset=latin1", "charset=latin1: only UTF-8"),
        (f"notary:{SECRET}@tcp(m)/server?timeout=0s", "timeout=0s: use a duration"),
        (f"notary:{SECRET}@tcp(m)/server?timeout=2h", "timeout=2h: use a duration"),
        (f"notary:{SECRET}@tcp(m)/server?timeout=5", "timeout=5: use a duration"),
        (f"notary:{SECRET}@tcp(m)/server?timeout=", "timeout=: use a duration"),
        (f"notary:{SECRET}@tcp(m)/server?tls=custom", "tls=custom: use true.*tls_ca_file"),
        (f"notary:{SECRET}@tcp(m)/server?serverPubKey=name", "serverPubKey=name: is not.*tls=true"),
        (f"notary:{SECRET}@tcp(m)/server?allowNativePasswords=false", "only true or 1 or t is"),
        (f"notary:{SECRET}@tcp(m)/server?allowCleartextPasswords=true", "only false or 0 or f is"),
        (f"notary:{SECRET}@tcp(m)/server?allowOldPasswords=true", "only false or 0 or f is"),
        (f"notary:{SECRET}@tcp(m)/server?compress=true", "only false or 0 or f is"),
        (f"notary:{SECRET}@tcp(m)/server?time_zone=UTC", "time_zone=UTC: use a quoted zone"),
        (f"notary:{SECRET}@tcp(m)/server?time_zone=%27%27%27", "use a quoted zone"),
    ],
)
def test_mistakes(dsn: str, reason: str) -> None:
    with pytest.raises(DSNError, match=f"^storage.db_url: .*{reason}") as caught:
        engine_url("mysql", dsn)
    assert SECRET not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_sqlite() -> None:
    url = engine_url("sqlite3", "/var/lib/notary/server?.db")
    assert (url.drivername, url.database) == ("sqlite", "/var/lib/notary/server?.db")


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("", "path of the SQLite file is missing"),
        (":memory:", 'set storage.backend to "memory"'),
        ("file:server.db?mode=memory", 'set storage.backend to "memory"'),
    ],
)
def test_sqlite_mistakes(path: str, reason: str) -> None:
    with pytest.raises(DSNError, match=f"^storage.db_url: .*{reason}"):
        engine_url("sqlite3", path)


def test_no_database() -> None:
    with pytest.raises(DSNError, match=r"^storage.backend: 'oracle' is no"):
        engine_url("oracle", "host=localhost")


CERTIFICATES = Certificates(Path("/ca.crt"), Path("/own.crt"), Path("/own.key"))
ONLY_OWN = Certificates(None, Path("/own.crt"), Path("/own.key"))


class TestMySQLCertificates:
    @pytest.mark.parametrize("parameters", ["", "?tls=true"])
    def test_both(self, parameters: str) -> None:
        url = engine_url("mysql", f"notary@tcp(mysql)/server{parameters}", CERTIFICATES)
        assert url.query == {
            "tls": "true",
            "tls_ca": "/ca.crt",
            "tls_cert": "/own.crt",
            "tls_key": "/own.key",
        }

    def test_only_ones_own(self) -> None:
        url = engine_url("mysql", "notary@tcp(mysql)/server?tls=skip-verify", ONLY_OWN)
        assert url.query == {"tls": "skip-verify", "tls_cert": "/own.crt", "tls_key": "/own.key"}

    @pytest.mark.parametrize(
        ("mode", "certificates", "setting"),
        [
            ("false", CERTIFICATES, "storage.tls_ca_file"),
            ("skip-verify", CERTIFICATES, "storage.tls_ca_file"),
            ("preferred", CERTIFICATES, "storage.tls_ca_file"),
            ("false", ONLY_OWN, "storage.client_cert_file"),
            ("preferred", ONLY_OWN, "storage.client_cert_file"),
        ],
    )
    def test_contradictions(self, mode: str, certificates: Certificates, setting: str) -> None:
        dsn = f"notary:{SECRET}@tcp(mysql)/server?tls={mode}"
        with pytest.raises(DSNError, match=f"db_url: tls={mode} contradicts {setting}: ") as caught:
            engine_url("mysql", dsn, certificates)
        assert SECRET not in str(caught.value)


class TestPostgres:
    @pytest.mark.parametrize(
        ("db_url", "host", "port"),
        [
            ("postgres://notary:secret@db/server", "db", 5432),
            ("postgresql://notary:secret@db:5433/server", "db", 5433),
            ("postgres://notary:secret@[2001:db8::1]:5433/server", "2001:db8::1", 5433),
            ("postgres://notary:secret@%2Frun%2Fpostgresql/server", "/run/postgresql", 5432),
            ("postgres:///server?host=/run/p&user=notary&password=secret", "/run/p", 5432),
            ("postgres:///server?user=notary&password=secret", "", 5432),
            ("host=db port=5433 user=notary password=secret dbname=server", "db", 5433),
            ("user='notary' password='secret' dbname = server host=/run/p", "/run/p", 5432),
        ],
    )
    def test_address(self, db_url: str, host: str, port: int) -> None:
        url = engine_url("postgres", db_url)
        assert url.drivername == "postgresql+psycopg"
        assert (url.host, url.port, url.database) == (host, port, "server")
        assert (url.username, url.password) == ("notary", "secret")
        assert url.query == {"sslmode": "require"}

    @given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1))
    def test_user_and_password_may_hold_anything(self, text: str) -> None:
        encoded = quote(text, safe="")
        url = engine_url("postgres", f"postgres://{encoded}:{encoded}@db/server")
        assert (url.username, url.password, url.host) == (text, text, "db")
        escaped = text.replace("\\", r"\\").replace("'", r"\'")
        pairs = f"user='{escaped}' password='{escaped}' host=db dbname=server"
        assert engine_url("postgres", pairs) == url

    @pytest.mark.parametrize(
        ("db_url", "hosts", "ports"),
        [
            ("postgres://notary@a,b:5433/server", "a,b", "5432,5433"),
            ("postgres://notary@[::1],b:5433/server", "::1,b", "5432,5433"),
            ("host=a,/run/p port=5433 user=notary dbname=server", "a,/run/p", "5433,5433"),
            ("host=a,b port=1,2 user=notary dbname=server", "a,b", "1,2"),
        ],
    )
    def test_several_hosts(self, db_url: str, hosts: str, ports: str) -> None:
        url = engine_url("postgres", db_url)
        assert (url.host, url.port) == (None, None)
        _, settings = create_engine_for(url).dialect.create_connect_args(url)
        assert (settings["host"], settings["port"]) == (hosts, ports)

    def test_parameters_are_handed_on(self) -> None:
        parameters = "sslmode=verify-full&sslrootcert=/ca.crt&target_session_attrs=read-write"
        url = engine_url("postgres", f"postgres://notary@db/server?{parameters}")
        assert url.query == {
            "sslmode": "verify-full",
            "sslrootcert": "/ca.crt",
            "target_session_attrs": "read-write",
        }

    @pytest.mark.parametrize(
        ("db_url", "reason"),
        [
            ("", "not of the form postgres://"),
            (f"notary:{SECRET}@tcp(db)/server", "not of the form postgres://"),
            (f"mysql://notary:{quote(SECRET)}@db/server", "not of the form postgres://"),
            (f"postgres://notary:{quote(SECRET, safe='')}@db", "not of the form postgres://"),
            (f"postgres://notary:{quote(SECRET, safe='')}@db/", "not of the form postgres://"),
            (f"password='{SECRET}' dbname=server", "not of the form postgres://"),
            (f"user=notary password='{SECRET} dbname=server", "not of the form postgres://"),
            (f"postgres://notary:{SECRET}@db/server", "not of the form postgres://"),
            (
                f"postgres://notary:{quote(SECRET, safe='')}@db/server?sslmoed=require",
                "the parameter 'sslmoed' is not one that libpq knows",
            ),
            (
                f"user=notary password='{SECRET}' dbname=server hots=db",
                "the parameter 'hots' is not one that libpq knows",
            ),
            (f"{SECRET}=notary dbname=server", "not of the form postgres://"),
            (
                f"host=a,b port=1,2,3 user=notary password='{SECRET}' dbname=server",
                "there must be one port",
            ),
            (f"port=x user=notary password='{SECRET}' dbname=server", "there must be one port"),
        ],
    )
    def test_mistakes(self, db_url: str, reason: str) -> None:
        with pytest.raises(DSNError, match=f"^storage.db_url: {reason}") as caught:
            engine_url("postgres", db_url)
        assert SECRET not in str(caught.value)
        assert quote(SECRET, safe="") not in str(caught.value)
        assert caught.value.__suppress_context__ or caught.value.__context__ is None

    @pytest.mark.parametrize(
        ("parameters", "certificates", "query"),
        [
            (
                "",
                CERTIFICATES,
                {
                    "sslmode": "verify-full",
                    "sslrootcert": "/ca.crt",
                    "sslcert": "/own.crt",
                    "sslkey": "/own.key",
                },
            ),
            (
                "?sslmode=verify-ca",
                Certificates(Path("/ca.crt")),
                {"sslmode": "verify-ca", "sslrootcert": "/ca.crt"},
            ),
            ("", ONLY_OWN, {"sslmode": "require", "sslcert": "/own.crt", "sslkey": "/own.key"}),
        ],
    )
    def test_certificates(
        self, parameters: str, certificates: Certificates, query: dict[str, str]
    ) -> None:
        url = engine_url("postgres", f"postgres://notary@db/server{parameters}", certificates)
        assert url.query == query

    @pytest.mark.parametrize(
        ("parameters", "certificates", "reason"),
        [
            *(
                (f"sslmode={mode}", CERTIFICATES, f"sslmode={mode} contradicts storage.tls_ca_file")
                for mode in ("disable", "allow", "prefer", "require")
            ),
            ("sslmode=disable", ONLY_OWN, "sslmode=disable contradicts storage.client_cert_file"),
            ("sslrootcert=/x", CERTIFICATES, "sslrootcert is storage.tls_ca_file a second time"),
            ("sslcert=/x", CERTIFICATES, "sslcert is storage.client_cert_file a second time"),
            ("sslkey=/x", CERTIFICATES, "sslkey is storage.client_key_file a second time"),
        ],
    )
    def test_contradictions(self, parameters: str, certificates: Certificates, reason: str) -> None:
        url = f"postgres://notary:secret@db/server?{parameters}"
        with pytest.raises(DSNError, match=f"^storage.db_url: {reason}") as caught:
            engine_url("postgres", url, certificates)
        assert "secret" not in str(caught.value)


def test_the_password_of_a_key_is_not_shown() -> None:
    url = engine_url("postgres", "postgres://notary@db/server?sslkey=/k&sslpassword=hidden")
    engine = create_engine_for(url)
    assert "hidden" not in engine.url.render_as_string(hide_password=True)
