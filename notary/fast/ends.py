"""The two ends of a connection."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address

Address = IPv4Address | IPv6Address


class Ends:
    """What a transport knows of its socket.

    Args:
        peer: where the client is.
        host: the address that it has reached.
    """

    def __init__(self, peer: Address, host: Address) -> None:
        self._peer = peer
        self._host = host

    def getPeer(self) -> Address:
        """Return where the client is."""
        return self._peer

    def getHost(self) -> Address:
        """Return the address that the client has reached."""
        return self._host

    def getTcpNoDelay(self) -> bool:
        """Return that small pieces are sent without delay: uvloop sees to that."""
        return True

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Leave it at that."""

    def getTcpKeepAlive(self) -> bool:
        """Return that idle connections are not probed."""
        return False

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """Leave it at that."""


def address(sockaddr: Any) -> Address:
    """Return an address of the socket module as one of Twisted's."""
    if len(sockaddr) == 2:
        return IPv4Address("TCP", *sockaddr)
    return IPv6Address("TCP", *sockaddr)
