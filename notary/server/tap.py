"""Putting the metadata server together from its configuration."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

from twisted.application.service import IService, MultiService
from twisted.logger import Logger

from notary import __version__, daemon
from notary.config import ConfigError, ServerConfig, load_server_config
from notary.config.sections import Storage
from notary.config.server import LocalTrust
from notary.door import Door
from notary.observe.health import Checks, Health, Readiness
from notary.observe.pages import Pages
from notary.server.api import API, Policy
from notary.server.caching import CacheControl
from notary.server.http import NotarySite
from notary.server.main import SWITCHES
from notary.server.metrics import ServerMetrics
from notary.server.publishing import Publishing
from notary.signing.connections import SignerConnections
from notary.signing.interfaces import ISigner
from notary.signing.local import LocalSigner
from notary.signing.remote import RemoteSigner
from notary.signing.wire import ALPN
from notary.storage.bootstrap import SERVER
from notary.storage.cached import CachedMetadataStore
from notary.storage.certificates import Certificates
from notary.storage.interfaces import IMetadataStore, StorageError
from notary.storage.memory import MemoryMetadataStore
from notary.storage.opening import (
    DatabaseSettings,
    bootstrap_database,
    connections_in_use,
    open_database,
)
from notary.storage.schema import tuf_files
from notary.storage.sql import SQLMetadataStore
from notary.storage.threads import WorkerThreads
from notary.tls import KeyPair, TLSError, client_context, server_context

JUDGING_THREADS = 2
CACHED_BYTES = 64 * 1024 * 1024

WRITABLE = "DB writable"

_log = Logger()


class Options(daemon.Options):
    """The command line of ``twistd notary-server``."""

    optFlags = [[name, None, effect] for name, effect in SWITCHES.items()]


def makeService(options: Options) -> IService:
    """Return the metadata server that a command line asks for.

    Raises:
        SystemExit: it cannot be; the message says what is wrong. Or it was only asked to make its
            tables, which is done.
    """
    from twisted.internet import reactor

    try:
        config = load_server_config(options["config"], os.environ)
        if options["bootstrap"]:
            bootstrap_database(_database(config.storage), SERVER)
            raise SystemExit(0)
        services = daemon.Daemon(options, config.logging.level)
        daemon.announce(config.warnings)
        if options["debug"]:
            _log.warn("-debug has no effect: this version has no debug server")
        _log.info("Using {kind} signing service", kind=config.trust_service.type)
        _log.info("Using {backend} backend", backend=config.storage.backend)
        _log.info("Starting Server")
        build(config, reactor, services)
    except (ConfigError, StorageError, TLSError) as error:
        raise SystemExit(f"notary-server: {error}") from error
    return services


def build(config: ServerConfig, reactor: Any, services: MultiService) -> None:
    """Put the services of a metadata server into a daemon.

    Raises:
        ConfigError: the configuration asks for what this version does not have.
        StorageError: the database cannot be used.
        TLSError: a certificate or key cannot be used.
    """
    if config.auth is not None:
        raise ConfigError(
            [
                "auth.type: access tokens are not supported by this version; without the section "
                "auth, everybody who reaches the server may do everything"
            ]
        )
    judging = WorkerThreads(reactor, "judging", JUDGING_THREADS)
    judging.setServiceParent(services)
    metrics = ServerMetrics(__version__, reactor, judging.run)
    metrics.pools.watch("judging", judging)
    metrics.watch_certificates(_certificates(config))
    signer = metrics.measure_signer(_signer(config, reactor, services, metrics))
    store, checks = _store(config, reactor, services, metrics)
    health = Health({**checks, "Trust operational": signer.check}, reactor)
    readiness = Readiness(health, reactor, without=[WRITABLE])
    readiness.setServiceParent(services)
    metrics.watch_readiness(readiness)
    pages = Pages(health, readiness, metrics.registry)
    max_age = config.caching.max_age
    policy = Policy(
        config.repositories.gun_prefixes,
        current=CacheControl(max_age.current_metadata, must_revalidate=True),
        consistent=CacheControl(max_age.consistent_metadata),
    )
    publishing = Publishing(
        store, signer, reactor, judging.run, config.repositories.max_version_step
    )
    requests = metrics.requests
    api = API(store, signer, publishing, policy, requests, metrics.lifetimes, pages, reactor)
    site = NotarySite(api.app.resource(), reactor, requests, config.server.max_upload_bytes)
    server = config.server
    context = None
    if server.tls_cert_file is not None and server.tls_key_file is not None:
        pair = KeyPair(server.tls_cert_file, server.tls_key_file)
        context = server_context(pair, server.client_ca_file)
    Door(reactor, server.http_addr.host, server.http_addr.port, site, context).setServiceParent(
        services
    )


def _database(storage: Storage) -> DatabaseSettings:
    certificates = Certificates(
        storage.tls_ca_file, storage.client_cert_file, storage.client_key_file
    )
    return DatabaseSettings(storage.backend, storage.db_url, certificates)


def _certificates(config: ServerConfig) -> dict[str, Path | None]:
    """Return the files of certificates by the keys of the configuration that name them."""
    trust = config.trust_service
    files = {
        "server.tls_cert_file": config.server.tls_cert_file,
        "server.client_ca_file": config.server.client_ca_file,
        "storage.tls_ca_file": config.storage.tls_ca_file,
        "storage.client_cert_file": config.storage.client_cert_file,
    }
    if not isinstance(trust, LocalTrust):
        files["trust_service.tls_ca_file"] = trust.tls_ca_file
        files["trust_service.tls_client_cert"] = trust.tls_client_cert
    if config.auth is not None:
        files["auth.options.rootcertbundle"] = config.auth.options.rootcertbundle
    return files


def _store(
    config: ServerConfig, reactor: Any, services: MultiService, metrics: ServerMetrics
) -> tuple[IMetadataStore, Checks]:
    """Return the store, and how to check it."""
    if config.storage.backend == "memory":
        memory = metrics.measure_store(MemoryMetadataStore(reactor))
        return memory, {"DB operational": memory.check}
    engine, threads = open_database(
        _database(config.storage), SERVER, reactor, services, partial(daemon.give_up, reactor)
    )
    metrics.pools.watch("database", threads)
    metrics.watch_database(partial(connections_in_use, engine))
    store = SQLMetadataStore(engine, threads, reactor)
    cached = CachedMetadataStore(metrics.measure_store(store), CACHED_BYTES)
    metrics.watch_cache(cached, CACHED_BYTES)
    writable = partial(store.check_writable, tuf_files)
    return cached, {"DB operational": cached.check, WRITABLE: writable}


def _signer(
    config: ServerConfig, reactor: Any, services: MultiService, metrics: ServerMetrics
) -> ISigner:
    trust = config.trust_service
    if isinstance(trust, LocalTrust):
        return LocalSigner()
    pair = None
    if trust.tls_client_cert is not None and trust.tls_client_key is not None:
        pair = KeyPair(trust.tls_client_cert, trust.tls_client_key)
    context = client_context(trust.hostname, trust.tls_ca_file, pair, [ALPN])
    connections = SignerConnections(reactor, trust.hostname, trust.port, context)
    connections.setServiceParent(services)
    metrics.watch_connections(lambda: connections.usable)
    return RemoteSigner(connections, trust.key_algorithm, trust.timeout, reactor)
