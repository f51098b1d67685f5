"""Putting the server together: from a configuration to services, or to one message."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from pytest_twisted import ensureDeferred
from twisted.application.service import Application, IService, IServiceMaker, MultiService
from twisted.internet import reactor
from twisted.internet.threads import deferToThread
from twisted.logger import ILogObserver, capturedLogs, formatEvent
from twisted.plugin import getPlugins
from twisted.python import usage
from zope.interface.verify import verifyObject

from notary import __version__
from notary.config import load_server_config
from notary.observe.debug.site import DebugSite
from notary.reloading import Reloader
from notary.server import main, tap
from tests.support.daemons import FIXTURES, ROOT_CA, free_port, server_config, write_config
from tests.support.doors import watch_doors
from tests.support.forge import Collection, file_meta, multipart

TLS_FILES = {
    "tls_cert_file": str(FIXTURES / "notary-server.crt"),
    "tls_key_file": str(FIXTURES / "notary-server.key"),
}
MEMORY = {"backend": "memory"}

Make = Callable[..., IService]


def options(config: Path, *flags: str) -> main.Options:
    parsed = main.Options()
    parsed.parent = cast(usage.Options, {"nodaemon": True})
    parsed.parseOptions([f"--config={config}", *flags])
    return parsed


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Make a server from sections that differ from the smallest configuration."""

    def make_service(*flags: str, **sections: Mapping[str, Any]) -> IService:
        smallest = {
            "server": {"http_addr": "127.0.0.1:0"},
            "trust_service": {"type": "local"},
            "storage": MEMORY,
        }
        return tap.makeService(options(write_config(tmp_path, {**smallest, **sections}), *flags))

    return make_service


def sqlite(path: Path) -> dict[str, Any]:
    return {
        "storage": {"backend": "sqlite3", "db_url": str(path)},
        "trust_service": {"type": "local", "ephemeral_keys": True},
    }


def said(make: Callable[[], object]) -> list[str]:
    with capturedLogs() as events:
        make()
    return [formatEvent(event) for event in events]


class TestOptions:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ([], "--config=FILE is required"),
            (["--config=x", "--logf=xml"], "--logf must be json or logfmt, not xml"),
            (["--config=x", "--other"], "option --other not recognized"),
        ],
    )
    def test_refused(self, arguments: list[str], message: str) -> None:
        with pytest.raises(usage.UsageError) as caught:
            main.Options().parseOptions(arguments)
        assert str(caught.value) == message

    def test_defaults(self, tmp_path: Path) -> None:
        given = options(tmp_path)
        assert dict(given) == {
            "config": str(tmp_path),
            "logf": "json",
            "debug": 0,
            "check": 0,
            "bootstrap": 0,
        }

    def test_twistd_knows_the_command(self) -> None:
        makers = {maker.tapname: maker for maker in getPlugins(IServiceMaker)}
        maker = makers["notary-server"]
        assert maker.makeService is main.makeService
        assert maker.options is main.Options


