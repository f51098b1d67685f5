"""A pair with several workers each: what comes and goes among them, and what is seen of it."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import ssl
import subprocess
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Event

import attrs
import pytest

from tests.support.api_client import ApiClient
from tests.support.daemons import (
    FIXTURES,
    OUR_SERVER,
    OUR_SIGNER,
    PASSPHRASE_ENVIRONMENT,
    ROOT_CA,
    START_SECONDS,
    STOP_SECONDS,
    answers,
    free_port,
    listens,
    running,
    write_config,
)
from tests.support.kept import Client, begin, fail_early
from tests.support.mariadb import MariaDB
from tests.support.notary_client import NotaryClient
from tests.support.pairs import Pair, plan_pair

pytestmark = pytest.mark.integration

WORKERS = 2
CLIENTS = 8
GUN = "registry.example.com/workers"


def workers_of(pid: int) -> list[int]:
    """The processes that a daemon has started."""
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True)
    return [int(each) for each in found.stdout.split()]


def until(condition: Callable[[], object], seconds: float = START_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    return Path(f"/proc/{pid}/cmdline").exists() and bool(Path(f"/proc/{pid}/cmdline").read_bytes())


@attrs.frozen
class Running:
    """A pair whose workers all serve."""

    pair: Pair
    metrics_port: int

    @property
    def port(self) -> int:
        return self.pair.server.port

    def metrics(self) -> dict[str, float]:
        """The server's, by name and labels."""
        with closing(ApiClient(self.port)) as client:
            return parsed(client.ask("GET", "/metrics").body.decode())

    def signer_metrics(self) -> dict[str, float]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.metrics_port}/metrics") as answer:
            return parsed(answer.read().decode())

    def wait_until_all_serve(self) -> None:
        until(lambda: self.metrics()["notary_server_workers"] == WORKERS)
        until(lambda: self.signer_metrics()["notary_signer_workers"] == WORKERS)


def parsed(text: str) -> dict[str, float]:
    pairs = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


