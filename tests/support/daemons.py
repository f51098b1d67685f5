"""Starts daemons, ours and the reference, as the processes an operator would start."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import sysconfig
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, NoReturn

import attrs
import pytest

FIXTURES = Path(__file__).parent.parent.parent / "fixtures"
ROOT_CA = FIXTURES / "root-ca.crt"
OUR_SERVER = Path(sysconfig.get_path("scripts")) / "notary-server"
OUR_SIGNER = OUR_SERVER.with_name("notary-signer")
PLAIN_SERVER: list[str | Path] = [
    OUR_SERVER.with_name("twistd"),
    *("--reactor=epoll", "--nodaemon", "--pidfile=", "notary-server"),
]
"""The server as it is without uvloop."""
REFERENCE_SERVER = Path("/usr/bin/notary-server")
"""Where the Debian package puts it; a shell may find ours under that name."""
REFERENCE_SIGNER = REFERENCE_SERVER.with_name("notary-signer")

ALIAS = "timestamp_1"
PASSPHRASE = "an open sesame for the signer"
PASSPHRASE_ENVIRONMENT = {"NOTARY_SIGNER_TIMESTAMP_1": PASSPHRASE}

START_SECONDS = 60.0
STOP_SECONDS = 15.0
POLL_SECONDS = 0.05


class DaemonError(Exception):
    """A server did not start, or did not stop; the message holds its log."""


@attrs.frozen
class Daemon:
    """A process that listens on ``localhost``.

    Attributes:
        port: the TCP port.
        log: what the process writes.
        pid: its process ID.
    """

    port: int
    log: Path
    pid: int


@attrs.frozen
class Server(Daemon):
    """A server that answers on ``localhost``."""

    @property
    def address(self) -> str:
        return f"localhost:{self.port}"

    @property
    def url(self) -> str:
        return f"https://{self.address}"


def find_program(name: str | Path, package: str) -> str:
    """The path of a program that a test needs, and that a Debian package has.

    Where it is missing the test is skipped, or fails if the variable ``CI`` is ``true``.
    """
    path = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin")
    if path is None:
        missing(f"{name} is missing: install the Debian package {package}")
    return path


def missing(message: str) -> NoReturn:
    """Skip the test for want of something, or fail it if the variable ``CI`` is ``true``."""
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nothing listens on at the moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def server_config(
    port: int,
    storage: Mapping[str, str],
    *,
    ephemeral_keys: bool = False,
    trust_service: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A configuration file for a server with TLS, by default one that holds the keys itself."""
    local = {"type": "local", **({"ephemeral_keys": True} if ephemeral_keys else {})}
    return {
        "server": {"http_addr": f"127.0.0.1:{port}", **_tls_files("notary-server")},
        "trust_service": dict(trust_service or local),
        "storage": dict(storage),
        "logging": {"level": "info"},
    }


def remote_trust(port: int, algorithm: str = "ecdsa") -> dict[str, Any]:
    """The section of a server whose keys are held by a signer."""
    return {
        "type": "remote",
        "hostname": "localhost",
        "port": port,
        "key_algorithm": algorithm,
        "tls_ca_file": str(ROOT_CA),
        "tls_client_cert": str(FIXTURES / "notary-server.crt"),
        "tls_client_key": str(FIXTURES / "notary-server.key"),
    }


def signer_config(port: int, storage: Mapping[str, str]) -> dict[str, Any]:
    """A configuration file for a signer that lets servers in."""
    return {
        "server": {
            "grpc_addr": f"127.0.0.1:{port}",
            **_tls_files("notary-signer"),
            "client_ca_file": str(ROOT_CA),
        },
        "storage": {**storage, "default_alias": ALIAS},
        "logging": {"level": "info"},
    }


def _tls_files(daemon: str) -> dict[str, str]:
    return {
        "tls_cert_file": str(FIXTURES / f"{daemon}.crt"),
        "tls_key_file": str(FIXTURES / f"{daemon}.key"),
    }


