"""Where daemons listen, and what happens when they cannot."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.endpoints import _SystemdParser
from twisted.internet.threads import deferToThread
from twisted.logger import capturedLogs, formatEvent
from twisted.python.systemd import ListenFDs

from notary.config.values import ListenAddress, SystemdSocket
from notary.door import Door
from notary.sockets import PassedSocket, listening_sockets
from notary.tls import FastServerContext, KeyPair, ServerContext
from tests.support.authority import make_identity
from tests.support.daemons import FIXTURES, ROOT_CA, free_port
from tests.support.doors import SECONDS, Open, connect, greet


class TestDoor:
    @ensureDeferred
    async def test_no_host_means_every_interface(self, open_door: Open) -> None:
        port = open_door(host="")
        assert await deferToThread(connect, port, None, "127.0.0.1") == ("hello", None)
        assert await deferToThread(connect, port, None, "::1") == ("hello", None)

    @pytest.mark.parametrize(
        ("host", "reached", "other"),
        [("127.0.0.1", "127.0.0.1", "::1"), ("::1", "::1", "127.0.0.1")],
    )
    @ensureDeferred
    async def test_an_address_means_that_one(
        self, open_door: Open, host: str, reached: str, other: str
    ) -> None:
        port = open_door(host=host)
        assert (await deferToThread(connect, port, None, reached))[0] == "hello"
        with pytest.raises(ConnectionRefusedError):
            await deferToThread(connect, port, None, other)

    @ensureDeferred
    async def test_a_host_name_means_its_address(self, open_door: Open) -> None:
        port = open_door(host="localhost")
        assert (await deferToThread(connect, port, None, "127.0.0.1"))[0] == "hello"

    def test_says_where_it_is(self, open_door: Open, tmp_path: Path) -> None:
        server = make_identity(tmp_path, "server")
        context = ServerContext(KeyPair(server.certificate_file, server.key_file), None)
        with capturedLogs() as events:
            open_door(context)
        messages = [formatEvent(event) for event in events]
        assert messages[:2] == ["Enabling TLS", "Starting on 127.0.0.1:0"]

    @pytest.mark.parametrize("host", ["127.0.0.1", ""])
    def test_a_port_that_is_taken_ends_the_process(self, open_door: Open, host: str) -> None:
        port = open_door(host=host)
        with pytest.raises(SystemExit) as caught:
            open_door(host=host, port=port)
        message = str(caught.value)
        assert message.startswith(f"cannot listen on {host}:{port}: ")
        assert "Address already in use" in message

    @pytest.mark.parametrize("host", ["nowhere.invalid", "192.0.2.1"])
    def test_a_host_that_is_not_here_ends_the_process(self, open_door: Open, host: str) -> None:
        with pytest.raises(SystemExit, match=rf"^cannot listen on {host}:4443: .+"):
            open_door(host=host, port=4443)

    @ensureDeferred
    async def test_closes_when_it_stops(self) -> None:
        port = free_port()
        door = Door(reactor, ListenAddress("127.0.0.1", port), greet(), None)
        door.startService()
        assert (await deferToThread(connect, port, None))[0] == "hello"
        await door.stopService()
        with pytest.raises(ConnectionRefusedError):
            await deferToThread(connect, port, None)
        door.startService()
        await door.stopService()

    @pytest.mark.parametrize("settings", [None, ServerContext, FastServerContext])
    @ensureDeferred
    async def test_whoever_waits_when_it_stops_is_served(self, settings: Any) -> None:
        pair = KeyPair(FIXTURES / "notary-server.crt", FIXTURES / "notary-server.key")
        client = settings and ssl.create_default_context(cafile=ROOT_CA)
        port = free_port()
        address = ListenAddress("127.0.0.1", port)
        door = Door(reactor, address, greet(), settings and settings(pair, None))
        door.startService()
        # The reactor does not run meanwhile.
        waiting = [socket.create_connection(("127.0.0.1", port), SECONDS) for _ in range(50)]
        await door.stopService()
        for plain in waiting:
            assert await deferToThread(heard, plain, client) == b"hello"

    @ensureDeferred
    async def test_may_stop_without_having_started(self) -> None:
        await Door(reactor, ListenAddress("", 0), greet(), None).stopService()

    @pytest.mark.parametrize("number", [errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL])
    @ensureDeferred
    async def test_without_ipv6_ipv4_has_to_do(
        self, open_door: Open, monkeypatch: pytest.MonkeyPatch, number: int
    ) -> None:
        monkeypatch.setattr(socket, "socket", partial(socket_or_trouble, number))
        port = open_door(host="")
        monkeypatch.undo()
        assert (await deferToThread(connect, port, None, "127.0.0.1"))[0] == "hello"
        with pytest.raises(ConnectionRefusedError):
            await deferToThread(connect, port, None, "::1")

    def test_other_troubles_of_ipv6_are_no_reason_for_ipv4(
        self, open_door: Open, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(socket, "socket", partial(socket_or_trouble, errno.EACCES))
        with pytest.raises(SystemExit, match=r"cannot listen on :4443: .*trouble"):
            open_door(host="", port=4443)

    @ensureDeferred
    async def test_several_may_share_a_port(self, open_door: Open) -> None:
        port = open_door(reuse_port=True)
        assert open_door(port=port, reuse_port=True) == port
        assert (await deferToThread(connect, port, None))[0] == "hello"

    def test_a_port_is_shared_only_by_those_who_agree(self, open_door: Open) -> None:
        with pytest.raises(SystemExit, match="Address already in use"):
            open_door(port=open_door(reuse_port=True))


class TestSocketsForOthers:
    def test_share_a_port_that_nobody_else_gets(self, open_door: Open) -> None:
        sockets = listening_sockets(ListenAddress("127.0.0.1", 0), 3)
        (port,) = {each.getsockname()[1] for each in sockets}
        with pytest.raises(SystemExit, match="Address already in use"):
            open_door(port=port)
        with pytest.raises(OSError, match="Address already in use"):
            listening_sockets(ListenAddress("127.0.0.1", port), 3)
        for each in sockets:
            each.close()

    def test_may_share_it_with_those_who_agree(self) -> None:
        first = listening_sockets(ListenAddress("", 0), 2, reuse_port=True)
        port = first[0].getsockname()[1]
        second = listening_sockets(ListenAddress("", port), 2, reuse_port=True)
        for each in [*first, *second]:
            each.close()

    @ensureDeferred
    async def test_are_used_by_a_door_that_they_are_passed_to(self) -> None:
        (listening,) = listening_sockets(ListenAddress("127.0.0.1", 0), 1)
        address = PassedSocket(listening.fileno(), "127.0.0.1:0")
        with capturedLogs() as events:
            door = Door(reactor, address, greet(), None)
            door.startService()
        assert "Starting on" not in str([formatEvent(event) for event in events])
        port = listening.getsockname()[1]
        assert (await deferToThread(connect, port, None))[0] == "hello"
        await door.stopService()
        listening.close()


class TestSocketsOfSystemd:
    """The descriptors that Twisted found when it was imported."""

    @pytest.fixture
    def pass_on(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[int, str], None]:
        """Make a descriptor one that came with the process, under a name."""

        def pass_on(descriptor: int, name: str) -> None:
            monkeypatch.setattr(_SystemdParser, "_sddaemon", ListenFDs([descriptor], [name]))

        return pass_on

    def test_are_one_for_all(self, pass_on: Callable[[int, str], None]) -> None:
        with socket.create_server(("127.0.0.1", 0)) as passed:
            pass_on(passed.fileno(), "https")
            sockets = listening_sockets(SystemdSocket("systemd:domain=INET:name=https"), 3)
            assert len({each.fileno() for each in sockets}) == 3
            assert {each.getsockname() for each in sockets} == {passed.getsockname()}
            for each in sockets:
                each.close()

    @pytest.mark.parametrize("which", ["index=0", "name=https"])
    @pytest.mark.parametrize("family", ["INET", "INET6"])
    @ensureDeferred
    async def test_are_listened_on(
        self, pass_on: Callable[[int, str], None], which: str, family: str
    ) -> None:
        """The real family counts, whatever the address says."""
        with socket.create_server(("127.0.0.1", 0)) as passed:
            pass_on(passed.fileno(), "https")
            address = SystemdSocket(f"systemd:domain={family}:{which}")
            door = Door(reactor, address, greet(), None)
            door.startService()
            port = passed.getsockname()[1]
            assert (await deferToThread(connect, port, None))[0] == "hello"
            await door.stopService()
            # It goes on listening for the next process.
            socket.create_connection(("127.0.0.1", port), 5).close()

    def test_one_that_is_missing(self, pass_on: Callable[[int, str], None]) -> None:
        pass_on(0, "http")
        for which in ("index=1", "name=https"):
            address = SystemdSocket(f"systemd:domain=INET6:{which}")
            with pytest.raises(SystemExit) as caught:
                Door(reactor, address, greet(), None).startService()
            assert str(caught.value) == (
                f"cannot listen on {address}: systemd has passed no such socket to this process; "
                "see Sockets= of the service, and FileDescriptorName= of the socket"
            )

    @pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX])
    def test_one_that_will_not_do(self, pass_on: Callable[[int, str], None], family: int) -> None:
        with socket.socket(family) as passed:
            pass_on(passed.fileno(), "https")
            address = SystemdSocket("systemd:domain=INET6:name=https")
            with pytest.raises(SystemExit, match=": it is no TCP socket that listens; see "):
                Door(reactor, address, greet(), None).startService()


def heard(plain: socket.socket, context: ssl.SSLContext | None) -> bytes:
    """What a server says on a connection. Blocks."""
    if context is None:
        with plain:
            return plain.recv(100)
    with context.wrap_socket(plain, server_hostname="localhost") as secure:
        return secure.recv(100)


_SOCKET = socket.socket


def socket_or_trouble(number: int, family: int = socket.AF_INET, *args: Any, **kwargs: Any) -> Any:
    """Make a socket on a machine whose kernel refuses IPv6."""
    if family == socket.AF_INET6:
        raise OSError(number, "trouble")
    return _SOCKET(family, *args, **kwargs)
