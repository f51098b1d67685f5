"""The reactor that tests run on: the daemons', on which Twisted's way to listen works too."""

from __future__ import annotations

from typing import Any

import pytest

from notary.fast.reactor import install

install()

from twisted.internet import reactor  # noqa: E402 - it is chosen by now

__all__ = ["by_both_tls", "reactor"]


class _NotUvloops:
    """The reactor, as one that leaves TLS to Twisted."""

    def __getattr__(self, name: str) -> Any:
        return getattr(reactor, name)


by_both_tls = pytest.fixture(
    name="tls_reactor", params=[reactor, _NotUvloops()], ids=["uvloop", "Twisted's TLS"]
)(lambda request: request.param)
"""What doors and connections are given as the reactor, with and without Twisted's TLS.

A module that has it tests both.
"""
