"""The command as an operator runs it: what it says, and how it ends."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from notary import __version__
from tests.support.commands import PROJECT, Refusal, Run, end_of, start
from tests.support.daemons import (
    OUR_SERVER,
    POLL_SECONDS,
    START_SECONDS,
    STOP_SECONDS,
    free_port,
    server_config,
    serving,
    write_config,
)
from tests.support.mariadb import PASSWORD, MariaDB

pytestmark = pytest.mark.integration

REACHABLE_BY_NOBODY = "127.0.0.1:1"


def config(**sections: Mapping[str, Any]) -> dict[str, Any]:
    """A small configuration that logs errors only, so that a message stands alone."""
    return {
        "server": {"http_addr": "127.0.0.1:0"},
        "trust_service": {"type": "local", "ephemeral_keys": True},
        "storage": {"backend": "memory"},
        **sections,
    }


def mysql(db_url: str) -> dict[str, str]:
    return {"backend": "mysql", "db_url": db_url}


@pytest.fixture(scope="module")
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def refusals(taken_port: int) -> dict[str, Refusal]:
    debug = {"debug_addr": f"127.0.0.1:{taken_port}"}
    return {
        "missing file": Refusal("server.json: cannot be read: No such file or directory"),
        "bad value": Refusal(
            "server.http_addr: 'nonsense' (from environment variable "
            "NOTARY_SERVER_SERVER_HTTP_ADDR) is not an address to listen on",
            config(),
            environment={"NOTARY_SERVER_SERVER_HTTP_ADDR": "nonsense"},
        ),
        "port in use": Refusal(
            f"cannot listen on 127.0.0.1:{taken_port}: [Errno 98] Address already in use",
            config(server={"http_addr": f"127.0.0.1:{taken_port}"}),
        ),
        "database away": Refusal(
            f"notary:***@{REACHABLE_BY_NOBODY}/trust cannot be reached: 2003 Can't connect",
            config(storage=mysql(f"notary:hidden@tcp({REACHABLE_BY_NOBODY})/trust")),
            ("-bootstrap",),
        ),
        "debug port in use": Refusal(
            f"cannot listen on 127.0.0.1:{taken_port}: [Errno 98] Address already in use",
            config(server={"http_addr": "127.0.0.1:0", **debug}),
        ),
        "unknown flag": Refusal("-nonsense", config(), ("-nonsense",), status=2),
    }


@pytest.fixture(scope="module")
def runs(
    tmp_path_factory: pytest.TempPathFactory, taken_port: int
) -> Iterator[dict[str, subprocess.Popen[str]]]:
    """All commands that are going to be refused, started at once."""
    processes = {}
    for name, refusal in refusals(taken_port).items():
        directory = tmp_path_factory.mktemp("refused")
        path = directory / "server.json"
        if refusal.config is not None:
            write_config(directory, refusal.config)
        processes[name] = start(
            OUR_SERVER, f"-config={path}", *refusal.flags, environment=refusal.environment
        )
    yield processes
    for process in processes.values():
        process.kill()
        process.wait()


@pytest.mark.parametrize("name", refusals(0))
def test_says_in_one_message_why_it_does_not_start(
    runs: Mapping[str, subprocess.Popen[str]], taken_port: int, name: str
) -> None:
    expected = refusals(taken_port)[name]
    run = end_of(runs[name])
    assert run.status == expected.status, run
    assert expected.message in run.err
    assert "Traceback" not in run.err
    assert "hidden" not in run.err
    assert run.out == ""
    if expected.status == 1:
        assert len(run.err.splitlines()) == 1, run.err


def test_version() -> None:
    assert end_of(start(OUR_SERVER, "-version")) == Run(0, f"notary-server {__version__}\n", "")


@contextmanager
def started(directory: Path, settings: Mapping[str, Any], port: int) -> Iterator[Any]:
    """A server over plain HTTP that answers; it is killed at the end if it still runs."""
    process = start(OUR_SERVER, f"-config={write_config(directory, settings)}")
    try:
        wait_until_it_answers(process, port)
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_until_it_answers(process: subprocess.Popen[str], port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not answers(port):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(POLL_SECONDS)


def answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/_notary_server/health")
        return connection.getresponse().status == http.HTTPStatus.OK
    except ConnectionError:
        return False
    finally:
        connection.close()


def test_ends_by_the_signal_that_tells_it_to(tmp_path: Path) -> None:
    port = free_port()
    settings = config(server={"http_addr": f"127.0.0.1:{port}"}, logging={"level": "info"})
    with started(tmp_path, settings, port) as process:
        process.terminate()
        out, err = process.communicate(timeout=STOP_SECONDS)
    assert process.returncode == -signal.SIGTERM
    assert out == ""
    messages = [line for line in err.splitlines() if '"msg": "Starting on' in line]
    assert len(messages) == 1
    assert "twisted" not in err.lower()


class TestMariaDB:
    def test_needs_its_tables_first(self, mariadb: MariaDB, tmp_path: Path) -> None:
        database = mariadb.create_database()
        port = free_port()
        settings = config(server={"http_addr": f"127.0.0.1:{port}"}, storage=mysql(database.dsn))
        command = (OUR_SERVER, f"-config={write_config(tmp_path, settings)}")
        refused = end_of(start(*command))
        assert refused.status == 1
        assert "are missing: run notary-server -bootstrap\n" in refused.err
        assert PASSWORD not in refused.err
        assert len(refused.err.splitlines()) == 1
        for _ in range(2):
            assert end_of(start(*command, "-bootstrap")) == Run(0, "", "")
        with started(tmp_path, settings, port) as process:
            process.terminate()
            assert process.wait(STOP_SECONDS) == -signal.SIGTERM


def test_runs_under_twistd(tmp_path: Path) -> None:
    port = free_port()
    path = write_config(tmp_path, server_config(port, {"backend": "memory"}))
    twistd = Path(sys.executable).parent / "twistd"
    flags = ["--nodaemon", "--pidfile=", "notary-server", f"--config={path}", "--logf=logfmt"]
    environment = {"PYTHONPATH": os.fspath(PROJECT)}
    with serving([twistd, *flags], port, tmp_path, environment) as server:
        log = server.log.read_text()
    assert 'level=info msg="Starting Server" ' in log
    assert f'msg="Starting on 127.0.0.1:{port}" ' in log
