"""Putting the signer together: from a configuration to services, or to one message.

Every service here is made with ``--debug`` or a stand-in for the protection of its memory: without
that, the process of the tests could not be debugged any more.
"""

from __future__ import annotations

import socket
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from twisted.application.service import Application, IService, IServiceMaker
from twisted.logger import ILogObserver, LogEvent, capturedLogs
from twisted.plugin import getPlugins
from twisted.python import usage
from zope.interface.verify import verifyObject

from notary import __version__
from notary.observe.debug.site import DebugSite
from notary.signer import tap
from notary.signer.passphrases import variable
from notary.signer.process import ProtectionError
from tests.signer.harness import ALIAS, PASSPHRASE, messages
from tests.signer.processes import dumpable
from tests.support.daemons import FIXTURES, ROOT_CA, write_config
from tests.support.doors import watch_doors

SERVER = {
    "grpc_addr": "127.0.0.1:0",
    "tls_cert_file": str(FIXTURES / "notary-signer.crt"),
    "tls_key_file": str(FIXTURES / "notary-signer.key"),
    "client_ca_file": str(ROOT_CA),
}
MEMORY = {"backend": "memory"}
NAME = variable(ALIAS)
DEBUG_WARNING = "-debug: whoever may debug this process can read the keys in its memory"

Make = Callable[..., IService]


