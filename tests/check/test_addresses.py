"""Whether an address can be listened on, with real sockets."""

from __future__ import annotations

import socket

import pytest

from notary.check.addresses import check_address
from notary.check.findings import Finding, Severity
from notary.config.values import ListenAddress, SystemdSocket


def look(address: ListenAddress | SystemdSocket | None, *, reuse: bool = False) -> list[Finding]:
    return check_address("server.http_addr", address, "notary-server", reuse=reuse)


def test_none_is_not_looked_at() -> None:
    assert look(None) == []


@pytest.mark.parametrize("host", ["", "127.0.0.1", "localhost"])
def test_a_free_one(host: str) -> None:
    for _ in range(2):
        (finding,) = look(ListenAddress(host, 0))
        assert finding.severity is Severity.OK


@pytest.mark.parametrize(("reuse", "severity"), [(False, Severity.WARNING), (True, Severity.OK)])
def test_one_that_is_taken(reuse: bool, severity: Severity) -> None:
    """It may be the very daemon whose set-up is looked at."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        (finding,) = look(ListenAddress("127.0.0.1", port), reuse=reuse)
    assert finding.severity is severity
    assert ("is another notary-server running" in finding.message) is not reuse


@pytest.mark.parametrize("host", ["192.0.2.1", "nowhere.invalid"])
def test_one_of_elsewhere(host: str) -> None:
    (finding,) = look(ListenAddress(host, 0))
    assert finding.severity is Severity.ERROR
    assert f"cannot listen on {host}:0: " in finding.message


def test_one_of_systemd() -> None:
    (finding,) = look(SystemdSocket("systemd:domain=INET6:index=0"))
    assert finding.severity is Severity.OK
