"""The command as an operator runs it: what it says, who may look inside, and how it ends."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from notary import __version__
from notary.signer.passphrases import variable
from tests.signer.clients import HEALTH, ask, client_context
from tests.signer.harness import ALIAS, PASSPHRASE
from tests.signer.processes import WITHOUT_RIGHTS, open_to_others
from tests.support.authority import make_identity
from tests.support.commands import Refusal, Run, end_of, start
from tests.support.daemons import (
    FIXTURES,
    OUR_SIGNER,
    POLL_SECONDS,
    ROOT_CA,
    START_SECONDS,
    STOP_SECONDS,
    free_port,
    write_config,
)

pytestmark = pytest.mark.integration

NAME = variable(ALIAS)
WITH_PASSPHRASE = {NAME: PASSPHRASE}


def config(port: int = 0, **sections: Mapping[str, Any]) -> dict[str, Any]:
    """A small configuration that logs errors only, so that a message stands alone."""
    server = {
        "grpc_addr": f"127.0.0.1:{port}",
        "tls_cert_file": str(FIXTURES / "notary-signer.crt"),
        "tls_key_file": str(FIXTURES / "notary-signer.key"),
        "client_ca_file": str(ROOT_CA),
    }
    return {"server": server, "storage": {"backend": "memory"}, **sections}


def sqlite(path: Path) -> dict[str, str]:
    return {"backend": "sqlite3", "db_url": str(path), "default_alias": ALIAS}


@pytest.fixture(scope="module")
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def refusals(taken_port: int, directory: Path) -> dict[str, Refusal]:
    debug = {"debug_addr": f"127.0.0.1:{taken_port}"}
    return {
        "missing file": Refusal("signer.json: cannot be read: No such file or directory"),
        "no passphrase": Refusal(
            f"there is no passphrase for the alias '{ALIAS}'",
            config(storage=sqlite(directory / "signer.db")),
            environment={f"{NAME}_1": "hidden"},
        ),
        "port in use": Refusal(
            f"cannot listen on 127.0.0.1:{taken_port}: [Errno 98] Address already in use",
            config(taken_port),
        ),
        "debug port in use": Refusal(
            f"cannot listen on 127.0.0.1:{taken_port}: [Errno 98] Address already in use",
            config(server={**config()["server"], **debug}),
        ),
        "unknown flag": Refusal("-nonsense", config(), ("-nonsense",), status=2),
    }


@pytest.fixture(scope="module")
def runs(
    tmp_path_factory: pytest.TempPathFactory, taken_port: int
) -> Iterator[dict[str, subprocess.Popen[str]]]:
    """All commands that are going to be refused, started at once."""
    processes = {}
    directory = tmp_path_factory.mktemp("refused")
    for name, refusal in refusals(taken_port, directory).items():
        path = tmp_path_factory.mktemp("refused") / "signer.json"
        if refusal.config is not None:
            write_config(path.parent, refusal.config, path.name)
        processes[name] = start(
            OUR_SIGNER, f"-config={path}", *refusal.flags, environment=refusal.environment
        )
    yield processes
    for process in processes.values():
        process.kill()
        process.wait()


@pytest.mark.parametrize("name", refusals(0, Path()))
def test_says_in_one_message_why_it_does_not_start(
    runs: Mapping[str, subprocess.Popen[str]], taken_port: int, name: str
) -> None:
    expected = refusals(taken_port, Path())[name]
    run = end_of(runs[name])
    assert run.status == expected.status, run
    assert expected.message in run.err
    assert "Traceback" not in run.err
    assert "hidden" not in run.err
    assert run.out == ""
    if expected.status == 1:
        assert len(run.err.splitlines()) == 1, run.err


def test_version() -> None:
    assert end_of(start(OUR_SIGNER, "-version")) == Run(0, f"notary-signer {__version__}\n", "")


def listens(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1):
            return True
    except OSError:
        return False


@contextmanager
def started(
    command: Sequence[str | Path], port: int, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A signer that listens; it is killed at the end if it still runs."""
    process = start(*command, environment=environment)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not listens(port):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(POLL_SECONDS)
        yield process
    finally:
        process.kill()
        process.communicate()


def ended(process: subprocess.Popen[str]) -> Run:
    """How a signer ends that is told to."""
    process.terminate()
    return end_of(process, STOP_SECONDS)


def test_serves_until_it_is_told_to_end(tmp_path: Path) -> None:
    port = free_port()
    authority = make_identity(tmp_path, "authority", is_ca=True)
    client = make_identity(tmp_path, "client", authority)
    settings = config(port, storage=sqlite(tmp_path / "signer.db"), logging={"level": "info"})
    settings["server"]["client_ca_file"] = str(authority.certificate_file)
    path = write_config(tmp_path, settings, "signer.json")
    command = (OUR_SIGNER, f"-config={path}", "-logf=logfmt")
    assert end_of(start(*command, "-bootstrap")) == Run(0, "", "")
    with started(command, port, WITH_PASSPHRASE) as process:
        (answer,) = ask(port, client_context(ROOT_CA, client), HEALTH)
        assert answer.HasField("check_health")
        run = ended(process)
    assert (run.status, run.out) == (-signal.SIGTERM, "")
    lines = [line for line in run.err.splitlines() if "level=info" in line]
    for message in (
        "Using sqlite3 backend",
        "Starting Signer",
        "Enabling TLS",
        f"Starting on 127.0.0.1:{port}",
        "connected: CN=client at 127.0.0.1:",
        "disconnected: CN=client at 127.0.0.1:",
    ):
        assert sum(f'msg="{message}' in line for line in lines) == 1, message
    assert PASSPHRASE not in run.err
    assert "twisted" not in run.err.lower()


@pytest.mark.parametrize("flags", [(), ("-debug",), ("-debug=false",)])
def test_nobody_may_look_inside_unless_asked_to(tmp_path: Path, flags: tuple[str, ...]) -> None:
    """The debug server alone does not let anybody."""
    port, debug_port = free_port(), free_port()
    settings = config(port)
    settings["server"]["debug_addr"] = f"localhost:{debug_port}"
    path = write_config(tmp_path, settings, "signer.json")
    command: list[str | Path] = [
        *WITHOUT_RIGHTS,
        sys.executable,
        OUR_SIGNER,
        f"-config={path}",
        *flags,
    ]
    with started(command, port) as process:
        assert open_to_others(process.pid) is (flags == ("-debug",))
        found = json.loads(debug_page(debug_port, "vars"))
        assert found["pid"] == process.pid
        assert found["open_files"] > 5
        assert found["memstats"]["Alloc"] > 0
        run = ended(process)
    assert run.status == -signal.SIGTERM
    assert run.err == ""


def debug_page(port: int, path: str) -> bytes:
    connection = http.client.HTTPConnection("localhost", port, timeout=10)
    try:
        connection.request("GET", f"/debug/{path}")
        return connection.getresponse().read()
    finally:
        connection.close()


def test_runs_under_twistd(tmp_path: Path) -> None:
    port = free_port()
    path = write_config(tmp_path, config(port, logging={"level": "info"}), "signer.json")
    twistd = Path(sys.executable).parent / "twistd"
    flags = ["--nodaemon", "--pidfile=", "notary-signer", f"--config={path}", "--logf=logfmt"]
    with started([twistd, *flags], port) as process:
        run = ended(process)
    assert run.status == -signal.SIGTERM
    assert 'level=info msg="Starting Signer" ' in run.err
