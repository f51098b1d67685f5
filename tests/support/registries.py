"""The registries of both daemons, with everything in them that there can be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import attrs
from prometheus_client import CollectorRegistry
from twisted.internet.defer import maybeDeferred, succeed
from twisted.internet.task import Clock

from notary.observe.health import Health, Readiness
from notary.server.metrics import ServerMetrics
from notary.signer.calls import Calls
from notary.signer.metrics import SignerMetrics
from notary.signer.passphrases import Passphrases
from notary.signer.protocol import SignerFactory
from notary.signer.vault import KeyVault
from notary.signing.local import LocalSigner
from notary.storage.cached import CachedMetadataStore
from notary.storage.keys.memory import MemoryKeyStore
from notary.storage.memory import MemoryMetadataStore
from notary.storage.threads import WorkerThreads
from notary.workers.measures import ParentMetrics
from tests.support.daemons import ROOT_CA


def parent_registry(prefix: str) -> CollectorRegistry:
    """That of the parent of workers."""
    return ParentMetrics(prefix, lambda: 2).registry


@attrs.frozen
class Described:
    """What is known of a metric.

    Attributes:
        kind: its type.
        labels: their names, in order; ``le`` of a histogram is left out.
        help_text: says what it is.
    """

    kind: str
    labels: Sequence[str]
    help_text: str


def _fill(metrics: ServerMetrics | SignerMetrics, clock: Any) -> None:
    metrics.pools.watch("database", WorkerThreads(clock, "database", 1))
    metrics.watch_loop(clock)
    metrics.watch_database(lambda: 0)
    metrics.watch_certificates({"server.tls_cert_file": ROOT_CA})
    readiness = Readiness(Health({"Check": lambda: succeed(None)}, clock), clock)
    readiness.startService()
    metrics.watch_readiness(readiness)


def server_registry() -> CollectorRegistry:
    """That of a server with a database and a signer, which was asked something."""
    clock: Any = Clock()
    metrics = ServerMetrics("1.2.3", clock, maybeDeferred)
    _fill(metrics, clock)
    metrics.measure_signer(LocalSigner())
    store = metrics.measure_store(MemoryMetadataStore(clock))
    metrics.watch_cache(CachedMetadataStore(store, 1000, clock), 1000)
    metrics.watch_connections(lambda: 0)
    metrics.watch_short_way(cast(Any, SimpleNamespace(answered=0)))
    metrics.requests.observe("Ping", "GET", 200, 0.1, 0, 2)
    return metrics.registry


def signer_registry() -> CollectorRegistry:
    """That of a signer with a database."""
    clock: Any = Clock()
    metrics = SignerMetrics("1.2.3", clock)
    _fill(metrics, clock)
    vault = KeyVault(MemoryKeyStore(), Passphrases({}, Path()), "a", maybeDeferred, clock)
    calls: Calls = metrics.measured_calls(vault)
    metrics.watch_connections(SignerFactory(calls, clock))
    return metrics.registry


def described(registry: CollectorRegistry) -> Mapping[str, Described]:
    """The metrics by the names that they are asked for by."""
    found = {}
    for family in registry.collect():
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = [label for label in family.samples[0].labels if label != "le"]
        found[name] = Described(family.type, labels, family.documentation)
    return found
