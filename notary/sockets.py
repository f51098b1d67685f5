"""Sockets that listen: opened here, or by systemd."""

from __future__ import annotations

import errno
import os
import socket
from typing import Any

from twisted.internet.endpoints import serverFromString

from notary.config.values import ListenAddress, SystemdSocket

BACKLOG = 512
"""Connections that may wait until they are accepted."""

_NO_IPV6 = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)


def listening_socket(
    address: ListenAddress | SystemdSocket, *, reuse_port: bool = False
) -> socket.socket:
    """Return a TCP socket that listens and does not block.

    Args:
        address: an empty host stands for every interface, IPv6 and IPv4.
        reuse_port: whether other processes of this user may listen on the same port
            (``SO_REUSEPORT``).

    Raises:
        OSError: that is not possible.
    """
    if isinstance(address, SystemdSocket):
        listening = _inherited(address)
    elif address.host:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
        family, *_, sockaddr = min(found, key=lambda info: info[0] != socket.AF_INET)
        listening = _bound(family, sockaddr, reuse_port)
    else:
        listening = _bound_to_all(address.port, reuse_port)
    listening.setblocking(False)
    return listening


def _bound_to_all(port: int, reuse_port: bool) -> socket.socket:
    try:
        return _bound(socket.AF_INET6, ("::", port), reuse_port)
    except OSError as error:
        if error.errno not in _NO_IPV6:
            raise
        return _bound(socket.AF_INET, ("0.0.0.0", port), reuse_port)  # noqa: S104 - as was asked


def _bound(family: int, sockaddr: Any, reuse_port: bool) -> socket.socket:
    bound = socket.socket(family)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6 and sockaddr[0] == "::":
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        bound.bind(sockaddr)
        bound.listen(BACKLOG)
    except OSError:
        bound.close()
        raise
    return bound


def _inherited(address: SystemdSocket) -> socket.socket:
    """Return a copy of a socket that came with the process.

    Twisted looks for them when it is imported, before `twistd` goes into the background, which
    changes the process ID that systemd has named.
    """
    try:
        # Only Twisted knows the descriptors: it removes the variables that tell them.
        endpoint: Any = serverFromString(None, address.description)
    except LookupError:
        raise OSError(
            "systemd has passed no such socket to this process; see Sockets= of the service, and "
            "FileDescriptorName= of the socket"
        ) from None
    inherited = socket.socket(fileno=os.dup(endpoint.fileno))
    if inherited.family not in (socket.AF_INET, socket.AF_INET6) or not inherited.getsockopt(
        socket.SOL_SOCKET, socket.SO_ACCEPTCONN
    ):
        inherited.close()
        raise OSError("it is no TCP socket that listens; see ListenStream= and Accept=no")
    return inherited
