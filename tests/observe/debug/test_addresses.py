"""Which addresses and names are those of this machine."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from notary.observe.debug.addresses import (
    NotLoopbackError,
    is_loopback,
    loopback_address,
    names_this_machine,
)


@pytest.mark.parametrize(
    ("host", "address"),
    [("localhost", "127.0.0.1"), ("127.0.0.1", "127.0.0.1"), ("127.1.2.3",) * 2, ("::1", "::1")],
)
def test_addresses_of_this_machine(host: str, address: str) -> None:
    assert loopback_address(host) == address


def hosts_file(monkeypatch: pytest.MonkeyPatch, *found: tuple[int, str]) -> None:
    """Let every name stand for some addresses."""
    infos = [(family, socket.SOCK_STREAM, 6, "", (address, 0)) for family, address in found]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: infos)


def test_ipv4_is_taken_first(monkeypatch: pytest.MonkeyPatch) -> None:
    hosts_file(monkeypatch, (socket.AF_INET6, "::1"), (socket.AF_INET, "127.0.0.1"))
    assert loopback_address("localhost") == "127.0.0.1"


@pytest.mark.parametrize(
    "address", [(socket.AF_INET, "192.0.2.7"), (socket.AF_INET6, "2001:db8::7")]
)
def test_localhost_may_not_stand_for_anything_else(
    monkeypatch: pytest.MonkeyPatch, address: tuple[int, str]
) -> None:
    hosts_file(monkeypatch, address)
    with pytest.raises(NotLoopbackError) as caught:
        loopback_address("localhost")
    assert str(caught.value) == (
        f"server.debug_addr: 'localhost' stands for {address[1]} here, which other hosts could "
        "reach: see /etc/hosts, or write 127.0.0.1"
    )


def test_localhost_has_to_stand_for_something(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    with pytest.raises(NotLoopbackError, match=r"'localhost' has no address: .*not known"):
        loopback_address("localhost")


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "10.0.0.1", "fe80::1", "localhost", ""])
def test_other_addresses(address: str) -> None:
    assert not is_loopback(address)


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8080", "127.0.0.1", "127.0.0.1:8080", "[::1]", "[::1]:8080"]
)
def test_names_of_this_machine(host: str) -> None:
    assert names_this_machine(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example",
        "evil.example:8080",
        "localhost.evil.example",
        "localhost@evil.example",
        "localhost:evil",
        "127.0.0.1.evil.example",
        "192.0.2.7:8080",
        "[2001:db8::7]",
        "0.0.0.0",
        "::1",
        "localhost\n",
    ],
)
def test_names_of_others(host: str) -> None:
    assert not names_this_machine(host)
