"""A database URL from the DSN of the Go driver for MySQL.

The format is ``user:password@tcp(host:port)/database?name=value``, since files written for the Go
daemons have to load. User and password are taken as they are, so a password may hold any
character; the last ``/`` and the last ``@`` before it count.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from urllib.parse import parse_qsl

from sqlalchemy import URL

from notary.storage.certificates import Certificates
from notary.storage.interfaces import DSNError

_EXAMPLE = "user:password@tcp(host:3306)/database?parseTime=true"
_DSN = re.compile(
    r"""(?: (?P<user> [^:]* ) (?: : (?P<password> .* ) )? @ )?
        (?P<net> [a-z0-9]* ) (?: \( (?P<address> [^()]* ) \) )?
        / (?P<database> [^/?]+ ) (?: \? (?P<parameters> [^/]* ) )?""",
    re.VERBOSE | re.DOTALL,
)
_TCP_ADDRESS = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^:\[\]]*)(?::(?P<port>\d{1,5}))?")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


def mysql_url(dsn: str, certificates: Certificates) -> URL:
    """Return the URL of a Go DSN, with what ``storage`` adds for TLS.

    Raises:
        DSNError: as `notary.storage.dsn.engine_url`.
    """
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
    query |= _tls_query(query.get("tls"), certificates)
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


def _tls_query(mode: str | None, certificates: Certificates) -> dict[str, str]:
    """Return what certificates add to the URL's query."""
    if not certificates:
        return {}
    mode = mode or "true"
    if mode in ("false", "preferred") or (mode == "skip-verify" and certificates.ca is not None):
        raise DSNError(
            f"storage.db_url: tls={mode} contradicts {certificates.setting}: leave tls out, or set "
            "it to true"
        )
    paths = {
        "tls_ca": certificates.ca,
        "tls_cert": certificates.certificate,
        "tls_key": certificates.key,
    }
    return {"tls": mode, **{name: str(path) for name, path in paths.items() if path is not None}}


def _of_no_effect(*allowed: str) -> Callable[[str], dict[str, str]]:
    """Accept what the Go daemons' files say and we do anyway; without values: all of them."""

    def check(value: str) -> dict[str, str]:
        if allowed and value.lower() not in allowed:
            raise ValueError(f"only {' or '.join(allowed)} is supported")
        return {}

    return check


def _refused(instead: str) -> Callable[[str], dict[str, str]]:
    def refuse(value: str) -> dict[str, str]:
        raise ValueError(f"is not supported: {instead}")

    return refuse


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
    mode = {"1": "true", "0": "false"}.get(value, value.lower())
    if mode not in ("true", "false", "skip-verify", "preferred"):
        raise ValueError(
            "use true, false, skip-verify or preferred; certificates are named by "
            "storage.tls_ca_file, storage.client_cert_file and storage.client_key_file"
        )
    return {"tls": mode}


def _time_zone(value: str) -> dict[str, str]:
    if not re.fullmatch(r"'[\w/+:-]{1,64}'", value):
        raise ValueError("use a quoted zone such as '+00:00', percent-encoded: %27%2B00:00%27")
    return {"time_zone": value.strip("'")}


_YES = ("true", "1", "t")
_NO = ("false", "0", "f")
_PARAMETERS: dict[str, Callable[[str], dict[str, str]]] = {
    "allowAllFiles": _of_no_effect(),
    "allowCleartextPasswords": _of_no_effect(*_NO),
    "allowFallbackToPlaintext": _of_no_effect(*_NO),
    "allowNativePasswords": _of_no_effect(*_YES),
    "allowOldPasswords": _of_no_effect(*_NO),
    "charset": _unicode_only,
    "checkConnLiveness": _of_no_effect(),
    "clientFoundRows": _of_no_effect(),
    "collation": _unicode_only,
    "columnsWithAlias": _of_no_effect(),
    "compress": _of_no_effect(*_NO),
    "connectionAttributes": _of_no_effect(),
    "interpolateParams": _of_no_effect(),
    "loc": _of_no_effect("utc"),
    "maxAllowedPacket": _of_no_effect(),
    "multiStatements": _of_no_effect(),
    "parseTime": _of_no_effect(),
    "readTimeout": _timeout("read_timeout"),
    "rejectReadOnly": _of_no_effect(),
    "serverPubKey": _refused("encrypt the connection with tls=true"),
    "time_zone": _time_zone,
    "timeout": _timeout("connect_timeout"),
    "tls": _tls,
    "writeTimeout": _timeout("write_timeout"),
}
