"""From what an operator writes as ``storage.backend`` and ``storage.db_url`` to a database URL."""

from __future__ import annotations

from sqlalchemy import URL

from notary.storage.certificates import NO_CERTIFICATES, Certificates
from notary.storage.dsn_mysql import mysql_url
from notary.storage.dsn_postgres import postgres_url
from notary.storage.interfaces import DSNError

MYSQL = "mysql"
POSTGRES = "postgres"
SQLITE = "sqlite3"

__all__ = ["MYSQL", "POSTGRES", "SQLITE", "DSNError", "engine_url", "with_password"]


def engine_url(backend: str, db_url: str, certificates: Certificates = NO_CERTIFICATES) -> URL:
    """Return the URL to hand to `notary.storage.engines.create_engine_for`.

    Args:
        backend: ``storage.backend``.
        db_url: ``storage.db_url``: a Go DSN for MySQL and MariaDB, a URL for PostgreSQL, a path for
            SQLite.
        certificates: for TLS; SQLite knows none.

    Raises:
        DSNError: the backend is none of these, the DSN has a mistake, or it contradicts the
            certificates.
    """
    if backend == MYSQL:
        return mysql_url(db_url, certificates)
    if backend == POSTGRES:
        return postgres_url(db_url, certificates)
    if backend == SQLITE:
        return _sqlite_url(db_url)
    raise DSNError(
        f"storage.backend: {backend!r} is no database with tables, use mysql, postgres or sqlite3"
    )


def with_password(url: URL, password: str) -> URL:
    """Return a URL with the password that ``storage.db_password_file`` holds.

    Raises:
        DSNError: the URL has one already, or its backend knows none.
    """
    if url.get_backend_name() == "sqlite":
        raise DSNError(
            "storage.db_password_file: storage.backend 'sqlite3' knows no passwords: remove it"
        )
    if url.password is not None:
        raise DSNError(
            "storage.db_password_file: storage.db_url has a password too: set only one of them"
        )
    return url.set(password=password)


def _sqlite_url(path: str) -> URL:
    if not path:
        raise DSNError("storage.db_url: the path of the SQLite file is missing")
    if path == ":memory:" or path.startswith("file:"):
        raise DSNError(
            f"storage.db_url: {path!r} is not the path of a file; "
            'to keep nothing, set storage.backend to "memory"'
        )
    return URL.create("sqlite", database=path)
