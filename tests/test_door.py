"""Where daemons listen, and what happens when they cannot."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort
from twisted.internet.threads import deferToThread
from twisted.logger import capturedLogs, formatEvent

from notary.door import Door
from notary.tls import KeyPair, server_context
from tests.support.authority import make_identity
from tests.support.daemons import free_port
from tests.support.doors import Open, connect, greet


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
        context = server_context(KeyPair(server.certificate_file, server.key_file), None)
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
        door = Door(reactor, "127.0.0.1", port, greet(), None)
        door.startService()
        assert (await deferToThread(connect, port, None))[0] == "hello"
        await door.stopService()
        with pytest.raises(ConnectionRefusedError):
            await deferToThread(connect, port, None)
        door.startService()
        await door.stopService()

    @ensureDeferred
    async def test_may_stop_without_having_started(self) -> None:
        await Door(reactor, "", 0, greet(), None).stopService()

    @pytest.mark.parametrize("number", [errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL])
    def test_without_ipv6_ipv4_has_to_do(self, number: int) -> None:
        asked = ReactorWithoutIPv6(number)
        Door(asked, "", 4443, greet(), None).startService()
        assert asked.interfaces == ["::", "0.0.0.0"]

    def test_other_troubles_of_ipv6_are_no_reason_for_ipv4(self) -> None:
        asked = ReactorWithoutIPv6(errno.EACCES)
        with pytest.raises(SystemExit, match=r"cannot listen on :4443: .*trouble"):
            Door(asked, "", 4443, greet(), None).startService()
        assert asked.interfaces == ["::"]


class ReactorWithoutIPv6:
    """A reactor on a machine whose kernel refuses IPv6.

    Attributes:
        interfaces: what it was asked to listen on.
    """

    def __init__(self, number: int) -> None:
        self._number = number
        self.interfaces: list[str] = []

    def listenTCP(self, port: int, factory: object, interface: str) -> IListeningPort | None:
        self.interfaces.append(interface)
        if interface == "::":
            raise CannotListenError(interface, port, OSError(self._number, "trouble"))
        return None
