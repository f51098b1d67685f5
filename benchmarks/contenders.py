"""The two pairs that are compared: a server and a signer each, on databases of their own."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import attrs
from cryptography.hazmat.primitives.asymmetric import rsa
from sqlalchemy import Engine

from benchmarks.https import Connection, client_context, get
from benchmarks.processes import has_loaded, is_alive
from benchmarks.stock import Stock
from notary.storage.dsn import engine_url
from notary.storage.engines import create_engine_for
from tests.support.authority import Identity, make_identity
from tests.support.daemons import (
    OUR_SERVER,
    OUR_SIGNER,
    REFERENCE_SERVER,
    REFERENCE_SIGNER,
    free_port,
    running,
    write_config,
)
from tests.support.mariadb import MariaDB
from tests.support.pairs import Plan, plan_pair

GO, OURS = "Go", "ours"
RSA, P256 = "rsa-2048", "p-256"
_PROGRAMS: Mapping[str, tuple[Path, Path]] = {
    GO: (REFERENCE_SERVER, REFERENCE_SIGNER),
    OURS: (OUR_SERVER, OUR_SIGNER),
}
Settings = Mapping[str, Any]
_DEFAULTS: Settings = {}


@attrs.frozen
class Process:
    """A daemon that runs.

    Attributes:
        pid: its process ID.
        port: where it listens.
        log: what it writes.
    """

    pid: int
    port: int
    log: Path
    _stack: ExitStack = attrs.field(repr=False)

    def stop(self) -> None:
        """End it, if it has not ended by itself."""
        self._stack.close()


@attrs.define(eq=False)
class Contender:
    """A pair that is measured.

    Attributes:
        name: whose daemons these are.
        engine: the server's database.
        signer: the signer.
        deaths: how often the server ended by itself.
        stocked: how many collections of the stock are in its database.
    """

    name: str
    plan: Plan
    certificates: Mapping[str, Identity]
    engine: Engine
    signer: Process
    deaths: int = 0
    stocked: int = 0
    _servers: dict[str, Process] = attrs.field(factory=dict)

    def server(self, certificate: str = RSA) -> Process:
        """The server that shows a certificate; it is started if it does not run."""
        server = self._servers.get(certificate)
        if server is not None and not is_alive(server.pid):
            self.deaths += 1
            server.stop()
            server = None
        if server is None:
            server = self._servers[certificate] = self._start_server(certificate)
        return server

    def _start_server(self, certificate: str) -> Process:
        port, identity = free_port(), self.certificates[certificate]
        section = {
            **self.plan.server["server"],
            "http_addr": f"127.0.0.1:{port}",
            "tls_cert_file": str(identity.certificate_file),
            "tls_key_file": str(identity.key_file),
        }
        config = {**self.plan.server, "server": section}
        path = write_config(self.plan.directory, config, f"server-{certificate}.json")
        log = path.with_suffix(".log")
        stack = ExitStack()
        command: list[str | Path] = [_PROGRAMS[self.name][0], f"-config={path}"]
        pid = stack.enter_context(running(command, log, lambda: _is_well(port)))
        return Process(pid, port, log, stack)

    @property
    def reactor(self) -> str:
        """What runs the server's event loop."""
        if self.name == GO:
            return "Go"
        return "uvloop" if has_loaded(self.server().pid, "uvloop") else "epoll"

    def stock_up(self, stock: Stock, number: int) -> None:
        """Put so many collections into its database, those left out that are there."""
        if not self.stocked:
            stock.insert_big(self.engine)
        stock.insert(self.engine, range(self.stocked, number))
        self.stocked = max(self.stocked, number)

    def forget_logs(self) -> None:
        """Empty the logs, so that they do not fill the disk."""
        for process in (self.signer, *self._servers.values()):
            os.truncate(process.log, 0)

    def restart(self) -> None:
        """Have both daemons begin anew, with nothing in memory."""
        self.stop()
        self.signer = _start_signer(self.plan, _PROGRAMS[self.name][1])

    def stop(self) -> None:
        """End its servers and its signer."""
        for server in self._servers.values():
            server.stop()
        self._servers.clear()
        self.signer.stop()


@contextmanager
def contenders(
    directory: Path, mariadb: MariaDB, our_workers: int | None = None
) -> Iterator[list[Contender]]:
    """Run the Go pair and ours until the block ends.

    Args:
        directory: for their files.
        mariadb: has their databases.
        our_workers: processes of each of our daemons, None for the default.
    """
    workers = {} if our_workers is None else {"workers": our_workers}
    with _contender(GO, directory, mariadb) as go:
        certificates = go.certificates
        with _contender(OURS, directory, mariadb, certificates, workers, workers) as ours:
            yield [go, ours]


@contextmanager
def our_pair(
    directory: Path, mariadb: MariaDB, server: Settings, signer: Settings
) -> Iterator[Contender]:
    """Run ours alone until the block ends.

    Args:
        directory: for its files.
        mariadb: has its databases.
        server: more settings for the section ``server`` of the server.
        signer: the same for that of the signer.
    """
    with _contender(OURS, directory, mariadb, None, server, signer) as ours:
        yield ours


@contextmanager
def _contender(
    name: str,
    directory: Path,
    mariadb: MariaDB,
    certificates: Mapping[str, Identity] | None = None,
    server: Settings = _DEFAULTS,
    signer: Settings = _DEFAULTS,
) -> Iterator[Contender]:
    if certificates is None:
        certificates = make_certificates(directory)
    home = directory / name.lower()
    home.mkdir()
    plan = plan_pair(home, databases=mariadb)
    plan = attrs.evolve(plan, server=_with(plan.server, server), signer=_with(plan.signer, signer))
    with ExitStack() as stack:
        engine = create_engine_for(engine_url("mysql", plan.server["storage"]["db_url"]))
        stack.callback(engine.dispose)
        process = _start_signer(plan, _PROGRAMS[name][1])
        contender = Contender(name, plan, certificates, engine, process)
        stack.callback(contender.stop)
        yield contender


def _with(config: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    return {**config, "server": {**config["server"], **settings}}


def _start_signer(plan: Plan, program: Path) -> Process:
    stack = ExitStack()
    signer = stack.enter_context(plan.run_signer(program))
    return Process(signer.pid, signer.port, signer.log, stack)


def make_certificates(directory: Path) -> dict[str, Identity]:
    """One of each kind, from one authority."""
    authority = make_identity(directory, "authority", is_ca=True)
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return {
        RSA: make_identity(directory, RSA, authority, private=private),
        P256: make_identity(directory, P256, authority),
    }


def _is_well(port: int) -> bool:
    """Whether a server answers, and has its database and its signer."""
    try:
        with closing(Connection(port, client_context())) as connection:
            return connection.ask(get("/_notary_server/health")).status == 200
    except OSError:
        return False
