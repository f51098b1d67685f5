"""What operators write into ``storage.db_url``."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notary.storage.dsn import DSNError, engine_url

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
        ("timeout=5s", {"connect_timeout": "5"}),
        ("readTimeout=1m30s&writeTimeout=500ms", {"read_timeout": "90", "write_timeout": "1"}),
        ("timeout=1.5s", {"connect_timeout": "2"}),
        ("timeout=1h", {"connect_timeout": "3600"}),
        ("tls=true", {"tls": "true"}),
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
        (f"notary:{SECRET}@tcp(m)/server?tls=custom", "tls=custom: use true, false"),
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


@pytest.mark.parametrize(
    ("backend", "reason"),
    [("postgres", "PostgreSQL is not supported by this version"), ("oracle", "'oracle' is no")],
)
def test_other_backends(backend: str, reason: str) -> None:
    with pytest.raises(DSNError, match=f"^storage.backend: {reason}"):
        engine_url(backend, "host=localhost")