@pytest.fixture(scope="module")
def world(mariadb: MariaDB, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    plan = plan_pair(tmp_path_factory.mktemp("workers"), databases=mariadb, workers=WORKERS)
    plan.signer["server"]["metrics_addr"] = f"127.0.0.1:{(port := free_port())}"
    with plan.run() as pair:
        running = Running(pair, port)
        running.wait_until_all_serve()
        yield running
    log = pair.server.log.read_text() + pair.signer.log.read_text()
    assert "Traceback" not in log
    assert log.count('"msg": "Starting ') == 5  # two daemons, their addresses, and that of metrics


def test_the_notary_client_publishes_and_verifies(world: Running, tmp_path: Path) -> None:
    publisher = NotaryClient(world.pair.server, tmp_path / "publisher")
    reader = NotaryClient(world.pair.server, tmp_path / "reader")
    artefact = tmp_path / "artefact"
    artefact.write_bytes(b"content")
    gun = f"{GUN}/client"
    publisher.run("init", gun)
    for number in range(3):
        publisher.run("add", gun, f"v{number}", artefact)
        publisher.run("publish", gun)
    publisher.run("key", "rotate", gun, "snapshot", "-r")
    assert sorted(reader.targets(gun)) == ["v0", "v1", "v2"]


def ask_often(port: int, times: int) -> None:
    """Send requests, each on a connection of its own, so that every worker gets some."""
    for _ in range(times):
        with closing(ApiClient(port)) as client:
            assert client.ask("GET", "/v2/").status == http.client.OK


PINGS = 'notary_server_http_requests_total{code="200",method="get",operation="Ping"}'


def test_metrics_add_up_also_when_a_worker_dies(world: Running) -> None:
    before = world.metrics()
    ask_often(world.port, 40)
    during = world.metrics()
    assert during[PINGS] == before[PINGS] + 40
    victim = workers_of(world.pair.server.pid)[0]
    os.kill(victim, signal.SIGKILL)
    ask_often(world.port, 40)
    world.wait_until_all_serve()
    after = world.metrics()
    assert after[PINGS] == during[PINGS] + 40
    restarts = "notary_server_worker_restarts_total"
    assert after[restarts] == during[restarts] + 1
    assert after["process_cpu_seconds_total"] > during["process_cpu_seconds_total"]
    assert after["process_start_time_seconds"] == before["process_start_time_seconds"]
    for name, value in before.items():
        if name.endswith(("_total", "_count", "_sum")) or "_total{" in name or "_bucket{" in name:
            assert after[name] >= during[name] >= value


@attrs.define
class Reader:
    """Asks again and again on a connection that it keeps, or makes anew if it was lost.

    Attributes:
        answered: how many requests were answered.
        lost: how many were not.
    """

    port: int
    answered: int = 0
    lost: int = 0

    def work(self, stopped: Event) -> None:
        client = ApiClient(self.port)
        while not stopped.is_set():
            try:
                reply = client.ask("GET", f"/v2/{GUN}/kept/_trust/tuf/timestamp.key")
            except (OSError, http.client.HTTPException):
                self.lost += 1
                client.close()
                client = ApiClient(self.port)
            else:
                assert reply.status == http.client.OK
                self.answered += 1
        client.close()


@pytest.mark.parametrize("daemon", ["server", "signer"])
def test_a_worker_that_is_killed_takes_only_its_own_connections_along(
    world: Running, daemon: str
) -> None:
    world.wait_until_all_serve()
    pid = (world.pair.server if daemon == "server" else world.pair.signer).pid
    readers = [Reader(world.port) for _ in range(CLIENTS)]
    stopped = Event()
    with ThreadPoolExecutor(CLIENTS) as pool:
        jobs = [pool.submit(reader.work, stopped) for reader in readers]
        until(lambda: all(reader.answered > 20 for reader in readers))
        victim, *others = workers_of(pid)
        os.kill(victim, signal.SIGKILL)
        until(lambda: len(workers_of(pid)) == WORKERS and victim not in workers_of(pid))
        world.wait_until_all_serve()
        seen = [reader.answered for reader in readers]
        until(
            lambda: all(
                reader.answered > before + 20 for reader, before in zip(readers, seen, strict=True)
            )
        )
        stopped.set()
        for job in jobs:
            job.result()
    assert set(others) < set(workers_of(pid))
    losses = Counter(reader.lost for reader in readers)
    if daemon == "server":
        assert set(losses) <= {0, 1}
    else:
        assert set(losses) == {0}  # the server makes calls again


def test_all_take_in_what_is_reloaded_and_log_more(world: Running) -> None:
    log = world.pair.server.log
    begun = len(log.read_text())
    for number in (signal.SIGHUP, signal.SIGUSR1):
        os.kill(world.pair.server.pid, number)

    def said(text: str) -> int:
        return len(re.findall(text, log.read_text()[begun:]))

    until(lambda: said(r"reloaded \S+notary-server.crt, \S+notary-server.key\"") == WORKERS)
    until(lambda: said("the log level is debug") == WORKERS + 1)
    os.kill(world.pair.server.pid, signal.SIGUSR2)
    until(lambda: said("the log level is info") == WORKERS + 1)


@pytest.mark.parametrize("to_all", [False, True], ids=["parent", "everybody"])
def test_no_request_is_lost_when_the_server_stops(
    mariadb: MariaDB, tmp_path: Path, to_all: bool
) -> None:
    """Also if a supervisor or a terminal sends the signal to all processes at once."""
    plan = plan_pair(tmp_path, databases=mariadb, workers=WORKERS)
    context = ssl.create_default_context(cafile=ROOT_CA)
    clients = [Client(ApiClient(plan.server_port, context)) for _ in range(CLIENTS + 1)]
    with ThreadPoolExecutor(CLIENTS + 1) as pool, plan.run_signer():
        with plan.run_server() as server:
            until(lambda: server.log.read_text().count(" serves (process") == WORKERS)
            jobs = begin(clients, pool, GUN)
            time.sleep(3)
            fail_early(jobs)
            workers = workers_of(server.pid)
            if to_all:
                os.killpg(server.pid, signal.SIGTERM)
                until(lambda: not listens(plan.server_port))
        for job in jobs:
            job.result()
    assert len(workers) == WORKERS
    assert not any(is_running(pid) for pid in workers)
    assert "Traceback" not in server.log.read_text()


def test_workers_do_not_outlive_their_parent(tmp_path: Path) -> None:
    plan = plan_pair(tmp_path, workers=WORKERS)
    path = write_config(tmp_path, plan.server)
    with (tmp_path / "log").open("ab") as log:
        process = subprocess.Popen([OUR_SERVER, f"-config={path}"], stderr=log)
    until(lambda: (tmp_path / "log").read_text().count(" serves (process") == WORKERS)
    workers = workers_of(process.pid)
    process.kill()
    process.wait()
    until(lambda: not any(is_running(pid) for pid in workers), STOP_SECONDS)
    until(lambda: not listens(plan.server_port), STOP_SECONDS)


def hears_on(systemd: socket.socket) -> bool:
    """Whether messages still come when those have been read that were on their way."""
    try:
        for _ in range(5):
            systemd.recv(1000)
    except TimeoutError:
        return False
    return True


def test_what_keeps_one_from_starting_is_told_once(tmp_path: Path) -> None:
    plan = plan_pair(tmp_path, workers=WORKERS)
    plan.server["server"]["tls_key_file"] = str(FIXTURES / "notary-signer.key")
    plan.server["logging"]["level"] = "fatal"
    command = [str(OUR_SERVER), f"-config={write_config(tmp_path, plan.server)}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=START_SECONDS)
    assert done.returncode == 1
    (message,) = done.stderr.splitlines()
    assert message.startswith("notary-server: ")
    assert "does not belong to the certificate" in message
    until(lambda: not listens(plan.server_port), STOP_SECONDS)


@pytest.mark.parametrize("daemon", ["server", "signer"])
def test_systemd_is_told_of_all(tmp_path: Path, daemon: str) -> None:
    plan = plan_pair(tmp_path, workers=WORKERS)
    config, port, program = (
        (plan.server, plan.server_port, OUR_SERVER)
        if daemon == "server"
        else (plan.signer, plan.signer_port, OUR_SIGNER)
    )
    command: list[str | Path] = [program, f"-config={write_config(tmp_path, config)}"]
    log = tmp_path / "log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(START_SECONDS)
        environment = {
            "NOTIFY_SOCKET": str(tmp_path / "notify"),
            "WATCHDOG_USEC": "1000000",
            **PASSPHRASE_ENVIRONMENT,
        }
        with running(command, log, lambda: listens(port), environment) as pid:
            assert systemd.recv(1000).startswith(b"READY=1\n")
            assert log.read_text().count(" serves (process") == WORKERS
            assert systemd.recv(1000) == b"WATCHDOG=1"
            assert systemd.recv(1000) == b"WATCHDOG=1"
            stuck = workers_of(pid)[0]
            os.kill(stuck, signal.SIGSTOP)
            systemd.settimeout(2)
            assert not hears_on(systemd)
            os.kill(stuck, signal.SIGCONT)
            systemd.settimeout(START_SECONDS)
            assert systemd.recv(1000) == b"WATCHDOG=1"
            os.kill(pid, signal.SIGHUP)
            until(lambda: systemd.recv(1000).startswith(b"RELOADING=1\n"))
            until(lambda: systemd.recv(1000) == b"READY=1")
        until(lambda: systemd.recv(1000).startswith(b"STOPPING=1\n"))


def test_in_the_background(tmp_path: Path) -> None:
    """Twisted changes log files when they are large, so only one process writes to them."""
    plan = plan_pair(tmp_path, workers=WORKERS)
    write_config(tmp_path, plan.server)
    twistd = OUR_SERVER.with_name("twistd")
    flags = ["--pidfile=daemon.pid", "--logfile=daemon.log", "notary-server", "-c", "server.json"]
    assert subprocess.run([twistd, *flags], cwd=tmp_path, timeout=START_SECONDS).returncode == 0
    pid = int((tmp_path / "daemon.pid").read_text())
    log = tmp_path / "daemon.log"
    try:
        until(lambda: log.read_text().count(" serves (process") == WORKERS)
        assert answers(plan.server_port)
        until(lambda: '"operation": "Ping"' in log.read_text())
    finally:
        os.kill(pid, signal.SIGTERM)
        until(lambda: not is_running(pid), STOP_SECONDS)
    assert not (tmp_path / "daemon.pid").exists()
    lines = log.read_text().splitlines()
    assert all(line.startswith("{") and line.endswith("}") for line in lines)
