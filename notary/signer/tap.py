"""Putting the signer together from its configuration."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

import attrs
from twisted.application.service import IService, MultiService
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from notary import __version__, daemon
from notary.check.running import log_concerns, run
from notary.config import ConfigError, SignerConfig, load_signer_config
from notary.config.signer import Signer
from notary.config.values import ListenAddress
from notary.door import Door
from notary.observe.debug.addresses import NotLoopbackError, loopback_address
from notary.observe.health import Health, Readiness
from notary.observe.pages import Pages
from notary.reloading import Reloader
from notary.settings import database_settings
from notary.signer.check import check, check_files
from notary.signer.main import SWITCHES
from notary.signer.metrics import PREFIX, SignerMetrics
from notary.signer.passphrases import PassphraseError, Passphrases, variable
from notary.signer.process import ProtectionError, protect_memory
from notary.signer.protocol import SignerFactory
from notary.signer.vault import KeyVault
from notary.signing.wire import ALPN
from notary.sockets import PassedSocket
from notary.storage.bootstrap import SIGNER
from notary.storage.interfaces import StorageError
from notary.storage.keys.interfaces import IKeyStore
from notary.storage.keys.memory import MemoryKeyStore
from notary.storage.keys.sql import SQLKeyStore
from notary.storage.opening import bootstrap_database, connections_in_use, open_database
from notary.storage.threads import WorkerThreads
from notary.tls import KeyPair, ServerContext, TLSError
from notary.workers.leading import lead_workers
from notary.workers.plan import SharedDoor
from notary.workers.role import ALONE, Role
from notary.workers.worker import Worker, told_by_parent

CRYPTOGRAPHY_THREADS = 2

_GRPC = "server.grpc_addr"
_METRICS = "server.metrics_addr"
_DEBUG = "server.debug_addr"

_log = Logger()


class Options(daemon.Options):
    """The command line of ``twistd notary-signer``."""

    optFlags = [[name, None, effect] for name, effect in SWITCHES.items()]


def makeService(options: Options) -> IService:
    """Return the signer that a command line asks for.

    Raises:
        SystemExit: it cannot be; the message says what is wrong. Or it was only asked to look at
            the set-up, and the status says how that is; or to make its
            table, which is done.
    """
    from twisted.internet import reactor

    path = options["config"]
    directory = Path(path).absolute().parent
    if options["check"]:
        raise SystemExit(run(reactor, lambda: check(path, os.environ, directory, reactor)))
    try:
        config = load_signer_config(path, os.environ)
        if options["bootstrap"]:
            bootstrap_database(database_settings(config.storage), SIGNER)
            raise SystemExit(0)
        told = told_by_parent(os.environ)
        if told is not None:
            services = daemon.Daemon(options, told.level, reactor, several=True, follows=True)
            if not options["debug"]:
                _protect_memory()
            _debug_server(told.sockets.get(_DEBUG), reactor, services)
            worker = Worker(reactor, told, services.orders)
            build(config, os.environ, directory, reactor, services, services.reloader, worker)
            worker.setServiceParent(services)
            return services
        several = config.server.workers > 1
        services = daemon.Daemon(options, config.logging.level, reactor, several=several)
        daemon.announce(config.warnings, reactor)
        log_concerns(check_files(dict(config), datetime.now(timezone.utc)))
        if options["debug"]:
            _log.warn("-debug: whoever may debug this process can read the keys in its memory")
        else:
            _protect_memory()
        debug = config.server.debug_address(options["debug"])
        _log.info("Using {backend} backend", backend=config.storage.backend)
        _log.info("Starting Signer")
        if several:
            doors = [*_doors(config.server, debug)]
            lead_workers(services, options, reactor, "signer", config.server, doors)
            return services
        _debug_server(debug, reactor, services)
        build(config, os.environ, directory, reactor, services, services.reloader)
    except (ConfigError, NotLoopbackError, PassphraseError, StorageError, TLSError) as error:
        raise SystemExit(f"notary-signer: {error}") from error
    return services


def _doors(server: Signer, debug: ListenAddress | None) -> Iterator[SharedDoor]:
    """Yield where workers listen, in the order in which this is told."""
    if debug is not None:
        yield SharedDoor(_DEBUG, _on_loopback(debug), for_first=True)
    if server.metrics_addr is not None:
        yield SharedDoor(_METRICS, server.metrics_addr)
    yield SharedDoor(_GRPC, server.grpc_addr, secure=True)


def _debug_server(
    address: ListenAddress | PassedSocket | None, reactor: Any, services: MultiService
) -> None:
    if address is not None:
        # Not before: hardly any daemon has one.
        from notary.observe.debug.server import debug_site

        site = debug_site(reactor, "notary-signer", str(address))
        where = _on_loopback(address) if isinstance(address, ListenAddress) else address
        Door(reactor, where, site, None).setServiceParent(services)


def _on_loopback(address: ListenAddress) -> ListenAddress:
    return attrs.evolve(address, host=loopback_address(address.host))


def build(
    config: SignerConfig,
    environ: Mapping[str, str],
    directory: Path,
    reactor: Any,
    services: MultiService,
    reloader: Reloader,
    role: Role = ALONE,
) -> None:
    """Put the services of a signer into a daemon, which may be a worker.

    Raises:
        PassphraseError: new keys could not be encrypted.
        StorageError: the database cannot be used.
        TLSError: a certificate or key cannot be used.
    """
    server = config.server
    cryptography = WorkerThreads(reactor, "cryptography", CRYPTOGRAPHY_THREADS)
    cryptography.setServiceParent(services)
    metrics = SignerMetrics(__version__, reactor)
    metrics.pools.watch("cryptography", cryptography)
    metrics.watch_loop(reactor).setServiceParent(services)
    store = _store(config, reactor, services, metrics)
    alias = config.storage.default_alias
    if config.storage.backend == "memory":
        # Such keys are gone before anybody could need their passphrase again.
        alias, environ = "memory", {variable("memory"): secrets.token_urlsafe()}
    passphrases = Passphrases(environ, directory)
    passphrases.passphrase(alias)
    vault = KeyVault(store, passphrases, alias, cryptography.run, reactor)
    factory = SignerFactory(metrics.measured_calls(vault), reactor)
    metrics.watch_connections(factory)
    readiness = _watch(config, vault, metrics, reactor, services, role)
    factory.connections.setServiceParent(services)
    pair = KeyPair(server.tls_cert_file, server.tls_key_file)
    context = ServerContext(pair, server.client_ca_file, [ALPN])
    reloader.watch(context)
    address = role.address(_GRPC, server.grpc_addr)
    door = Door(reactor, address, factory, context, reuse_port=server.reuse_port)
    door.setServiceParent(services)
    if readiness is not None:
        readiness.setServiceParent(services)  # it stops first


def _watch(
    config: SignerConfig,
    vault: KeyVault,
    metrics: SignerMetrics,
    reactor: Any,
    services: MultiService,
    role: Role,
) -> Readiness | None:
    """Listen where health and metrics are asked for, if anywhere; return what keeps them fresh."""
    server, storage = config.server, config.storage
    if server.metrics_addr is None:
        return None
    # Not before: a signer without it needs no HTTP.
    from notary.observe.site import watching_site

    metrics.watch_certificates(
        {
            "server.tls_cert_file": server.tls_cert_file,
            "server.client_ca_file": server.client_ca_file,
            "storage.tls_ca_file": storage.tls_ca_file,
            "storage.client_cert_file": storage.client_cert_file,
        }
    )
    health = Health({"Keys operational": lambda: Deferred.fromCoroutine(vault.check())}, reactor)
    readiness = Readiness(health, reactor)
    metrics.watch_readiness(readiness)
    pages = Pages(health, readiness, role.exposition(metrics.registry))
    address = role.address(_METRICS, server.metrics_addr)
    Door(reactor, address, watching_site(PREFIX, pages, reactor), None).setServiceParent(services)
    return readiness


def _protect_memory() -> None:
    try:
        protect_memory()
    except ProtectionError as error:
        raise SystemExit(
            f"notary-signer: the memory of the process cannot be protected: {error}; "
            "-debug does without that"
        ) from error


def _store(
    config: SignerConfig, reactor: Any, services: MultiService, metrics: SignerMetrics
) -> IKeyStore:
    if config.storage.backend == "memory":
        return MemoryKeyStore()
    engine, threads = open_database(
        database_settings(config.storage),
        SIGNER,
        reactor,
        services,
        partial(daemon.give_up, reactor),
    )
    metrics.pools.watch("database", threads)
    metrics.watch_database(partial(connections_in_use, engine))
    return SQLKeyStore(engine, threads, reactor)
