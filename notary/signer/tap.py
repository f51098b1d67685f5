"""Putting the signer together from its configuration."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from twisted.application.service import IService, MultiService
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from notary import __version__, daemon
from notary.config import ConfigError, SignerConfig, load_signer_config
from notary.config.sections import Storage
from notary.door import Door
from notary.observe.health import Health, Readiness
from notary.observe.pages import Pages
from notary.observe.site import watching_site
from notary.signer.main import SWITCHES
from notary.signer.metrics import PREFIX, SignerMetrics
from notary.signer.passphrases import PassphraseError, Passphrases, variable
from notary.signer.process import ProtectionError, protect_memory
from notary.signer.protocol import SignerFactory
from notary.signer.vault import KeyVault
from notary.signing.wire import ALPN
from notary.storage.bootstrap import SIGNER
from notary.storage.certificates import Certificates
from notary.storage.interfaces import StorageError
from notary.storage.keys.interfaces import IKeyStore
from notary.storage.keys.memory import MemoryKeyStore
from notary.storage.keys.sql import SQLKeyStore
from notary.storage.opening import (
    DatabaseSettings,
    bootstrap_database,
    connections_in_use,
    open_database,
)
from notary.storage.threads import WorkerThreads
from notary.tls import KeyPair, TLSError, server_context

CRYPTOGRAPHY_THREADS = 2

_log = Logger()


class Options(daemon.Options):
    """The command line of ``twistd notary-signer``."""

    optFlags = [[name, None, effect] for name, effect in SWITCHES.items()]


def makeService(options: Options) -> IService:
    """Return the signer that a command line asks for.

    Raises:
        SystemExit: it cannot be; the message says what is wrong. Or it was only asked to make its
            table, which is done.
    """
    from twisted.internet import reactor

    try:
        config = load_signer_config(options["config"], os.environ)
        if options["bootstrap"]:
            bootstrap_database(_database(config.storage), SIGNER)
            raise SystemExit(0)
        services = daemon.Daemon(options, config.logging.level)
        daemon.announce(config.warnings)
        _protect_memory(options["debug"])
        _log.info("Using {backend} backend", backend=config.storage.backend)
        _log.info("Starting Signer")
        directory = Path(options["config"]).absolute().parent
        build(config, os.environ, directory, reactor, services)
    except (ConfigError, PassphraseError, StorageError, TLSError) as error:
        raise SystemExit(f"notary-signer: {error}") from error
    return services


def build(
    config: SignerConfig,
    environ: Mapping[str, str],
    directory: Path,
    reactor: Any,
    services: MultiService,
) -> None:
    """Put the services of a signer into a daemon.

    Raises:
        PassphraseError: new keys could not be encrypted.
        StorageError: the database cannot be used.
        TLSError: a certificate or key cannot be used.
    """
    server = config.server
    if server.client_ca_file is None:
        _log.error(
            "server.client_ca_file is not set: whoever reaches {address} may have anything signed",
            address=server.grpc_addr,
        )
    cryptography = WorkerThreads(reactor, "cryptography", CRYPTOGRAPHY_THREADS)
    cryptography.setServiceParent(services)
    metrics = SignerMetrics(__version__, reactor)
    metrics.pools.watch("cryptography", cryptography)
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
    pair = KeyPair(server.tls_cert_file, server.tls_key_file)
    context = server_context(pair, server.client_ca_file, [ALPN])
    address = server.grpc_addr
    Door(reactor, address.host, address.port, factory, context).setServiceParent(services)
    _watch(config, vault, metrics, reactor, services)


def _watch(
    config: SignerConfig,
    vault: KeyVault,
    metrics: SignerMetrics,
    reactor: Any,
    services: MultiService,
) -> None:
    """Listen where health and metrics are asked for, if anywhere."""
    server, storage = config.server, config.storage
    address = server.metrics_addr
    if address is None:
        return
    metrics.watch_certificates(
        {
            "server.tls_cert_file": server.tls_cert_file,
            "server.client_ca_file": server.client_ca_file,
            "storage.tls_ca_file": storage.tls_ca_file,
            "storage.client_cert_file": storage.client_cert_file,
        }
    )
    checks = {"Keys operational": lambda: Deferred.fromCoroutine(vault.check())}
    health = Health(checks, reactor)
    readiness = Readiness(health, reactor)
    readiness.setServiceParent(services)
    metrics.watch_readiness(readiness)
    site = watching_site(PREFIX, Pages(health, readiness, metrics.registry), reactor)
    Door(reactor, address.host, address.port, site, None).setServiceParent(services)


def _protect_memory(debug: bool) -> None:
    if debug:
        _log.warn("-debug: whoever may debug this process can read the keys in its memory")
        return
    try:
        protect_memory()
    except ProtectionError as error:
        raise SystemExit(
            f"notary-signer: the memory of the process cannot be protected: {error}; "
            "-debug does without that"
        ) from error


def _database(storage: Storage) -> DatabaseSettings:
    certificates = Certificates(
        storage.tls_ca_file, storage.client_cert_file, storage.client_key_file
    )
    return DatabaseSettings(storage.backend, storage.db_url, certificates)


def _store(
    config: SignerConfig, reactor: Any, services: MultiService, metrics: SignerMetrics
) -> IKeyStore:
    if config.storage.backend == "memory":
        return MemoryKeyStore()
    engine, threads = open_database(
        _database(config.storage), SIGNER, reactor, services, partial(daemon.give_up, reactor)
    )
    metrics.pools.watch("database", threads)
    metrics.watch_database(partial(connections_in_use, engine))
    return SQLKeyStore(engine, threads, reactor)