@contextmanager
def serving(
    command: Sequence[str | Path],
    port: int,
    directory: Path,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """Run a server until the block ends.

    Args:
        command: the program and its arguments.
        port: where the program is going to listen, with TLS and a sample certificate.
        directory: where its log goes; also the working directory.
        environment: variables on top of this process's own.

    Raises:
        DaemonError: it ended early, or did not serve or stop in time.
    """
    log = directory / "server.log"
    with running(command, log, lambda: answers(port), environment) as pid:
        yield Server(port, log, pid)


@contextmanager
def serving_config(
    program: str | Path, directory: Path, config: Mapping[str, Any], port: int
) -> Iterator[Server]:
    """Run ``program -config=FILE`` with this configuration until the block ends."""
    with serving(
        [program, f"-config={write_config(directory, config)}"], port, directory
    ) as server:
        yield server


@contextmanager
def signing_config(
    program: str | Path,
    directory: Path,
    config: Mapping[str, Any],
    port: int,
    *,
    environment: Mapping[str, str] = PASSPHRASE_ENVIRONMENT,
    how_to_stop: Callable[[subprocess.Popen[bytes]], None] = subprocess.Popen.terminate,
) -> Iterator[Daemon]:
    """Run ``program -config=FILE`` of a signer until the block ends.

    Raises:
        DaemonError: as `serving`.
    """
    path = write_config(directory, config, "signer.json")
    log = directory / "signer.log"
    command = [program, f"-config={path}"]
    with running(command, log, lambda: listens(port), environment, how_to_stop) as pid:
        yield Daemon(port, log, pid)


@contextmanager
def running(
    command: Sequence[str | Path],
    log: Path,
    is_ready: Callable[[], bool],
    environment: Mapping[str, str] | None = None,
    how_to_stop: Callable[[subprocess.Popen[bytes]], None] = subprocess.Popen.terminate,
) -> Iterator[int]:
    """Run a daemon, once it is ready, until the block ends; yields its process ID.

    Args:
        command: the program and its arguments.
        log: where its output is added; its directory is also the working directory.
        is_ready: whether it does what it is for.
        environment: variables on top of this process's own.
        how_to_stop: makes it end.

    Raises:
        DaemonError: it ended early, or did not serve or stop in time.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            [os.fspath(part) for part in command],
            cwd=log.parent,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait_until(is_ready, process, log)
        yield process.pid
    finally:
        _stop(process, log, how_to_stop)


def write_config(directory: Path, config: Mapping[str, Any], name: str = "server.json") -> Path:
    path = directory / name
    path.write_text(json.dumps(config, indent=4))
    return path


def bootstrap(
    program: str | Path, directory: Path, config: Mapping[str, Any], name: str = "server.json"
) -> None:
    """Have a daemon make the tables of its database.

    Raises:
        DaemonError: it said that it could not.
    """
    done = subprocess.run(
        [program, "-bootstrap", f"-config={write_config(directory, config, name)}"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=START_SECONDS,
    )
    if done.returncode:
        raise DaemonError(f"{program} -bootstrap exited with {done.returncode}:\n{done.stdout}")


def _wait_until(is_ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not is_ready():
        try:
            status = process.wait(POLL_SECONDS)
        except subprocess.TimeoutExpired:
            if time.monotonic() < deadline:
                continue
            raise DaemonError(_with_log("does not serve", process, log)) from None
        raise DaemonError(_with_log(f"exited with {status}", process, log))


def listens(port: int, host: str = "127.0.0.1") -> bool:
    """Whether anything listens at a port."""
    try:
        socket.create_connection((host, port), timeout=2).close()
    except (ConnectionError, TimeoutError):
        return False
    return True


def answers(port: int) -> bool:
    """Whether a server with a sample certificate serves the API at a port of ``localhost``."""
    context = ssl.create_default_context(cafile=ROOT_CA)
    connection = http.client.HTTPSConnection("localhost", port, timeout=2, context=context)
    try:
        connection.request("GET", "/v2/")
        return connection.getresponse().status in {HTTPStatus.OK, HTTPStatus.UNAUTHORIZED}
    except (ConnectionError, TimeoutError):
        return False
    finally:
        connection.close()


def _stop(
    process: subprocess.Popen[bytes], log: Path, how: Callable[[subprocess.Popen[bytes]], None]
) -> None:
    how(process)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired as error:
        process.kill()
        process.wait()
        raise DaemonError(_with_log("did not stop", process, log)) from error


def _with_log(what: str, process: subprocess.Popen[bytes], log: Path) -> str:
    return f"{process.args!r} {what}. Its log:\n{log.read_text(errors='replace')}"
