"""Putting the metadata server together from its configuration."""

from __future__ import annotations

import os
import platform
from typing import Any

from sqlalchemy import Engine
from twisted.application.service import IService, MultiService
from twisted.logger import ILogObserver, Logger
from twisted.python import usage

from notary import __version__
from notary.config import ConfigError, ServerConfig, load_server_config
from notary.config.server import RemoteTrust
from notary.observe.logs import FORMATS, daemon_log, log_observer
from notary.observe.metrics import RequestMetrics
from notary.server.api import API, Policy
from notary.server.caching import CacheControl
from notary.server.http import NotarySite
from notary.server.publishing import Publishing
from notary.signing.interfaces import ISigner
from notary.signing.local import LocalSigner
from notary.storage.bootstrap import bootstrap, check_schema
from notary.storage.cached import CachedMetadataStore
from notary.storage.dsn import SQLITE, engine_url
from notary.storage.engines import create_engine_for
from notary.storage.interfaces import IMetadataStore, StorageError
from notary.storage.memory import MemoryMetadataStore
from notary.storage.sql import SQLMetadataStore
from notary.storage.threads import WorkerThreads
from notary.tls import Door, TLSError, server_context

DATABASE_CONNECTIONS = 4
JUDGING_THREADS = 2
CACHED_BYTES = 64 * 1024 * 1024

_log = Logger()


class Options(usage.Options):
    """The command line of ``twistd notary-server``."""

    optParameters = [
        ["config", "c", None, "Path to the configuration file."],
        ["logf", None, "json", "Format of the log: json or logfmt."],
    ]
    optFlags = [
        ["debug", None, "Accepted for compatibility; this version has no debug server."],
        ["bootstrap", None, "Make or upgrade the tables of the database, and exit."],
    ]

    def postOptions(self) -> None:
        """Check what was given."""
        if self["config"] is None:
            raise usage.UsageError("--config=FILE is required")
        if self["logf"] not in FORMATS:
            raise usage.UsageError(f"--logf must be json or logfmt, not {self['logf']}")


class _Daemon(MultiService):
    """The services of a daemon, and where its log goes."""

    def __init__(self, observer: ILogObserver) -> None:
        super().__init__()
        self._observer = observer

    def setServiceParent(self, parent: Any) -> None:
        """Become part of an application, whose log `twistd` then writes as ours."""
        parent.setComponent(ILogObserver, self._observer)
        super().setServiceParent(parent)


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
            _bootstrap(config)
            raise SystemExit(0)
        observer = log_observer(
            daemon_log(options.parent or {}), options["logf"], config.logging.level
        )
        daemon = _Daemon(observer)
        _announce(config, options)
        build(config, reactor, daemon)
    except (ConfigError, StorageError, TLSError) as error:
        raise SystemExit(f"notary-server: {error}") from error
    return daemon


def build(config: ServerConfig, reactor: Any, daemon: MultiService) -> None:
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
    judging.setServiceParent(daemon)
    signer = _signer(config)
    store = _store(config, reactor, daemon)
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
    api = API(store, signer, publishing, policy, metrics, reactor)
    site = NotarySite(api.app.resource(), reactor, metrics, config.server.max_upload_bytes)
    server = config.server
    context = None
    if server.tls_cert_file is not None and server.tls_key_file is not None:
        context = server_context(server.tls_cert_file, server.tls_key_file, server.client_ca_file)
    Door(reactor, server.http_addr.host, server.http_addr.port, site, context).setServiceParent(
        daemon
    )


def _announce(config: ServerConfig, options: Options) -> None:
    _log.info(
        "Version: {version}, Python version: {python}",
        version=__version__,
        python=platform.python_version(),
    )
    for warning in config.warnings:
        _log.warn("{warning}", warning=warning)
    if options["debug"]:
        _log.warn("-debug has no effect: this version has no debug server")
    _log.info("Using {kind} signing service", kind=config.trust_service.type)
    _log.info("Using {backend} backend", backend=config.storage.backend)
    _log.info("Starting Server")


def _store(config: ServerConfig, reactor: Any, daemon: MultiService) -> IMetadataStore:
    if config.storage.backend == "memory":
        return MemoryMetadataStore(reactor)
    engine = _engine(config)
    if config.storage.backend == SQLITE:
        bootstrap(engine)
    check_schema(engine)
    reactor.addSystemEventTrigger("after", "shutdown", engine.dispose)
    threads = WorkerThreads(reactor, "database", DATABASE_CONNECTIONS)
    threads.setServiceParent(daemon)
    return CachedMetadataStore(SQLMetadataStore(engine, threads, reactor), CACHED_BYTES)


def _engine(config: ServerConfig) -> Engine:
    url = engine_url(config.storage.backend, config.storage.db_url)
    return create_engine_for(url, DATABASE_CONNECTIONS)


def _signer(config: ServerConfig) -> ISigner:
    if isinstance(config.trust_service, RemoteTrust):
        raise ConfigError(["trust_service.type: 'remote' is not supported by this version"])
    return LocalSigner()


def _bootstrap(config: ServerConfig) -> None:
    if config.storage.backend == "memory":
        raise ConfigError(["storage.backend: 'memory' has no tables to make"])
    bootstrap(_engine(config))
