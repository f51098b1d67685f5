"""Where requests come from, when proxies stand in front of the server."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Networks = Sequence[IPv4Network | IPv6Network]


def remote_address(host: str, port: int, forwarded: str, proxies: Networks) -> str:
    """Return the address that a request comes from, as far as it can be believed.

    ``X-Forwarded-For`` is a list to whose end each proxy adds the address of its own peer. It is
    read from there as long as those who wrote it are trusted: the first address that is none of
    theirs is the client's. What stands before it the client may have made up.

    Args:
        host: the IP address of the peer.
        port: its TCP port.
        forwarded: the header's value, empty if there is none.
        proxies: the networks of the trusted proxies.

    Returns:
        ``HOST:PORT`` of the peer, or the IP address alone if a proxy tells it.
    """
    peer = _parse(host)
    if peer is None or not _is_in(peer, proxies):
        return _with_port(host if peer is None else str(peer), port)
    found = None
    for entry in reversed(forwarded.split(",")):
        address = _parse(_without_port(entry.strip()))
        if address is None or "%" in entry:  # whoever wrote that does not tell
            break
        found = address
        if not _is_in(address, proxies):
            break
    return _with_port(str(peer), port) if found is None else str(found)


def _is_in(address: IPv4Address | IPv6Address, networks: Networks) -> bool:
    return any(address in network for network in networks)


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    """Read an IP address; an IPv4 address in the clothes of an IPv6 one is one of IPv4."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _without_port(text: str) -> str:
    if text.startswith("["):
        return text[1:].partition("]")[0]
    return text.partition(":")[0] if text.count(":") == 1 else text


def _with_port(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
