"""Daemons in the background, and under systemd: its sockets and what it is told."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.daemons import (
    FIXTURES,
    OUR_SERVER,
    OUR_SIGNER,
    PASSPHRASE_ENVIRONMENT,
    PLAIN_SERVER,
    ROOT_CA,
    START_SECONDS,
    STOP_SECONDS,
    answers,
    find_program,
    free_port,
    listens,
    running,
    server_config,
    signer_config,
    write_config,
)

pytestmark = pytest.mark.integration

BACKGROUND: list[str | Path] = [
    OUR_SERVER.with_name("twistd"),
    *("--pidfile=daemon.pid", "--logfile=daemon.log", "--umask=027"),
]
MEMORY = {"backend": "memory"}


def until(condition: Callable[[], object], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize(
    ("daemon", "flags"),
    [
        (daemon, flags)
        for daemon in ("notary-server", "notary-signer")
        for flags in ([], ["--reactor=epoll"])
    ],
    ids=["server", "server without uvloop", "signer", "signer without uvloop"],
)
def test_in_the_background(tmp_path: Path, daemon: str, flags: list[str]) -> None:
    """All paths are relative: to the configuration file, or to the working directory."""
    for name in (f"{daemon}.crt", f"{daemon}.key", "root-ca.crt"):
        (tmp_path / name).write_bytes((FIXTURES / name).read_bytes())
    port = free_port()
    if daemon == "notary-server":
        storage = {"backend": "sqlite3", "db_url": "server.db"}
        config = server_config(port, storage, ephemeral_keys=True)
    else:
        config = signer_config(port, {"backend": "sqlite3", "db_url": "signer.db"})
        config["server"]["client_ca_file"] = "root-ca.crt"
    files = {"tls_cert_file": f"{daemon}.crt", "tls_key_file": f"{daemon}.key"}
    config["server"].update(files)
    write_config(tmp_path, config, "daemon.json")
    command = [*BACKGROUND, *flags, daemon]
    done = subprocess.run(
        [*command, "--config=daemon.json"],
        cwd=tmp_path,
        env={**os.environ, **PASSPHRASE_ENVIRONMENT},
        capture_output=True,
        timeout=START_SECONDS,
    )
    assert done.returncode == 0, done
    pid = int((tmp_path / "daemon.pid").read_text())
    try:
        ready = answers if daemon == "notary-server" else listens
        until(lambda: ready(port), START_SECONDS)
        os.kill(pid, signal.SIGHUP)
        log = tmp_path / "daemon.log"
        until(lambda: "reloaded " in log.read_text(), STOP_SECONDS)
        assert f"Starting on 127.0.0.1:{port}" in log.read_text()
        assert ("reactor: FastReactor" in log.read_text()) == (not flags)
        assert (tmp_path / "daemon.pid").stat().st_mode & 0o777 == 0o640
    finally:
        os.kill(pid, signal.SIGTERM)
        until(lambda: not is_running(pid), STOP_SECONDS)
    assert not (tmp_path / "daemon.pid").exists()
    assert "Traceback" not in log.read_text()


SERVERS = pytest.mark.parametrize(
    "server", [[OUR_SERVER], PLAIN_SERVER], ids=["uvloop", "without uvloop"]
)


@SERVERS
def test_with_a_socket_of_systemd(tmp_path: Path, server: list[str | Path]) -> None:
    """Whoever connects while the server is not there is served by the next one."""
    activate = find_program("systemd-socket-activate", "systemd")
    port = free_port()
    config = server_config(port, MEMORY)
    config["server"]["http_addr"] = "systemd:domain=INET:name=https"
    path = write_config(tmp_path, config)
    command: list[str | Path] = [
        *(activate, "--setenv=PYTHONPATH", f"--listen=127.0.0.1:{port}", "--fdname=https"),
        *server,
    ]
    log = tmp_path / "server.log"
    with running([*command, f"--config={path}"], log, lambda: answers(port)):
        assert answers(port)
    assert "Starting on systemd:domain=INET:name=https" in log.read_text()


def test_without_the_socket_of_systemd(tmp_path: Path) -> None:
    config = server_config(free_port(), MEMORY)
    config["server"]["http_addr"] = "systemd:domain=INET:name=https"
    done = subprocess.run(
        [OUR_SERVER, f"-config={write_config(tmp_path, config)}"],
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
    )
    assert done.returncode == 1
    assert (
        "cannot listen on systemd:domain=INET:name=https: systemd has passed no such socket"
        in done.stderr
    )


@pytest.mark.parametrize("program", [OUR_SERVER, OUR_SIGNER])
def test_systemd_is_told(tmp_path: Path, program: Path) -> None:
    port = free_port()
    make = server_config if program == OUR_SERVER else signer_config
    command: list[str | Path] = [program, f"-config={write_config(tmp_path, make(port, MEMORY))}"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(STOP_SECONDS)
        environment = {
            "NOTIFY_SOCKET": str(tmp_path / "notify"),
            "WATCHDOG_USEC": "200000",
            **PASSPHRASE_ENVIRONMENT,
        }
        with running(command, tmp_path / "log", lambda: listens(port), environment) as pid:
            assert systemd.recv(1000).startswith(b"READY=1\n")
            assert systemd.recv(1000) == b"WATCHDOG=1"
            assert systemd.recv(1000) == b"WATCHDOG=1"
            os.kill(pid, signal.SIGHUP)
            until(lambda: systemd.recv(1000).startswith(b"RELOADING=1\n"), STOP_SECONDS)
            until(lambda: systemd.recv(1000) == b"READY=1", STOP_SECONDS)
        until(lambda: systemd.recv(1000).startswith(b"STOPPING=1\n"), STOP_SECONDS)


@SERVERS
def test_an_upload_may_end_and_a_second_signal_does_not_wait(
    tmp_path: Path, server: list[str | Path]
) -> None:
    port = free_port()
    command = [*server, f"--config={write_config(tmp_path, server_config(port, MEMORY))}"]
    context = ssl.create_default_context(cafile=ROOT_CA)
    uploads = [http.client.HTTPSConnection("localhost", port, context=context) for _ in range(2)]
    log = tmp_path / "server.log"
    with running(command, log, lambda: answers(port)) as pid:
        for upload in uploads:
            upload.putrequest("POST", "/v2/")
            upload.putheader("Content-Length", "2")
            upload.endheaders(b"a")
        # Both connections are accepted, and heard, once a later one is answered.
        assert answers(port)
        os.kill(pid, signal.SIGTERM)
        until(lambda: not listens(port), STOP_SECONDS)
        time.sleep(1.5)
        uploads[0].send(b"b")
        response = uploads[0].getresponse()
        assert response.headers["Connection"] == "close"
        assert is_running(pid)
    # The block ended with a second signal.
    with pytest.raises((http.client.HTTPException, OSError)):
        uploads[1].getresponse()
    assert "Traceback" not in log.read_text()
