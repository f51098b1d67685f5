"""Whether a daemon can use its database."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import attrs
from sqlalchemy import Engine, Table, create_engine

from notary.check.certificates import CLIENT
from notary.check.files import check_secret, check_shown, check_trusted
from notary.check.findings import Finding, error, ok, warning
from notary.config.sections import Storage
from notary.settings import database_settings
from notary.storage.bootstrap import Migrations, check_schema
from notary.storage.dsn import SQLITE
from notary.storage.interfaces import DatabaseAccessError, DatabaseReadOnlyError, StorageError
from notary.storage.opening import CONNECTIONS
from notary.storage.rights import (
    may_number_rows,
    most_connections,
    refused_statements,
    tls_version,
)
from notary.storage.schema import SchemaError
from notary.tls import KeyPair

_SUBJECT = "storage.db_url"
_LOCAL = ("127.0.0.1", "::1", "localhost", "", None)


@attrs.frozen
class Needs:
    """What a daemon wants of its database.

    Attributes:
        migrations: what makes its tables.
        rights: the kinds of statements that it makes, by table.
        dispensable: those it does without, and what is lost.
        look: what else is to be looked at once the database can be read; blocks.
        workers: how many processes have connections of their own.
    """

    migrations: Migrations
    rights: Mapping[Table, Collection[str]]
    dispensable: Mapping[str, str] = attrs.Factory(dict)
    look: Callable[[Engine], Sequence[Finding]] | None = None
    workers: int = 1


def check_database_files(storage: Storage, now: datetime) -> list[Finding]:
    """Judge the certificates for the connection to the database, and who may read its secrets."""
    findings = check_trusted("storage.tls_ca_file", storage.tls_ca_file, now)
    if storage.db_password_file is not None:
        findings += check_secret("storage.db_password_file", storage.db_password_file)
    certificate, key = storage.client_cert_file, storage.client_key_file
    if certificate is not None and key is not None:
        pair = KeyPair(certificate, key)
        names = "storage.client_cert_file", "storage.client_key_file"
        findings += check_shown(*names, pair, CLIENT, now)
    return findings


def check_database(storage: Storage, needs: Needs) -> list[Finding]:
    """Judge a database. Blocks, for some seconds if it cannot be reached; changes nothing."""
    if storage.backend == "memory":
        return [
            warning("storage.backend", "'memory' keeps nothing: all is gone when the daemon ends")
        ]
    if storage.backend == SQLITE:
        return list(_check_sqlite(Path(storage.db_url), needs))
    try:
        engine = database_settings(storage).create_engine()
    except StorageError as problem:
        return [error(_SUBJECT, _without_subject(problem))]
    try:
        return list(_check_server(engine, needs))
    except StorageError as problem:
        return [error(_SUBJECT, _without_subject(problem))]
    finally:
        engine.dispose()


def _without_subject(problem: StorageError) -> str:
    return str(problem).removeprefix(f"{_SUBJECT}: ")


def _check_sqlite(file: Path, needs: Needs) -> Iterator[Finding]:
    if not os.access(file.parent, os.W_OK | os.X_OK):
        yield error(
            _SUBJECT,
            f"the directory {file.parent} cannot be written to, as SQLite has to: let the daemon's "
            "user do that",
        )
    if not file.exists():
        yield ok(_SUBJECT, f"{file} does not exist yet: it is made at the first start")
        return
    if not os.access(file, os.R_OK | os.W_OK):
        yield error(_SUBJECT, f"{file} cannot be read and written: let the daemon's user do that")
        return
    # Opened as the daemon does it, it would be changed; and while nobody has it open there is no
    # log beside it, and none needs to be made.
    is_open = file.with_name(f"{file.name}-wal").exists()
    mode = "mode=ro" if is_open else "mode=ro&immutable=1"
    engine = create_engine(f"sqlite:///file:{file}?{mode}&uri=true", hide_parameters=True)
    try:
        yield from _check_sqlite_tables(engine, file, needs)
    except StorageError as problem:
        yield error(_SUBJECT, str(problem))
    finally:
        engine.dispose()


def _check_sqlite_tables(engine: Engine, file: Path, needs: Needs) -> Iterator[Finding]:
    try:
        check_schema(engine, needs.migrations)
    except SchemaError as problem:
        if "newer version" in str(problem):
            raise
        yield ok(_SUBJECT, f"{file} can be used; its tables are made or upgraded at the start")
        return
    yield ok(_SUBJECT, f"{file} can be used; its tables are up to date")
    if needs.look is not None:
        yield from needs.look(engine)


def _check_server(engine: Engine, needs: Needs) -> Iterator[Finding]:
    where = engine.url.render_as_string(hide_password=True)
    encrypted = tls_version(engine)
    if encrypted:
        yield ok(_SUBJECT, f"{where} lets this user in, over {encrypted}")
    elif engine.url.host in _LOCAL:
        yield ok(_SUBJECT, f"{where} lets this user in, without TLS on this machine")
    else:
        yield warning(
            _SUBJECT,
            f"{where} lets this user in without TLS: whoever is between can read and change "
            "everything; set storage.tls_ca_file to the authority of the database's certificate",
        )
    if needs.workers > 1:
        yield _check_connections(engine, where, needs.workers)
    check_schema(engine, needs.migrations)
    yield ok(_SUBJECT, f"the tables in {where} are up to date")
    yield from _check_rights(engine, where, needs)
    if needs.look is not None:
        yield from needs.look(engine)


def _check_connections(engine: Engine, where: str, workers: int) -> Finding:
    needed, allowed = workers * CONNECTIONS, most_connections(engine)
    use = f"{workers} workers use up to {needed} connections"
    if needed > allowed:
        return warning(
            "server.workers",
            f"{use}, and {where} allows {allowed} to all its users: raise its max_connections, or "
            "have fewer workers",
        )
    return ok("server.workers", f"{use}; {where} allows {allowed} to all its users")


def _check_rights(engine: Engine, where: str, needs: Needs) -> Iterator[Finding]:
    user = engine.url.username
    for table, rights in needs.rights.items():
        refused = {
            kind: problem
            for kind, problem in refused_statements(engine, table).items()
            if kind in rights
        }
        for kind, problem in refused.items():
            yield _refusal(kind, problem, f"{table.name} in {where}", user, needs)
        if not may_number_rows(engine, table):
            yield error(
                _SUBJECT,
                f"the user {user} may not number the rows of {table.name} in {where}: "
                f"GRANT USAGE ON SEQUENCE {table.name}_id_seq TO {user}",
            )
        allowed = [kind for kind in rights if kind not in refused]
        if allowed:
            yield ok(_SUBJECT, f"{table.name} in {where} allows {', '.join(allowed)}")


def _refusal(
    kind: str, problem: StorageError, what: str, user: str | None, needs: Needs
) -> Finding:
    if isinstance(problem, DatabaseReadOnlyError):
        return warning(_SUBJECT, f"{kind}: {problem}")
    advice = f"grant {kind} on it to the user {user}"
    if kind in needs.dispensable:
        return warning(_SUBJECT, f"{what} refuses {kind}, {needs.dispensable[kind]}: {advice}")
    told = "" if isinstance(problem, DatabaseAccessError) else f" (it says: {problem})"
    return error(_SUBJECT, f"{what} refuses {kind}: {advice}{told}")
