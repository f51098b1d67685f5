"""Starts servers, ours and the reference, as the processes an operator would start."""

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
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest

FIXTURES = Path(__file__).parent.parent.parent / "fixtures"
ROOT_CA = FIXTURES / "root-ca.crt"
OUR_SERVER = Path(sysconfig.get_path("scripts")) / "notary-server"
REFERENCE_SERVER = Path("/usr/bin/notary-server")
"""Where the Debian package puts it; a shell may find ours under that name."""

START_SECONDS = 30.0
STOP_SECONDS = 15.0
POLL_SECONDS = 0.05


class DaemonError(Exception):
    """A server did not start, or did not stop; the message holds its log."""


@attrs.frozen
class Server:
    """A server that answers on ``localhost``.

    Attributes:
        port: the TCP port.
        log: what the process writes.
    """

    port: int
    log: Path

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
        message = f"{name} is missing: install the Debian package {package}"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return path


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nothing listens on at the moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def server_config(
    port: int, storage: Mapping[str, str], *, ephemeral_keys: bool = False
) -> dict[str, Any]:
    """A configuration file for a server with TLS that holds the signing keys itself."""
    trust_service: dict[str, Any] = {"type": "local"}
    if ephemeral_keys:
        trust_service["ephemeral_keys"] = True
    return {
        "server": {
            "http_addr": f"127.0.0.1:{port}",
            "tls_cert_file": str(FIXTURES / "notary-server.crt"),
            "tls_key_file": str(FIXTURES / "notary-server.key"),
        },
        "trust_service": trust_service,
        "storage": dict(storage),
        "logging": {"level": "info"},
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
    server = Server(port, directory / "server.log")
    with server.log.open("wb") as log:
        process = subprocess.Popen(
            [os.fspath(part) for part in command],
            cwd=directory,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_until_it_serves(process, server)
        yield server
    finally:
        _stop(process, server)


@contextmanager
def serving_config(
    program: str | Path, directory: Path, config: Mapping[str, Any], port: int
) -> Iterator[Server]:
    """Run ``program -config=FILE`` with this configuration until the block ends."""
    with serving(
        [program, f"-config={write_config(directory, config)}"], port, directory
    ) as server:
        yield server


def write_config(directory: Path, config: Mapping[str, Any]) -> Path:
    path = directory / "server.json"
    path.write_text(json.dumps(config, indent=4))
    return path


def bootstrap(program: str | Path, directory: Path, config: Mapping[str, Any]) -> None:
    """Have a server make the tables of its database.

    Raises:
        DaemonError: it said that it could not.
    """
    done = subprocess.run(
        [program, "-bootstrap", f"-config={write_config(directory, config)}"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=START_SECONDS,
    )
    if done.returncode:
        raise DaemonError(f"{program} -bootstrap exited with {done.returncode}:\n{done.stdout}")


def _wait_until_it_serves(process: subprocess.Popen[bytes], server: Server) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _answers(server):
        try:
            status = process.wait(POLL_SECONDS)
        except subprocess.TimeoutExpired:
            if time.monotonic() < deadline:
                continue
            raise DaemonError(_with_log("does not serve", process, server)) from None
        raise DaemonError(_with_log(f"exited with {status}", process, server))


def _answers(server: Server) -> bool:
    context = ssl.create_default_context(cafile=ROOT_CA)
    connection = http.client.HTTPSConnection(server.address, timeout=2, context=context)
    try:
        connection.request("GET", "/v2/")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (ConnectionError, TimeoutError):
        return False
    finally:
        connection.close()


def _stop(process: subprocess.Popen[bytes], server: Server) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired as error:
        process.kill()
        process.wait()
        raise DaemonError(_with_log("ignored SIGTERM", process, server)) from error


def _with_log(what: str, process: subprocess.Popen[bytes], server: Server) -> str:
    return f"{process.args!r} {what}. Its log:\n{server.log.read_text(errors='replace')}"
