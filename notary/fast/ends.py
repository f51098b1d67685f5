"""The two ends of a connection."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address

Address = IPv4Address | IPv6Address


class Ends:
    """What a transport knows of its socket.

    Args:
        peer: where the other end is.
        host: where this end is.
    """

    def __init__(self, peer: Address, host: Address) -> None:
        self._peer = peer
        self._host = host

    def getPeer(self) -> Address:
        """Return where the other end is."""
        return self._peer

    def getHost(self) -> Address:
        """Return where this end is."""
        return self._host

    def getTcpNoDelay(self) -> bool:
        """Return that small pieces are sent without delay: uvloop sees to that."""
        return True

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Leave it at that."""


def address(sockaddr: Any) -> Address:
    """Return an address of the socket module as one of Twisted's."""
    if len(sockaddr) == 2:
        return IPv4Address("TCP", *sockaddr)
    return IPv6Address("TCP", *sockaddr)
