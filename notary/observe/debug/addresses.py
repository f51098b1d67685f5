"""Which addresses only this machine can reach."""

from __future__ import annotations

import ipaddress
import re
import socket

_HOST_HEADER = re.compile(r"(?P<name>\[[0-9A-Fa-f:]+\]|[^:\[\]]+)(:[0-9]{1,5})?")


class NotLoopbackError(Exception):
    """The debug server would be reached from other hosts, or from nowhere."""


def loopback_address(host: str) -> str:
    """Return the IP address that a name of this machine stands for, IPv4 if there is one.

    Raises:
        NotLoopbackError: there is none, or other hosts could reach it.
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise NotLoopbackError(f"server.debug_addr: '{host}' has no address: {error}") from error
    found.sort(key=lambda info: info[0] != socket.AF_INET)
    address = str(found[0][4][0])
    if not is_loopback(address):
        raise NotLoopbackError(
            f"server.debug_addr: '{host}' stands for {address} here, which other hosts could "
            "reach: see /etc/hosts, or write 127.0.0.1"
        )
    return address


def is_loopback(address: str) -> bool:
    """Whether text is an IP address of this machine's own loopback interface."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def names_this_machine(host: str) -> bool:
    """Whether the header ``Host`` of a request is what somebody on this machine would write.

    A page of another site can have its own name stand for 127.0.0.1, but cannot have a browser
    send another name than that.
    """
    match = _HOST_HEADER.fullmatch(host)
    if match is None:
        return False
    name = match["name"].strip("[]")
    return name.lower() == "localhost" or is_loopback(name)