def options(config: Path, *flags: str) -> tap.Options:
    parsed = tap.Options()
    parsed.parent = cast(usage.Options, {"nodaemon": True})
    parsed.parseOptions([f"--config={config}", *flags])
    return parsed


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Make a signer from sections that differ from the smallest configuration."""

    def make_service(
        *flags: str, debug: tuple[str, ...] = ("--debug",), **sections: Mapping[str, Any]
    ) -> IService:
        key = tmp_path / "signer.key"
        key.write_bytes((FIXTURES / "notary-signer.key").read_bytes())
        key.chmod(0o600)
        smallest = {"server": {**SERVER, "tls_key_file": str(key)}, "storage": MEMORY}
        path = write_config(tmp_path, {**smallest, **sections})
        return tap.makeService(options(path, *flags, *debug))

    return make_service


@pytest.fixture(autouse=True)
def still_dumpable() -> Any:
    """See to it that no test has changed the process of all tests."""
    yield
    assert dumpable()


def sqlite(path: Path, **over: str) -> dict[str, Any]:
    return {"backend": "sqlite3", "db_url": str(path), "default_alias": ALIAS, **over}


def log_of(make: Callable[[], object]) -> list[LogEvent]:
    with capturedLogs() as events:
        make()
    return list(events)


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
            tap.Options().parseOptions(arguments)
        assert str(caught.value) == message

    def test_defaults(self, tmp_path: Path) -> None:
        given = dict(options(tmp_path))
        assert given == {
            "config": str(tmp_path),
            "logf": "json",
            "debug": 0,
            "check": 0,
            "bootstrap": 0,
        }

    def test_twistd_knows_the_command(self) -> None:
        makers = {maker.tapname: maker for maker in getPlugins(IServiceMaker)}
        maker = makers["notary-signer"]
        assert maker.makeService is tap.makeService
        assert maker.options is tap.Options


class TestMakeService:
    def test_the_smallest_configuration_will_do(self, make: Make) -> None:
        verifyObject(IService, make())
        log = log_of(make)
        version, *others = messages(log, "info")
        assert version.startswith(f"Version: {__version__}, Python version: 3.")
        assert others == ["Using memory backend", "Starting Signer"]
        assert messages(log, "warning") == [DEBUG_WARNING]
        assert messages(log, "error") == []

    def test_the_log_of_the_application_becomes_its_own(
        self, make: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sparing: list[None] = []
        monkeypatch.setattr("notary.daemon.spare_what_is_there", lambda: sparing.append(None))
        application = Application("notary-signer")
        make().setServiceParent(application)
        assert len(sparing) == 1
        assert application.getComponent(ILogObserver) is not None

    def test_warns_of_what_has_no_effect(self, make: Make) -> None:
        warnings = messages(log_of(lambda: make(logging={"levle": "info"})), "warning")
        assert any("did you mean logging.level?" in warning for warning in warnings)

    def test_warns_loudly_if_anybody_is_let_in(self, make: Make) -> None:
        server = {**SERVER, "client_ca_file": "", "grpc_addr": "127.0.0.1:7899"}
        assert messages(log_of(lambda: make(server=server)), "error") == [
            "server.client_ca_file: is not set: whoever reaches 127.0.0.1:7899 may have anything "
            "signed; set it to the authority that signs the servers' certificates"
        ]

    def test_sqlite_gets_its_table_by_itself(
        self, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(NAME, PASSPHRASE)
        make(storage=sqlite(tmp_path / "signer.db"))
        assert tables(tmp_path / "signer.db")

    @pytest.mark.parametrize("times", [1, 2])
    @pytest.mark.parametrize("debug", [(), ("--debug",)])
    def test_bootstrap_makes_the_table_and_ends(
        self, make: Make, tmp_path: Path, times: int, debug: tuple[str, ...]
    ) -> None:
        """It needs no passphrase: it makes no keys."""
        for _ in range(times):
            with pytest.raises(SystemExit) as caught:
                make("--bootstrap", debug=debug, storage=sqlite(tmp_path / "signer.db"))
            assert caught.value.code == 0
        assert "private_keys" in tables(tmp_path / "signer.db")

    @pytest.mark.parametrize("alias", ["", ALIAS])
    def test_keys_in_memory_need_no_passphrase(
        self, make: Make, monkeypatch: pytest.MonkeyPatch, alias: str
    ) -> None:
        """Nor do those that are set for other signers trouble anybody."""
        for name in (NAME, variable("memory")):
            monkeypatch.setenv(name, PASSPHRASE)
            monkeypatch.setenv(f"{name}_FILE", "/nowhere/passphrase")
        make(storage={**MEMORY, "default_alias": alias})

    def test_files_of_passphrases_lie_beside_the_configuration(
        self, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "secret").write_text(PASSPHRASE)
        monkeypatch.setenv(f"{NAME}_FILE", "secret")
        make(storage=sqlite(tmp_path / "signer.db"))


def tables(path: Path) -> set[str]:
    with sqlite3.connect(path) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}


HERE = sqlite(Path("signer.db"))
REFUSED: dict[str, tuple[dict[str, str], list[str], dict[str, Any], str]] = {
    "no address": ({}, [], {"server": {**SERVER, "grpc_addr": ""}}, "server.grpc_addr: is req"),
    "no certificate": (
        {},
        [],
        {"server": {**SERVER, "tls_cert_file": "/nowhere/signer.crt"}},
        "server.tls_cert_file: '/nowhere/signer.crt'",
    ),
    "no key": ({}, [], {"server": {**SERVER, "tls_key_file": ""}}, "server.tls_key_file: is req"),
    "no authority": (
        {},
        [],
        {"server": {**SERVER, "client_ca_file": SERVER["tls_key_file"]}},
        f"no PEM certificate can be read from {SERVER['tls_key_file']}",
    ),
    "another key": (
        {},
        [],
        {"server": {**SERVER, "tls_key_file": str(FIXTURES / "notary-server.key")}},
        "does not belong to the certificate",
    ),
    "bad level": ({}, [], {"logging": {"level": "loud"}}, "logging.level: 'loud'"),
    "no table": ({}, ["--bootstrap"], {}, "storage.backend: 'memory' is no database with tables"),
    "no alias": ({}, [], {"storage": {**HERE, "default_alias": ""}}, "storage.default_alias: is"),
    "no passphrase": (
        {"NOTARY_SIGNER_TIMESTAMP_2": PASSPHRASE},
        [],
        {"storage": HERE},
        f"there is no passphrase for the alias '{ALIAS}': set {NAME}_FILE",
    ),
    "two passphrases": (
        {NAME: PASSPHRASE, f"{NAME}_FILE": "secret"},
        [],
        {"storage": HERE},
        f"the alias '{ALIAS}' has two passphrases: set {NAME} or {NAME}_FILE, not both",
    ),
    "no file": (
        {f"{NAME}_FILE": "missing"},
        [],
        {"storage": HERE},
        "missing cannot be read: No such file or directory",
    ),
    "no directory": (
        {NAME: PASSPHRASE},
        [],
        {"storage": sqlite(Path("/nowhere/signer.db"))},
        "storage.db_url: the value",
    ),
    "no database": (
        {NAME: PASSPHRASE},
        [],
        {"storage": sqlite(FIXTURES / "notary-signer.key")},
        "notary-signer.key cannot be used: file is not a database",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_is_said_in_one_message(
    make: Make, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    environment, flags, sections, message = REFUSED[kind]
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as caught:
        make(*flags, **sections)
    assert str(caught.value).startswith("notary-signer: ")
    assert message in str(caught.value)
    assert PASSPHRASE not in str(caught.value)


def test_the_environment_counts(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTARY_SIGNER_LOGGING_LEVEL", "loud")
    with pytest.raises(SystemExit, match="environment variable NOTARY_SIGNER_LOGGING_LEVEL"):
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
        monkeypatch.setattr(tap, "protect_memory", lambda: None)
        doors = watch_doors(monkeypatch, tap)
        server = {**SERVER, **({"debug_addr": address} if address else {})}
        make(debug=tuple(flags), server=server)
        debug = [door for door in doors if isinstance(door.factory, DebugSite)]
        assert [(door.host, door.port) for door in debug] == ([listening] if listening else [])
        assert [door.context for door in debug] == [None for _ in debug]

    def test_is_refused_where_other_hosts_could_reach_it(
        self, make: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        infos = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.7", 0))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: infos)
        with pytest.raises(SystemExit) as caught:
            make()
        assert str(caught.value).startswith(
            "notary-signer: server.debug_addr: 'localhost' stands for 192.0.2.7 here"
        )


class TestProtection:
    @pytest.fixture
    def protected(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """How often the memory would have been protected."""
        calls: list[str] = []
        monkeypatch.setattr(tap, "protect_memory", lambda: calls.append("protected"))
        return calls

    def test_comes_before_the_first_secret(
        self, make: Make, protected: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tap, "build", lambda *_: protected.append("built"))
        log = log_of(lambda: make(debug=()))
        assert protected == ["protected", "built"]
        assert DEBUG_WARNING not in messages(log, "warning")

    def test_is_left_out_for_debuggers(self, make: Make, protected: list[str]) -> None:
        assert messages(log_of(make), "warning") == [DEBUG_WARNING]
        assert protected == []

    def test_cannot_be_done_without_unasked(
        self, make: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse() -> None:
            raise ProtectionError("Operation not permitted")

        monkeypatch.setattr(tap, "protect_memory", refuse)
        with pytest.raises(SystemExit) as caught:
            make(debug=())
        assert str(caught.value) == (
            "notary-signer: the memory of the process cannot be protected: Operation not "
            "permitted; -debug does without that"
        )