class TestMakeService:
    def test_the_smallest_configuration_will_do(self, make: Make) -> None:
        daemon = make()
        verifyObject(IService, daemon)
        messages = said(make)
        assert messages[0].startswith(f"Version: {__version__}, Python version: 3.")
        plain, local = messages[1:3]
        assert plain.startswith("server.tls_cert_file: is not set: 127.0.0.1:0 speaks plain HTTP")
        assert local.startswith("trust_service.type: 'local' keeps the keys in the memory")
        assert messages[3:] == [
            "Using local signing service",
            "Using memory backend",
            "Starting Server",
        ]

    def test_the_log_of_the_application_becomes_its_own(
        self, make: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sparing: list[None] = []
        monkeypatch.setattr("notary.daemon.spare_what_is_there", lambda: sparing.append(None))
        application = Application("notary-server")
        make().setServiceParent(application)
        assert len(sparing) == 1
        assert application.getComponent(ILogObserver) is not None

    def test_warns_of_what_has_no_effect(self, make: Make) -> None:
        messages = said(lambda: make(logging={"levle": "info"}))
        assert any("did you mean logging.level?" in message for message in messages)

    def test_sqlite_gets_its_tables_by_itself(self, make: Make, tmp_path: Path) -> None:
        path = tmp_path / "server.db"
        assert make(**sqlite(path)) is not None
        assert path.stat().st_size > 0

    @pytest.mark.parametrize("times", [1, 2])
    def test_bootstrap_makes_tables_and_ends(self, make: Make, tmp_path: Path, times: int) -> None:
        for _ in range(times):
            with pytest.raises(SystemExit) as caught:
                make("--bootstrap", **sqlite(tmp_path / "server.db"))
            assert caught.value.code == 0
        assert (tmp_path / "server.db").exists()

    @pytest.mark.parametrize(
        ("flags", "sections", "message"),
        [
            ([], {"server": {}}, "server.http_addr: is required"),
            ([], {"logging": {"level": "loud"}}, "logging.level: 'loud'"),
            (["--bootstrap"], {}, "storage.backend: 'memory' is no database with tables"),
            (
                [],
                {"server": {"http_addr": ":0", **TLS_FILES, "tls_key_file": str(ROOT_CA)}},
                f"no unencrypted PEM private key can be read from {ROOT_CA}",
            ),
            (
                [],
                {
                    "auth": {
                        "type": "token",
                        "options": {
                            "realm": "https://auth.example.com/token",
                            "service": "notary",
                            "issuer": "auth.example.com",
                            "rootcertbundle": str(FIXTURES / "notary-server.key"),
                        },
                    }
                },
                "auth.options.rootcertbundle: no PEM certificate can be read from ",
            ),
            ([], sqlite(Path("/nowhere/server.db")), "storage.db_url"),
        ],
    )
    def test_what_cannot_be_is_said_in_one_message(
        self, make: Make, flags: list[str], sections: Mapping[str, Any], message: str
    ) -> None:
        with pytest.raises(SystemExit) as caught:
            make(*flags, **sections)
        assert str(caught.value).startswith("notary-server: ")
        assert message in str(caught.value)

    def test_the_environment_counts(self, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("NOTARY_SERVER_LOGGING_LEVEL", "loud")
        with pytest.raises(SystemExit, match="environment variable NOTARY_SERVER_LOGGING_LEVEL"):
            make()


class TestDebugServer:
    @pytest.mark.parametrize(
        ("flags", "address", "listening"),
        [
            ([], None, None),
            (["--debug"], None, ("127.0.0.1", 8080)),
            ([], "[::1]:7000", ("::1", 7000)),
            (["--debug"], "127.0.0.1:7000", ("127.0.0.1", 7000)),
        ],
    )
    def test_is_where_it_is_wanted(
        self,
        make: Make,
        monkeypatch: pytest.MonkeyPatch,
        flags: Sequence[str],
        address: str | None,
        listening: tuple[str, int] | None,
    ) -> None:
        doors = watch_doors(monkeypatch, tap)
        server = {"http_addr": "127.0.0.1:0", **({"debug_addr": address} if address else {})}
        make(*flags, server=server)
        debug = [door for door in doors if isinstance(door.factory, DebugSite)]
        assert [(door.host, door.port) for door in debug] == ([listening] if listening else [])
        assert [door.context for door in debug] == [None for _ in debug]

    def test_is_refused_where_other_hosts_could_reach_it(
        self, make: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        infos = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.7", 0))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: infos)
        with pytest.raises(SystemExit) as caught:
            make("--debug")
        assert str(caught.value).startswith(
            "notary-server: server.debug_addr: 'localhost' stands for 192.0.2.7 here"
        )


def exchange(port: int, method: str, path: str, body: bytes = b"", content_type: str = "") -> bytes:
    """Ask a server over TLS. Blocks.

    Raises:
        AssertionError: its status is not 200.
    """
    context = ssl.create_default_context(cafile=ROOT_CA)
    connection = http.client.HTTPSConnection("localhost", port, timeout=10, context=context)
    try:
        connection.request(method, path, body, {"Content-Type": content_type})
        response = connection.getresponse()
        data = response.read()
    finally:
        connection.close()
    assert response.status == 200, data
    return data


@pytest.mark.parametrize("backend", ["memory", "sqlite3"])
@ensureDeferred
async def test_serves(tmp_path: Path, backend: str) -> None:
    port = free_port()
    storage = {"backend": backend}
    if backend == "sqlite3":
        storage["db_url"] = str(tmp_path / "server.db")
    path = write_config(tmp_path, server_config(port, storage, ephemeral_keys=backend != "memory"))
    daemon = MultiService()
    tap.build(load_server_config(path, {}), reactor, daemon, Reloader(reactor))
    daemon.startService()
    try:
        base = "/v2/example.com/app/_trust/tuf/"
        assert await deferToThread(exchange, port, "GET", "/_notary_server/health") == b"{}"
        keys = [
            json.loads(await deferToThread(exchange, port, "GET", f"{base}{role}.key"))
            for role in ("timestamp", "snapshot")
        ]
        collection = Collection("example.com/app", *keys)
        targets = {f"{number:05}": file_meta(b"") for number in range(500)}
        files = collection.first(targets=targets)
        content_type, body = multipart(files)
        assert await deferToThread(exchange, port, "POST", base, body, content_type) == b""
        read = await deferToThread(exchange, port, "GET", f"{base}targets.json")
        assert read == files["targets"]
    finally:
        await daemon.stopService()
