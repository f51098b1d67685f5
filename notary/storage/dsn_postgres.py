"""A database URL from whatever libpq reads for PostgreSQL: a URL, or ``name=value`` pairs."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sqlalchemy import URL

from notary.storage.certificates import CA_KEY, CERT_KEY, KEY_KEY, Certificates
from notary.storage.interfaces import DSNError

_EXAMPLE = "postgres://user:password@host:5432/database?sslmode=verify-full"
_UNKNOWN_PARAMETER = re.compile(
    r"invalid (?:URI query parameter: |connection option )\"(?P<name>[a-z_]{1,40})\"", re.IGNORECASE
)
_UNENCRYPTED = ("disable", "allow", "prefer")


def postgres_url(conninfo: str, certificates: Certificates) -> URL:
    """Return the URL of what libpq reads, with what ``storage`` adds for TLS.

    Raises:
        DSNError: as `notary.storage.dsn.engine_url`, or there is no driver.
    """
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
        if unknown:
            raise DSNError(
                f"storage.db_url: the parameter {unknown['name']!r} is not one that libpq knows"
            ) from None
        raise DSNError(f"storage.db_url: not of the form {_EXAMPLE}") from None
    if "dbname" not in parts or "user" not in parts:
        raise DSNError(f"storage.db_url: not of the form {_EXAMPLE}")
    user, password, database = (parts.pop(name, None) for name in ("user", "password", "dbname"))
    hosts = parts.pop("host", "").split(",")
    ports = [port or "5432" for port in parts.pop("port", "").split(",")]
    if len(ports) == 1:
        ports *= len(hosts)
    if len(ports) != len(hosts) or not all(port.isdecimal() for port in ports):
        raise DSNError("storage.db_url: there must be one port, a number, or one for each host")
    # As the Go driver: unencrypted only if that is asked for.
    query: dict[str, str] = {
        "sslmode": "require",
        **parts,
        **_tls_query(parts, certificates),
    }
    if len(hosts) > 1:
        query |= {"host": ",".join(hosts), "port": ",".join(ports)}
    return URL.create(
        "postgresql+psycopg",
        username=user,
        password=password,
        host=hosts[0] if len(hosts) == 1 else None,
        port=int(ports[0]) if len(hosts) == 1 else None,
        database=database,
        query=query,
    )


def _tls_query(parts: Mapping[str, str], certificates: Certificates) -> dict[str, str]:
    """Return what certificates add to the URL's query."""
    mode = parts.get("sslmode")
    contradicting = _UNENCRYPTED if certificates.ca is None else (*_UNENCRYPTED, "require")
    if certificates and mode in contradicting:
        raise DSNError(
            f"storage.db_url: sslmode={mode} contradicts {certificates.setting}: leave sslmode "
            "out, or set it to verify-full"
        )
    paths = {
        "sslrootcert": (CA_KEY, certificates.ca),
        "sslcert": (CERT_KEY, certificates.certificate),
        "sslkey": (KEY_KEY, certificates.key),
    }
    query = {}
    for name, (key, path) in paths.items():
        if path is None:
            continue
        if name in parts:
            raise DSNError(f"storage.db_url: {name} is {key} a second time: set only one of them")
        query[name] = str(path)
    if certificates.ca is not None and mode is None:
        query["sslmode"] = "verify-full"
    return query
