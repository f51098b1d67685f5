"""What it means for the parts of a daemon whether its process is one of several."""

from __future__ import annotations

from typing import Protocol

from prometheus_client import CollectorRegistry

from notary.config.values import ListenAddress, SystemdSocket
from notary.observe.pages import Exposition, exposition_of
from notary.sockets import PassedSocket


class Role(Protocol):
    """What a process is to its daemon."""

    def address(
        self, key: str, configured: ListenAddress | SystemdSocket
    ) -> ListenAddress | SystemdSocket | PassedSocket:
        """Return where to listen, by the key of the configuration and what that says."""

    def exposition(self, registry: CollectorRegistry) -> Exposition:
        """Return what has the metrics of the daemon, given those of this process."""


class Alone:
    """A process that is the whole daemon."""

    def address(
        self, key: str, configured: ListenAddress | SystemdSocket
    ) -> ListenAddress | SystemdSocket:
        """Return what is configured."""
        return configured

    def exposition(self, registry: CollectorRegistry) -> Exposition:
        """Return what has the metrics of this process."""
        return exposition_of(registry)


ALONE = Alone()
