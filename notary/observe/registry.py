"""The metrics that every daemon has."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from pathlib import Path

import twisted
from prometheus_client import (
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from twisted.internet.interfaces import IReactorTime

from notary.observe.certificates import CertificateExpiry
from notary.observe.health import Readiness
from notary.observe.lag import LoopLag
from notary.observe.pools import PoolMetrics
from notary.observe.tallies import Reading


class _BuildInfo(Collector):
    def __init__(self, prefix: str, version: str) -> None:
        self._prefix = prefix
        self._version = version

    def collect(self) -> list[GaugeMetricFamily]:
        names = ["version", "python", "twisted"]
        family = GaugeMetricFamily(
            f"{self._prefix}_build_info", "What runs here; the value is always 1.", labels=names
        )
        family.add_metric([self._version, platform.python_version(), twisted.__version__], 1)
        return [family]


class DaemonMetrics:
    """The registry of a daemon, filled as the daemon is put together.

    Args:
        prefix: begins the names of the daemon's own metrics, such as ``notary_server``.
        version: the daemon's.

    Attributes:
        registry: has all the metrics.
        pools: gets the threads to watch.
    """

    def __init__(self, prefix: str, version: str) -> None:
        self._prefix = prefix
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self.registry.register(_BuildInfo(prefix, version))
        self.pools = PoolMetrics(self.registry, prefix)

    def watch_loop(self, clock: IReactorTime) -> LoopLag:
        """Return a service that tells how late the event loop is."""
        return LoopLag(self.registry, self._prefix, clock)

    def watch_database(self, connections: Callable[[], float]) -> None:
        """Tell how many connections to the database are in use."""
        self.read("database_connections", "Connections to the database in use.", connections)

    def watch_certificates(self, files: Mapping[str, Path | None]) -> None:
        """Tell when certificates expire, by the keys of the configuration that name them."""
        CertificateExpiry(self.registry, self._prefix, files)

    def watch_readiness(self, readiness: Readiness) -> None:
        """Tell what came of the checks."""
        self.read(
            "ready", "1 if the daemon is ready, else 0.", lambda: float(not readiness.reasons())
        )
        self.read(
            "check_passing",
            "1 if the last run of a check went well, else 0.",
            readiness.passing,
            "check",
        )

    def read(
        self,
        name: str,
        help_text: str,
        read: Callable[[], float | Mapping[str, float]],
        label: str | None = None,
    ) -> None:
        """Add a metric whose values something else keeps, as `Reading` says."""
        Reading(self.registry, f"{self._prefix}_{name}", help_text, read, label)
