"""Whether an address can be listened on."""

from __future__ import annotations

import errno
import socket

from notary.check.findings import Finding, error, ok, warning
from notary.config.values import ListenAddress, SystemdSocket

_NO_IPV6 = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)


def check_address(
    subject: str, address: ListenAddress | SystemdSocket | None, daemon: str, *, reuse: bool
) -> list[Finding]:
    """Listen on an address for a moment, if there is one.

    Args:
        subject: its key path.
        address: where.
        daemon: who is going to listen there, for messages.
        reuse: whether others may listen on it too (SO_REUSEPORT).
    """
    if address is None:
        return []
    if isinstance(address, SystemdSocket):
        return [ok(subject, f"{address} is listened on by systemd, which is not looked at")]
    try:
        _listen(address, reuse)
    except OSError as problem:
        return [_judge(subject, address, daemon, problem)]
    return [ok(subject, f"{address} can be listened on")]


def _judge(subject: str, address: ListenAddress, daemon: str, problem: OSError) -> Finding:
    what = f"cannot listen on {address}: {problem.strerror}"
    if problem.errno == errno.EADDRINUSE:
        return warning(
            subject,
            f"{what}; is another {daemon} running there? If it is not the one that this set-up "
            "is for, stop it or choose another port",
        )
    advice = {
        errno.EACCES: "choose a port from 1024 up, or give the daemon CAP_NET_BIND_SERVICE",
        errno.EADDRNOTAVAIL: "choose an address that this machine has, or none for all of them",
    }
    return error(subject, f"{what}; {advice.get(problem.errno or 0, 'correct the host name')}")


def _listen(address: ListenAddress, reuse: bool) -> None:
    if address.host:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
        # As the daemon does: IPv4 first.
        family, *_, where = min(found, key=lambda info: info[0] != socket.AF_INET)
        _bind(family, where, reuse)
        return
    try:
        _bind(socket.AF_INET6, ("::", address.port), reuse)
    except OSError as problem:
        if problem.errno not in _NO_IPV6:
            raise
        _bind(socket.AF_INET, ("0.0.0.0", address.port), reuse)  # noqa: S104


def _bind(family: int, where: tuple[object, ...], reuse: bool) -> None:
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(where)
        listener.listen(1)
