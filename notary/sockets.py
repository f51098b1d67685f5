"""Sockets that listen: opened here, by systemd, or by the parent of this process."""

from __future__ import annotations

import errno
import os
import socket
from typing import Any

import attrs

from notary.config.values import ListenAddress, SystemdSocket

BACKLOG = 512
"""Connections that may wait until they are accepted."""

_NO_IPV6 = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)


@attrs.frozen
class PassedSocket:
    """A socket that the parent of this process listens on for it.

    Attributes:
        descriptor: the number that it has here.
        address: where it listens, for messages.
    """

    descriptor: int
    address: str

    def __str__(self) -> str:
        return self.address


def listening_sockets(
    address: ListenAddress | SystemdSocket, number: int, *, reuse_port: bool = False
) -> list[socket.socket]:
    """Return TCP sockets that listen on the same port and do not block.

    The kernel spreads connections over them. A socket of systemd is only one: all get copies of it.

    Args:
        address: as of `listening_socket`.
        number: how many.
        reuse_port: whether other processes of this user may listen on that port too.

    Raises:
        OSError: that is not possible.
    """
    if isinstance(address, SystemdSocket) or number == 1:
        first = listening_socket(address, reuse_port=reuse_port)
        return [first, *(first.dup() for _ in range(number - 1))]
    if not reuse_port:
        # Nobody else may have the port, which the others that share it could not tell.
        listening_socket(address).close()
    sockets = [listening_socket(address, reuse_port=True)]
    port = sockets[0].getsockname()[1]
    for _ in range(number - 1):
        sockets.append(listening_socket(attrs.evolve(address, port=port), reuse_port=True))
    return sockets


def listening_socket(
    address: ListenAddress | SystemdSocket | PassedSocket, *, reuse_port: bool = False
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
    elif isinstance(address, PassedSocket):
        listening = socket.socket(fileno=os.dup(address.descriptor))
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
    # Not before: without systemd a signer needs none of them.
    from twisted.internet.endpoints import serverFromString

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
