"""Putting the metadata server together from its configuration."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

import attrs
from twisted.application.service import IService, MultiService
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from notary import __version__, daemon
from notary.check.running import log_concerns, run
from notary.config import ConfigError, ServerConfig, load_server_config
from notary.config.server import LocalTrust, Server, TokenAuth
from notary.config.values import ListenAddress
from notary.door import Door
from notary.fast.reactor import FastReactor
from notary.observe.debug.addresses import NotLoopbackError, loopback_address
from notary.observe.health import Checks, Health, Readiness
from notary.observe.pages import Pages
from notary.reloading import Reloader
from notary.server.access.bundle import BundleError
from notary.server.access.challenge import Challenge
from notary.server.access.control import OpenAccess, TokenAccess
from notary.server.access.tokens import Expectations
from notary.server.api import API, Policy
from notary.server.caching import CacheControl
from notary.server.check import check, check_files
from notary.server.http import NotarySite
from notary.server.main import Options
from notary.server.metrics import ServerMetrics
from notary.server.publishing import Publishing
from notary.server.short_way import ShortWay
from notary.server.shortcuts import Shortcuts
from notary.settings import client_pair, database_settings
from notary.signing.connections import SignerConnections
from notary.signing.interfaces import ISigner
from notary.signing.local import LocalSigner
from notary.signing.remote import RemoteSigner
from notary.signing.wire import ALPN
from notary.sockets import PassedSocket
from notary.storage.bootstrap import SERVER
from notary.storage.cached import CachedMetadataStore
from notary.storage.interfaces import IMetadataStore, StorageError
from notary.storage.memory import MemoryMetadataStore
from notary.storage.opening import bootstrap_database, connections_in_use, open_database
from notary.storage.schema import tuf_files
from notary.storage.sql import SQLMetadataStore
from notary.storage.threads import WorkerThreads
from notary.tls import ClientContext, FastServerContext, KeyPair, ServerContext, TLSError
from notary.workers.leading import lead_workers
from notary.workers.plan import SharedDoor
from notary.workers.role import ALONE, Role
from notary.workers.worker import Worker, told_by_parent

JUDGING_THREADS = 2
LINES_SHARE = 4
"""The part of the memory for what is remembered that request lines may take."""

WRITABLE = "DB writable"

_HTTP = "server.http_addr"
_DEBUG = "server.debug_addr"

_log = Logger()


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
        told = told_by_parent(os.environ)
        if told is not None:
            services = daemon.Daemon(options, told.level, reactor, several=True, follows=True)
            _debug_server(told.sockets.get(_DEBUG), reactor, services)
            worker = Worker(reactor, told, services.orders)
            build(config, reactor, services, services.reloader, worker)
            worker.setServiceParent(services)
            return services
        several = config.server.workers > 1
        services = daemon.Daemon(options, config.logging.level, reactor, several=several)
        daemon.announce(config.warnings, reactor)
        log_concerns(check_files(dict(config), datetime.now(timezone.utc)))
        debug = config.server.debug_address(options["debug"])
        _log.info("Using {kind} signing service", kind=config.trust_service.type)
        _log.info("Using {backend} backend", backend=config.storage.backend)
        _log.info("Starting Server")
        if several:
            doors = [*_doors(config.server, debug)]
            lead_workers(services, options, reactor, "server", config.server, doors)
            return services
        _debug_server(debug, reactor, services)
        build(config, reactor, services, services.reloader)
    except (ConfigError, NotLoopbackError, StorageError, TLSError) as error:
        raise SystemExit(f"notary-server: {error}") from error
    return services


def _doors(server: Server, debug: ListenAddress | None) -> Iterator[SharedDoor]:
    """Yield where workers listen, in the order in which this is told."""
    if debug is not None:
        yield SharedDoor(_DEBUG, _on_loopback(debug), for_first=True)
    yield SharedDoor(_HTTP, server.http_addr, server.tls_cert_file is not None)


def _debug_server(
    address: ListenAddress | PassedSocket | None, reactor: Any, services: MultiService
) -> None:
    if address is not None:
        # Not before: hardly any daemon has one.
        from notary.observe.debug.server import debug_site

        site = debug_site(reactor, "notary-server", str(address))
        where = _on_loopback(address) if isinstance(address, ListenAddress) else address
        Door(reactor, where, site, None).setServiceParent(services)


def _on_loopback(address: ListenAddress) -> ListenAddress:
    return attrs.evolve(address, host=loopback_address(address.host))


def build(
    config: ServerConfig,
    reactor: Any,
    services: MultiService,
    reloader: Reloader,
    role: Role = ALONE,
) -> None:
    """Put the services of a metadata server into a daemon, which may be a worker.

    Raises:
        ConfigError: the certificates that vouch for access tokens cannot be used.
        StorageError: the database cannot be used.
        TLSError: a certificate or key cannot be used.
    """
    access = _access(config.auth, reactor, reloader)
    judging = WorkerThreads(reactor, "judging", JUDGING_THREADS)
    judging.setServiceParent(services)
    metrics = ServerMetrics(__version__, reactor, judging.run)
    metrics.pools.watch("judging", judging)
    metrics.watch_loop(reactor).setServiceParent(services)
    metrics.watch_certificates(_certificates(config))
    signer = metrics.measure_signer(_signer(config, reactor, services, reloader, metrics))
    store, checks = _store(config, reactor, services, metrics)
    health = Health({**checks, "Trust operational": signer.check}, reactor)
    readiness = Readiness(health, reactor, without=[WRITABLE])
    metrics.watch_readiness(readiness)
    pages = Pages(health, readiness, role.exposition(metrics.registry))
    max_age, open_to_all = config.caching.max_age, config.auth is None
    policy = Policy(
        config.repositories.gun_prefixes,
        current=CacheControl(max_age.current_metadata, must_revalidate=True, shared=open_to_all),
        consistent=CacheControl(max_age.consistent_metadata, shared=open_to_all),
    )
    publishing = Publishing(
        store, signer, reactor, judging.run, config.repositories.max_version_step
    )
    requests = metrics.requests
    api = API(
        store, signer, publishing, policy, requests, metrics.lifetimes, pages, reactor, access
    )
    server = config.server
    shortcuts = Shortcuts(config.caching.memory_bytes // LINES_SHARE)
    short_way = ShortWay(
        store, api.changefeed, access, requests, metrics.lifetimes, shortcuts, reactor
    )
    metrics.watch_short_way(short_way)
    site = NotarySite(
        api.app.resource(),
        reactor,
        requests,
        server.max_upload_bytes,
        access.believes,
        server.trusted_proxies,
        short_way,
    )
    site.connections.setServiceParent(services)
    context: FastServerContext | ServerContext | None = None
    if server.tls_cert_file is not None and server.tls_key_file is not None:
        pair = KeyPair(server.tls_cert_file, server.tls_key_file)
        make_context = FastServerContext if isinstance(reactor, FastReactor) else ServerContext
        context = make_context(pair, server.client_ca_file)
        reloader.watch(context)
    address = role.address(_HTTP, server.http_addr)
    door = Door(reactor, address, site, context, reuse_port=server.reuse_port)
    door.setServiceParent(services)
    readiness.setServiceParent(services)  # it stops first


def _access(
    auth: TokenAuth | None, clock: IReactorTime, reloader: Reloader
) -> OpenAccess | TokenAccess:
    if auth is None:
        return OpenAccess()
    options = auth.options
    challenge = Challenge(options.realm, options.service, options.autoredirect)
    expected = Expectations(options.issuer, options.service)
    try:
        access = TokenAccess(options.rootcertbundle, expected, challenge, clock)
    except BundleError as error:
        raise ConfigError([f"auth.options.rootcertbundle: {error}"]) from error
    reloader.watch(access)
    return access


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
        database_settings(config.storage),
        SERVER,
        reactor,
        services,
        partial(daemon.give_up, reactor),
    )
    metrics.pools.watch("database", threads)
    metrics.watch_database(partial(connections_in_use, engine))
    store = SQLMetadataStore(engine, threads, reactor)
    max_bytes = config.caching.memory_bytes
    max_bytes -= max_bytes // LINES_SHARE
    cached = CachedMetadataStore(metrics.measure_store(store), max_bytes, reactor)
    metrics.watch_cache(cached, max_bytes)
    writable = partial(store.check_writable, tuf_files)
    return cached, {"DB operational": cached.check, WRITABLE: writable}


def _signer(
    config: ServerConfig,
    reactor: Any,
    services: MultiService,
    reloader: Reloader,
    metrics: ServerMetrics,
) -> ISigner:
    trust = config.trust_service
    if isinstance(trust, LocalTrust):
        return LocalSigner()
    context = ClientContext(trust.hostname, trust.tls_ca_file, client_pair(trust), [ALPN])
    reloader.watch(context)
    connections = SignerConnections(reactor, trust.hostname, trust.port, context)
    connections.setServiceParent(services)
    metrics.watch_connections(lambda: connections.usable)
    return RemoteSigner(connections, trust.key_algorithm, trust.timeout, reactor)
