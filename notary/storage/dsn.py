"""From what an operator writes as ``storage.backend`` and ``storage.db_url`` to a database URL.

The format for MySQL is that of the Go driver, ``user:password@tcp(host:port)/database?name=value``,
since files written for the Go daemons have to load. User and password are taken as they are, so
a password may hold any character; the last ``/`` and the last ``@`` before it count. For
PostgreSQL it is whatever libpq reads: a URL, or ``name=value`` pairs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from urllib.parse import parse_qsl

from sqlalchemy import URL

from notary.storage.interfaces import StorageError

MYSQL = "mysql"
POSTGRES = "postgres"
SQLITE = "sqlite3"

_EXAMPLE = "user:password@tcp(host:3306)/database?parseTime=true"
_POSTGRES_EXAMPLE = "postgres://user:password@host:5432/database?sslmode=verify-full"
_DSN = re.compile(
    r"""(?: (?P<user> [^:]* ) (?: : (?P<password> .* ) )? @ )?
        (?P<net> [a-z0-9]* ) (?: \( (?P<address> [^()]* ) \) )?
        / (?P<database> [^/?]+ ) (?: \? (?P<parameters> [^/]* ) )?""",
    re.VERBOSE | re.DOTALL,
)
_UNKNOWN_PARAMETER = re.compile(r"invalid (?:URI query parameter|connection option)[^\n]*")
_TCP_ADDRESS = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^:\[\]]*)(?::(?P<port>\d{1,5}))?")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


class DSNError(StorageError):
    """The settings of a database cannot be used; the message never shows the password."""


def engine_url(backend: str, db_url: str) -> URL:
    """Return the URL to hand to `notary.storage.engines.create_engine_for`.

    Args:
        backend: ``storage.backend``.
        db_url: ``storage.db_url``: a Go DSN for MySQL and MariaDB, a URL for PostgreSQL, a path for
            SQLite.

    Raises:
        DSNError: the backend is none of these, or the DSN has a mistake.
    """
    if backend == MYSQL:
        return _mysql_url(db_url)
    if backend == SQLITE:
        return _sqlite_url(db_url)
    if backend == POSTGRES:
        return _postgres_url(db_url)
    raise DSNError(
        f"storage.backend: {backend!r} is no database with tables, use mysql, postgres or sqlite3"
    )


def _sqlite_url(path: str) -> URL:
    if not path:
        raise DSNError("storage.db_url: the path of the SQLite file is missing")
    if path == ":memory:" or path.startswith("file:"):
        raise DSNError(
            f"storage.db_url: {path!r} is not the path of a file; "
            'to keep nothing, set storage.backend to "memory"'
        )
    return URL.create("sqlite", database=path)


def _postgres_url(conninfo: str) -> URL:
    try:
        from psycopg import ProgrammingError
        from psycopg.conninfo import conninfo_to_dict
    except ImportError as error:
        raise DSNError(
            "storage.backend: 'postgres' needs a driver: pip install 'txnotary[postgres]'"
        ) from error
    try:
        parts = {name: str(value) for name, value in conninfo_to_dict(conninfo).items()}
    except ProgrammingError as error:
        unknown = _UNKNOWN_PARAMETER.search(str(error))  # all else may quote the password
        reason = f"{unknown[0]}, use" if unknown else "not of the form"
        raise DSNError(f"storage.db_url: {reason} {_POSTGRES_EXAMPLE}") from None
    if "dbname" not in parts or "user" not in parts:
        raise DSNError(f"storage.db_url: not of the form {_POSTGRES_EXAMPLE}")
    user, password, database = (parts.pop(name, None) for name in ("user", "password", "dbname"))
    hosts = parts.pop("host", "").split(",")
    ports = parts.pop("port", "5432").split(",")
    if len(ports) == 1:
        ports *= len(hosts)
    if len(ports) != len(hosts) or not all(port.isdecimal() for port in ports):
        raise DSNError("storage.db_url: there must be one port, a number, or one for each host")
    # As the Go driver: unencrypted only if that is asked for.
    query: dict[str, str | tuple[str, ...]] = {"sslmode": "require", **parts}
    if len(hosts) > 1:
        query["host"] = tuple(f"{host}:{port}" for host, port in zip(hosts, ports, strict=True))
    return URL.create(
        "postgresql+psycopg",
        username=user,
        password=password,
        host=hosts[0] if len(hosts) == 1 else None,
        port=int(ports[0]) if len(hosts) == 1 else None,
        database=database,
        query=query,
    )


def _mysql_url(dsn: str) -> URL:
    parts = _DSN.fullmatch(dsn)
    if parts is None or not parts["user"]:
        raise DSNError(f"storage.db_url: not of the form {_EXAMPLE}")
    host, port, query = _address(parts["net"] or "tcp", parts["address"])
    for name, value in parse_qsl(parts["parameters"] or "", keep_blank_values=True):
        if name not in _PARAMETERS:
            raise DSNError(
                f"storage.db_url: the parameter {name!r} is not supported; "
                f"known are {', '.join(sorted(_PARAMETERS))}"
            )
        try:
            query |= _PARAMETERS[name](value)
        except ValueError as error:
            raise DSNError(f"storage.db_url: the parameter {name}={value}: {error}") from None
    return URL.create(
        "mysql+pymysql",
        username=parts["user"],
        password=parts["password"],
        host=host,
        port=port,
        database=parts["database"],
        query=query,
    )


def _address(net: str, address: str | None) -> tuple[str | None, int | None, dict[str, str]]:
    """Return host, port and what a socket adds to the URL's query."""
    if net == "unix":
        return None, None, {"unix_socket": address or "/tmp/mysql.sock"}  # noqa: S108
    if net != "tcp":
        raise DSNError(f"storage.db_url: {net!r} is no kind of address, use tcp(...) or unix(...)")
    parts = _TCP_ADDRESS.fullmatch(address or "")
    port = int(parts["port"] or 3306) if parts else 0
    if parts is None or not 0 < port < 65536:
        raise DSNError(
            f"storage.db_url: {address!r} is no address, use tcp(host:port) or tcp([IPv6]:port)"
        )
    return parts["host"].strip("[]") or "127.0.0.1", port, {}


