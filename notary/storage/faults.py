"""Telling what is wrong with a database from what its driver says.

MySQL gives each error a number, PostgreSQL an SQLSTATE; but what libpq says of a connection that
could not be made is English text only.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Sequence

import attrs
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from notary.storage.interfaces import (
    DatabaseAccessError,
    DatabaseReadOnlyError,
    DatabaseTLSError,
    DatabaseUnreachableError,
    NoSuchDatabaseError,
    StorageError,
    StoreUnavailableError,
    UnstorableError,
)


@attrs.frozen
class Fault:
    """Something that is wrong with a database.

    Attributes:
        error: what it is called in our own words.
        what: what is said of the database.
        advice: what an operator can do about it.
        codes: numbers that MySQL and MariaDB have for it.
        states: what SQLSTATEs of PostgreSQL begin with.
        text: what libpq says when it cannot connect, or SQLite; a regular expression.
    """

    error: type[StorageError]
    what: str
    advice: str
    codes: frozenset[int] = frozenset()
    states: tuple[str, ...] = ()
    text: str = "(?!)"

    def is_told_by(self, error: DBAPIError) -> bool:
        """Whether this is what an error is about."""
        code, state = code_of(error), state_of(error)
        if code is not None or state:
            return code in self.codes or (bool(state) and state.startswith(self.states))
        return re.search(self.text, str(error.orig)) is not None


_TLS = Fault(
    DatabaseTLSError,
    "cannot be reached over TLS",
    "check the database's certificate and the name it is for, storage.tls_ca_file, "
    "storage.client_cert_file, and tls or sslmode in storage.db_url",
    codes=frozenset({2026}),  # TLS failed
    text="certificate verify failed|server certificate for|requires a valid client certificate"
    "|does not support SSL|SSL error|root certificate file|private key file"
    "|certificate file|alert certificate required",
)
_ACCESS = Fault(
    DatabaseAccessError,
    "denies access",
    "check the user and the password in storage.db_url or storage.db_password_file, and what that "
    "user may do; one that has to use TLS needs storage.tls_ca_file",
    codes=frozenset({1044, 1045, 1142, 1143, 1227, 1698, 4151}),
    states=("28", "42501"),
    text="password authentication failed|no pg_hba.conf entry|no password supplied"
    "|authentication failed|role .* does not exist|is not permitted to log in"
    "|permission denied for database",
)
_READ_ONLY = Fault(
    DatabaseReadOnlyError,
    "is read-only",
    "what it holds is served; make it writable, or let storage.db_url name a primary",
    codes=frozenset({1290, 1792, 1836, 3100}),
    states=("25006",),
    text="readonly database",
)
_FAULTS: Sequence[Fault] = (
    Fault(
        UnstorableError,
        "cannot hold this",
        "",
        codes=frozenset(
            {
                1153,  # packet too large
                1264,  # number out of range
                1267,  # cannot be compared with what the column's character set lacks
                1366,  # characters the column's character set lacks
                1406,  # data too long
            }
        ),
        states=(
            "22001",  # data too long
            "22003",  # number out of range
            "22021",  # characters the database's encoding lacks
            "54000",  # larger than a row can be
        ),
    ),
    _TLS,
    _ACCESS,
    Fault(
        NoSuchDatabaseError,
        "does not exist",
        "make it, or correct its name in storage.db_url",
        codes=frozenset({1049}),
        states=("3D000",),
        text="database .* does not exist",
    ),
    _READ_ONLY,
)
_UNREACHABLE = Fault(
    DatabaseUnreachableError,
    "cannot be reached",
    "check that it runs, and the address in storage.db_url",
    codes=frozenset(
        {
            1040,  # too many connections
            1047,  # a Galera node that is not ready
            1053,  # the server is shutting down
            1129,  # the server has blocked this host
            1203,  # too many connections of this user
            1226,  # a limit of this user is used up
            1927,  # the connection was killed
            2002,  # cannot connect through the socket
            2003,  # cannot connect
            2005,  # unknown host
            2006,  # the server has gone away
            2013,  # lost connection
            2055,  # lost connection
        }
    ),
    states=("08", "53300", "57P"),
)
_OTHER = Fault(StoreUnavailableError, "cannot be used", "")


def code_of(error: DBAPIError) -> int | None:
    """Return the number that MySQL gave an error; None from other databases."""
    code = error.orig.args[0] if error.orig and error.orig.args else None
    return code if isinstance(code, int) else None


def state_of(error: DBAPIError) -> str:
    """Return the SQLSTATE that PostgreSQL gave an error; empty from other databases."""
    return getattr(error.orig, "sqlstate", None) or ""


def is_read_only(error: DBAPIError) -> bool:
    """Whether a database that can be read refuses to be written to."""
    return _READ_ONLY.is_told_by(error)


def in_our_words(error: SQLAlchemyError, url: URL) -> StorageError:
    """Return what is to be raised in place of an error, without SQL or a password in it.

    Args:
        error: what SQLAlchemy raised.
        url: the database's.
    """
    fault = _fault(error)
    reason = str(error)
    if isinstance(error, DBAPIError) and error.orig:
        reason = " ".join(str(part) for part in error.orig.args)
    reason = " ".join(reason.split())  # libpq's have several lines
    where = url.render_as_string(hide_password=True)
    message = f"the database {where} {fault.what}: {reason}"
    return fault.error(f"{message}; {fault.advice}" if fault.advice else message)


def _fault(error: SQLAlchemyError) -> Fault:
    if not isinstance(error, DBAPIError):
        return _OTHER
    if isinstance(getattr(error.orig, "original_exception", None), ssl.SSLError):
        return _TLS  # PyMySQL says 2003, as if nobody were there
    for fault in _FAULTS:
        if fault.is_told_by(error):
            return fault
    if _UNREACHABLE.is_told_by(error) or error.connection_invalidated or _could_not_connect(error):
        return _UNREACHABLE
    return _OTHER


def _could_not_connect(error: DBAPIError) -> bool:
    """Whether psycopg says so: without an SQLSTATE, there was no answer to a statement."""
    kind = type(error.orig)
    return kind.__module__.startswith("psycopg") and not state_of(error)
