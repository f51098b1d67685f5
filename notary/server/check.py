"""``notary-server -check``: everything that the server needs, looked at without serving."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from typing import Any
from urllib.parse import urlsplit

import attrs
from twisted.internet.threads import deferToThreadPool

from notary.check.addresses import check_address
from notary.check.certificates import SERVER as SHOWN_BY_SERVER
from notary.check.configuration import check_configuration
from notary.check.database import Needs, check_database, check_database_files
from notary.check.files import check_shown, check_trusted
from notary.check.findings import Finding, error, ok, warning
from notary.check.running import Check, together
from notary.check.signer import check_signer, check_signer_files
from notary.config import read_server_config
from notary.config.sections import Storage
from notary.config.server import LocalTrust, RemoteTrust, Repositories, Server, TokenAuth
from notary.server.access.bundle import BundleError, load_bundle
from notary.storage.bootstrap import SERVER
from notary.storage.schema import changefeed, tuf_files
from notary.tls import KeyPair

NAME = "notary-server"

_NEEDS = Needs(
    SERVER,
    {
        tuf_files: ("SELECT", "INSERT", "UPDATE", "DELETE"),
        changefeed: ("SELECT", "INSERT"),
    },
)


async def check(path: str, environ: Mapping[str, str], reactor: Any) -> Sequence[Finding]:
    """Look at everything that a server with this configuration needs."""
    reading = read_server_config(path, environ)
    now = datetime.now(timezone.utc)
    sections = reading.sections
    checks = list(_connections(sections, reactor))
    return [
        *check_configuration(reading),
        *check_files(sections, now),
        *_addresses(sections.get("server")),
        *_prefixes(sections.get("repositories")),
        *await together(reactor, checks),
    ]


def check_files(sections: Mapping[str, Any], now: datetime) -> list[Finding]:
    """Judge the certificates and keys that the sections of a configuration name."""
    return [
        *_check_door(sections.get("server"), now),
        *_check_trust(sections.get("trust_service"), now),
        *_check_storage(sections.get("storage"), now),
        *_check_tokens(sections.get("auth"), now),
    ]


def _connections(sections: Mapping[str, Any], reactor: Any) -> Iterator[tuple[str, Check]]:
    trust: LocalTrust | RemoteTrust | None = sections.get("trust_service")
    if isinstance(trust, RemoteTrust):
        yield "trust_service", check_signer(trust, reactor)
    storage: Storage | None = sections.get("storage")
    if storage is not None:
        server: Server | None = sections.get("server")
        needs = attrs.evolve(_NEEDS, workers=server.workers if server is not None else 1)
        yield "storage.db_url", _in_thread(reactor, storage, needs)


async def _in_thread(reactor: Any, storage: Storage, needs: Needs) -> Sequence[Finding]:
    threads = reactor.getThreadPool()
    return await deferToThreadPool(reactor, threads, check_database, storage, needs)


def _check_door(server: Server | None, now: datetime) -> Iterator[Finding]:
    if server is None:
        return
    if server.tls_cert_file is None or server.tls_key_file is None:
        yield warning(
            "server.tls_cert_file",
            f"is not set: {server.http_addr} speaks plain HTTP, so whoever is between can read and "
            "change everything; set it and server.tls_key_file, unless a proxy on this machine "
            "does TLS",
        )
        return
    pair = KeyPair(server.tls_cert_file, server.tls_key_file)
    names = "server.tls_cert_file", "server.tls_key_file"
    yield from check_shown(*names, pair, SHOWN_BY_SERVER, now)
    yield from check_trusted("server.client_ca_file", server.client_ca_file, now)


def _check_trust(trust: LocalTrust | RemoteTrust | None, now: datetime) -> Iterator[Finding]:
    if isinstance(trust, RemoteTrust):
        yield from check_signer_files(trust, now)
    elif trust is not None:
        yield warning(
            "trust_service.type",
            "'local' keeps the keys in the memory of this process: all collections are lost when "
            "it ends; use 'remote' for more than a trial",
        )


def _check_storage(storage: Storage | None, now: datetime) -> Iterator[Finding]:
    if storage is not None:
        yield from check_database_files(storage, now)


def _check_tokens(auth: TokenAuth | None, now: datetime) -> Iterator[Finding]:
    if auth is None:
        return
    options = auth.options
    subject = "auth.options.rootcertbundle"
    try:
        load_bundle(options.rootcertbundle)
    except BundleError as problem:
        yield error(subject, str(problem))
    else:
        yield from check_trusted(subject, options.rootcertbundle, now)
    realm = urlsplit(options.realm)
    if realm.scheme not in ("http", "https") or not realm.hostname:
        yield error(
            "auth.options.realm",
            f"{options.realm!r} is no URL that clients could get tokens from: write "
            "https://HOST/PATH",
        )
    elif realm.scheme == "http":
        yield warning(
            "auth.options.realm",
            f"{options.realm!r} is asked without TLS, so whoever is between learns passwords and "
            "tokens: use https",
        )


def _addresses(server: Server | None) -> Iterator[Finding]:
    if server is not None:
        for name in ("http_addr", "debug_addr"):
            address = getattr(server, name)
            yield from check_address(f"server.{name}", address, NAME, reuse=server.reuse_port)


def _prefixes(repositories: Repositories | None) -> Iterator[Finding]:
    prefixes = repositories.gun_prefixes if repositories else ()
    subject = "repositories.gun_prefixes"
    if prefixes:
        yield ok(subject, f"only collections below {', '.join(prefixes)} are served")
    for number, prefix in enumerate(prefixes):
        for other in prefixes[:number] + prefixes[number + 1 :]:
            if prefix.startswith(other) and (prefix != other or other in prefixes[:number]):
                yield warning(subject, f"{prefix!r} has no effect beside {other!r}: remove it")
