"""Putting the metadata server together from its configuration."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from functools import partial
from typing import Any

from twisted.application.service import IService, MultiService
from twisted.logger import Logger

from notary import daemon
from notary.check.running import log_concerns, run
from notary.config import ConfigError, ServerConfig, load_server_config
from notary.config.server import LocalTrust
from notary.door import Door
from notary.observe.health import Checks
from notary.observe.metrics import RequestMetrics
from notary.reloading import Reloader
from notary.server.api import API, Policy
from notary.server.caching import CacheControl
from notary.server.check import check, check_files
from notary.server.http import NotarySite
from notary.server.main import SWITCHES
from notary.server.publishing import Publishing
from notary.settings import client_pair, database_settings
from notary.signing.connections import SignerConnections
from notary.signing.interfaces import ISigner
from notary.signing.local import LocalSigner
from notary.signing.remote import RemoteSigner
from notary.signing.wire import ALPN
from notary.storage.bootstrap import SERVER
from notary.storage.cached import CachedMetadataStore
from notary.storage.interfaces import IMetadataStore, StorageError
from notary.storage.memory import MemoryMetadataStore
from notary.storage.opening import bootstrap_database, open_database
from notary.storage.schema import tuf_files
from notary.storage.sql import SQLMetadataStore
from notary.storage.threads import WorkerThreads
from notary.tls import ClientContext, KeyPair, ServerContext, TLSError

JUDGING_THREADS = 2
CACHED_BYTES = 64 * 1024 * 1024

_log = Logger()


class Options(daemon.Options):
    """The command line of ``twistd notary-server``."""

    optFlags = [[name, None, effect] for name, effect in SWITCHES.items()]


def makeService(options: Options) -> IService:
    """Return the metadata server that a command line asks for.

    Raises:
        SystemExit: it cannot be; the message says what is wrong. Or it was only asked to look at
            the set-up, and the status says how that is; or to make its
            tables, which is done.
    """
    from twisted.internet import reactor

    if options["check"]:
        raise SystemExit(run(reactor, lambda: check(options["config"], os.environ, reactor)))
    try:
        config = load_server_config(options["config"], os.environ)
        if options["bootstrap"]:
            bootstrap_database(database_settings(config.storage), SERVER)
            raise SystemExit(0)
        services = daemon.Daemon(options, config.logging.level, reactor)
        daemon.announce(config.warnings)
        log_concerns(check_files(dict(config), datetime.now(timezone.utc)))
        if options["debug"]:
            _log.warn("-debug has no effect: this version has no debug server")
        _log.info("Using {kind} signing service", kind=config.trust_service.type)
        _log.info("Using {backend} backend", backend=config.storage.backend)
        _log.info("Starting Server")
        build(config, reactor, services, services.reloader)
    except (ConfigError, StorageError, TLSError) as error:
        raise SystemExit(f"notary-server: {error}") from error
    return services


def build(config: ServerConfig, reactor: Any, services: MultiService, reloader: Reloader) -> None:
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
    signer = _signer(config, reactor, services, reloader)
    store, checks = _store(config, reactor, services)
    metrics = RequestMetrics()
    max_age = config.caching.max_age
    policy = Policy(
        config.repositories.gun_prefixes,
        current=CacheControl(max_age.current_metadata, must_revalidate=True),
        consistent=CacheControl(max_age.consistent_metadata),
    )
    publishing = Publishing(
        store, signer, reactor, judging.run, config.repositories.max_version_step
    )
    api = API(store, signer, publishing, policy, metrics, reactor, checks)
    site = NotarySite(api.app.resource(), reactor, metrics, config.server.max_upload_bytes)
    site.connections.setServiceParent(services)
    server = config.server
    context = None
    if server.tls_cert_file is not None and server.tls_key_file is not None:
        pair = KeyPair(server.tls_cert_file, server.tls_key_file)
        context = ServerContext(pair, server.client_ca_file)
        reloader.watch(context)
    door = Door(reactor, server.http_addr, site, context, reuse_port=server.reuse_port)
    door.setServiceParent(services)


def _store(
    config: ServerConfig, reactor: Any, services: MultiService
) -> tuple[IMetadataStore, Checks]:
    """Return the store, and what else there is to watch about it."""
    if config.storage.backend == "memory":
        return MemoryMetadataStore(reactor), {}
    engine, threads = open_database(
        database_settings(config.storage),
        SERVER,
        reactor,
        services,
        partial(daemon.give_up, reactor),
    )
    store = SQLMetadataStore(engine, threads, reactor)
    writable = partial(store.check_writable, tuf_files)
    return CachedMetadataStore(store, CACHED_BYTES), {"DB writable": writable}


def _signer(
    config: ServerConfig, reactor: Any, services: MultiService, reloader: Reloader
) -> ISigner:
    trust = config.trust_service
    if isinstance(trust, LocalTrust):
        return LocalSigner()
    context = ClientContext(trust.hostname, trust.tls_ca_file, client_pair(trust), [ALPN])
    reloader.watch(context)
    connections = SignerConnections(reactor, trust.hostname, trust.port, context)
    connections.setServiceParent(services)
    return RemoteSigner(connections, trust.key_algorithm, trust.timeout, reactor)