def _of_no_effect(*allowed: str) -> Callable[[str], dict[str, str]]:
    """Accept what the Go daemons' files say and we do anyway; without values: all of them."""

    def check(value: str) -> dict[str, str]:
        if allowed and value.lower() not in allowed:
            raise ValueError(f"only {' or '.join(allowed)} is supported")
        return {}

    return check


def _unicode_only(value: str) -> dict[str, str]:
    if not all(name.startswith("utf8") for name in value.lower().split(",")):
        raise ValueError("only UTF-8 is supported")
    return {}


def _timeout(key: str) -> Callable[[str], dict[str, str]]:
    """Read a Go duration such as 1m30s or 500ms, as whole seconds."""

    def convert(value: str) -> dict[str, str]:
        parts = _DURATION.findall(value)
        seconds = sum(float(number) * _SECONDS[unit] for number, unit in parts)
        if "".join(map("".join, parts)) != value or not 0 < seconds <= 3600:
            raise ValueError("use a duration above 0 and up to 1h, such as 1m30s or 500ms")
        return {key: str(math.ceil(seconds))}

    return convert


def _tls(value: str) -> dict[str, str]:
    if value.lower() not in ("true", "false", "skip-verify", "preferred"):
        raise ValueError("use true, false, skip-verify or preferred")
    return {"tls": value.lower()}


def _time_zone(value: str) -> dict[str, str]:
    if not re.fullmatch(r"'[\w/+:-]{1,64}'", value):
        raise ValueError("use a quoted zone such as '+00:00', percent-encoded: %27%2B00:00%27")
    return {"time_zone": value.strip("'")}


_PARAMETERS: dict[str, Callable[[str], dict[str, str]]] = {
    "allowNativePasswords": _of_no_effect(),
    "charset": _unicode_only,
    "collation": _unicode_only,
    "interpolateParams": _of_no_effect(),
    "loc": _of_no_effect("utc"),
    "maxAllowedPacket": _of_no_effect(),
    "parseTime": _of_no_effect(),
    "readTimeout": _timeout("read_timeout"),
    "time_zone": _time_zone,
    "timeout": _timeout("connect_timeout"),
    "tls": _tls,
    "writeTimeout": _timeout("write_timeout"),
}
