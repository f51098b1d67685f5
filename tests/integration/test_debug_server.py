"""What the debug servers of a busy pair show, and to whom."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from threading import Event

import attrs
import pytest

from notary import __version__
from tests.support.commands import start
from tests.support.daemons import (
    OUR_SERVER,
    OUR_SIGNER,
    PASSPHRASE,
    PASSPHRASE_ENVIRONMENT,
    POLL_SECONDS,
    STOP_SECONDS,
    free_port,
    listens,
    running,
    server_config,
    serving,
    write_config,
)
from tests.support.pairs import plan_pair
from tests.support.publishers import Publisher, Reader
from tests.support.speedscope import Profiles

pytestmark = pytest.mark.integration

SECONDS = 60
GUNS = [f"registry.example.com/debug/{number}" for number in range(3)]
DAEMONS = pytest.mark.parametrize("daemon", ["notary-server", "notary-signer"])


@attrs.frozen
class Debugged:
    """A daemon with a debug server.

    Attributes:
        port: the debug server's.
        pid: the daemon's process ID.
        log: what it writes.
    """

    port: int
    pid: int
    log: Path

    def get(self, path: str, **headers: str) -> tuple[int, bytes]:
        """Ask for a page. Blocks."""
        connection = http.client.HTTPConnection("localhost", self.port, timeout=SECONDS)
        try:
            connection.request("GET", f"/debug/{path}", headers=headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def page(self, path: str) -> str:
        status, body = self.get(path)
        assert status == 200, body
        return body.decode()


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Debugged]]:
    """A server and a signer that somebody publishes to and reads from all the time."""
    directory = tmp_path_factory.mktemp("debug")
    plan = plan_pair(directory)
    ports = {daemon: free_port() for daemon in ("notary-server", "notary-signer")}
    plan.server["server"]["debug_addr"] = f"localhost:{ports['notary-server']}"
    plan.signer["server"]["debug_addr"] = f"127.0.0.1:{ports['notary-signer']}"
    server = write_config(directory, plan.server)
    signer = write_config(directory, plan.signer, "signer.json")
    log = directory / "signer.log"
    with ExitStack() as stack:
        pid = stack.enter_context(
            running(
                [OUR_SIGNER, "-debug", f"-config={signer}"],
                log,
                lambda: listens(plan.signer_port),
                PASSPHRASE_ENVIRONMENT,
            )
        )
        command: list[str | Path] = [OUR_SERVER, "-debug", f"-config={server}"]
        serves = stack.enter_context(serving(command, plan.server_port, directory))
        with ThreadPoolExecutor() as pool:
            stopped = Event()
            jobs = [
                pool.submit(publish, plan.server_port, stopped),
                pool.submit(Reader(plan.server_port, GUNS).work, stopped),
            ]
            try:
                yield {
                    "notary-server": Debugged(ports["notary-server"], serves.pid, serves.log),
                    "notary-signer": Debugged(ports["notary-signer"], pid, log),
                }
            finally:
                stopped.set()
            for job in jobs:
                job.result()


def publish(port: int, stopped: Event) -> None:
    """Publish collections until it is enough."""
    publisher = Publisher(port, GUNS, versions=2)
    for number in count():
        publisher.work()
        if stopped.is_set():
            return
        publisher.guns = [f"{GUNS[0]}/{number}"]


@DAEMONS
def test_variables(pair: Mapping[str, Debugged], daemon: str) -> None:
    found = json.loads(pair[daemon].page("vars"))
    assert found["version"] == __version__
    assert found["pid"] == pair[daemon].pid
    assert found["cmdline"][1].endswith(daemon)
    assert found["memstats"]["Alloc"] > 0
    assert found["open_files"] > 5
    assert found["reactor"]["readers"] > 1


@DAEMONS
def test_pages(pair: Mapping[str, Debugged], daemon: str) -> None:
    debugged = pair[daemon]
    assert f"{daemon} {__version__}" in debugged.page("pprof/")
    assert "-debug" in debugged.page("pprof/cmdline").split("\0")
    assert "AsyncioSelectorReactor.run" in debugged.page("pprof/threads")
    assert "Deferreds have not fired" in debugged.page("pprof/deferreds")
    assert "bytes" in debugged.page("pprof/heap?seconds=1")


def test_deferreds_of_a_server(pair: Mapping[str, Debugged]) -> None:
    """The connections to the signer are kept by coroutines."""
    assert "notary/signing/connections.py" in pair["notary-server"].page("pprof/deferreds")


@DAEMONS
def test_a_profile_shows_what_a_daemon_works_on(pair: Mapping[str, Debugged], daemon: str) -> None:
    seconds = 3
    found = Profiles.parse(pair[daemon].page(f"pprof/profile?seconds={seconds}").encode())
    assert daemon in found.title
    for stacks in found.threads.values():
        assert sum(stacks.values()) == pytest.approx(seconds, abs=1)
    room = f"notary/{daemon.removeprefix('notary-')}/"
    assert [place for place in found.seen("reactor") if place.startswith(room)]
    everything = {place for thread in found.threads for place in found.seen(thread)}
    assert [place for place in everything if place.startswith("notary/storage/")]


@DAEMONS
def test_no_page_holds_a_secret(pair: Mapping[str, Debugged], daemon: str) -> None:
    paths = ["vars", "pprof/cmdline", "pprof/threads", "pprof/deferreds", "pprof/heap?seconds=1"]
    for path in [*paths, "pprof/profile?seconds=1"]:
        page = pair[daemon].page(path)
        assert PASSPHRASE not in page
        assert "NOTARY_SIGNER" not in page
        assert "PRIVATE KEY" not in page


@DAEMONS
def test_web_pages_get_nothing(pair: Mapping[str, Debugged], daemon: str) -> None:
    for headers in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}):
        assert pair[daemon].get("vars", **headers)[0] == 403


@DAEMONS
def test_other_addresses_of_the_machine_do_not_answer(
    pair: Mapping[str, Debugged], daemon: str
) -> None:
    address = other_address()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address, pair[daemon].port), timeout=SECONDS)


def other_address() -> str:
    """An address that other hosts know this machine by; the test is skipped if there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no address but those of its loopback interface")
        return str(probe.getsockname()[0])


@DAEMONS
def test_the_log_says_where_it_is(pair: Mapping[str, Debugged], daemon: str) -> None:
    host = "localhost" if daemon == "notary-server" else "127.0.0.1"
    line = f'"msg": "Debug server listening on {host}:{pair[daemon].port}"'
    assert pair[daemon].log.read_text().count(line) == 1


def test_a_daemon_that_is_watched_ends_when_it_is_told_to(tmp_path: Path) -> None:
    port, debug_port = free_port(), free_port()
    config = server_config(port, {"backend": "memory"})
    config["server"]["debug_addr"] = f"localhost:{debug_port}"
    process = start(OUR_SERVER, f"-config={write_config(tmp_path, config)}")
    try:
        while not listens(debug_port):
            assert process.poll() is None, process.communicate()
            time.sleep(POLL_SECONDS)
        with socket.create_connection(("localhost", debug_port), timeout=SECONDS) as watching:
            path = "/debug/pprof/profile?seconds=300"
            watching.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            debugged = Debugged(debug_port, process.pid, tmp_path)
            assert debugged.get("pprof/profile?seconds=1")[0] == 409
            process.terminate()
            assert process.wait(STOP_SECONDS) == -signal.SIGTERM
    finally:
        process.kill()
        process.communicate()
