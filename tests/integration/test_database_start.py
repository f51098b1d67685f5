"""Daemons that start before their database does, or on one that is of no use."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.api_client import ApiClient, Reply
from tests.support.daemons import (
    FIXTURES,
    OUR_SERVER,
    OUR_SIGNER,
    PASSPHRASE_ENVIRONMENT,
    POLL_SECONDS,
    START_SECONDS,
    STOP_SECONDS,
    bootstrap,
    free_port,
    listens,
    server_config,
    signer_config,
    write_config,
)
from tests.support.forge import Collection, file_meta
from tests.support.mariadb import PASSWORD, MariaDB
from tests.support.pairs import plan_pair
from tests.support.postgres import Postgres

pytestmark = pytest.mark.integration

GUN = "registry.example.com/early"
LONGEST_WAIT = 60
"""Seconds: the longest pause, and what an attempt and a busy machine add."""

PROGRAMS = {"server": OUR_SERVER, "signer": OUR_SIGNER}

Config = dict[str, Any]


def daemon_config(daemon: str, port: int, backend: str, dsn: str) -> Config:
    """A configuration that logs errors only."""
    storage = {"backend": backend, "db_url": dsn}
    config = (
        server_config(port, storage, ephemeral_keys=True)
        if daemon == "server"
        else signer_config(port, storage)
    )
    del config["logging"]
    return config


@contextmanager
def started(daemon: str, directory: Path, config: Config) -> Iterator[subprocess.Popen[str]]:
    path = write_config(directory, config, f"{daemon}.json")
    process = subprocess.Popen(
        [PROGRAMS[daemon], f"-config={path}"],
        env={**os.environ, **PASSPHRASE_ENVIRONMENT},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def end_of(process: subprocess.Popen[str], seconds: float = START_SECONDS) -> tuple[int, list[str]]:
    """The status with which a daemon ends by itself, and what it said."""
    out, err = process.communicate(timeout=seconds)
    assert out == ""
    assert "Traceback" not in err
    assert PASSWORD not in err
    return process.returncode, err.splitlines()


def wait_until(condition: Callable[[], bool], seconds: float = START_SECONDS) -> float:
    """Wait for something and return how many seconds it took."""
    begun = time.monotonic()
    while not condition():
        assert time.monotonic() - begun < seconds
        time.sleep(POLL_SECONDS)
    return time.monotonic() - begun


def health(client: ApiClient) -> tuple[int, dict[str, str]]:
    reply = client.ask("GET", "/_notary_server/health")
    return reply.status, json.loads(reply.body)


def refused(reply: Reply, code: str) -> None:
    assert reply.status == http.client.SERVICE_UNAVAILABLE
    assert reply.headers["Retry-After"] == "5"
    assert reply.code == code
    assert b"127.0.0.1" not in reply.body


def test_a_pair_waits_for_its_database(own_mariadb: MariaDB, tmp_path: Path) -> None:
    own_mariadb.start()
    rights = "SELECT, INSERT, UPDATE, DELETE"
    plan = plan_pair(tmp_path, databases=own_mariadb, rights=rights)
    own_mariadb.stop()
    with plan.run() as pair, closing(ApiClient(pair.server.port)) as client:
        refused(client.get(GUN, "root.json"), "STORE_UNAVAILABLE")
        refused(client.get(GUN, "timestamp.key"), "STORE_UNAVAILABLE")
        status, failing = health(client)
        assert status == http.client.SERVICE_UNAVAILABLE
        assert set(failing) == {"DB operational", "DB writable", "Trust operational"}
        for reason in failing.values():
            assert "cannot be reached: 2003 Can't connect to MySQL server" in reason
        own_mariadb.start()
        seconds = wait_until(lambda: health(client) == (http.client.OK, {}))
        keys = [json.loads(client.get(GUN, f"{r}.key").body) for r in ("timestamp", "snapshot")]
        collection = Collection(GUN, *keys)
        targets = collection.targets(1, targets={"v1": file_meta(b"content")})
        reply = client.publish(GUN, {**collection.first(), "targets": targets})
        assert reply.status == http.client.OK, reply
        assert client.get(GUN, "targets.json").body == targets
    print(f"{seconds:.1f} s from the database's first answer to both daemons' first success")
    assert seconds < LONGEST_WAIT
    for log in (pair.server.log, pair.signer.log):
        text = log.read_text()
        assert text.count("cannot be reached") >= 1
        assert "the database can be used now" in text
        assert PASSWORD not in text


def test_postgres_is_waited_for_too(own_postgres: Postgres, tmp_path: Path) -> None:
    own_postgres.start()
    dsn = own_postgres.create_database().dsn
    config = daemon_config("server", port := free_port(), "postgres", dsn)
    bootstrap(OUR_SERVER, tmp_path, config)
    own_postgres.stop()
    with started("server", tmp_path, config) as process:
        wait_until(lambda: listens(port))
        with closing(ApiClient(port)) as client:
            _, failing = health(client)
            assert "cannot be reached: connection" in failing["DB operational"]
            own_postgres.start()
            seconds = wait_until(lambda: health(client) == (http.client.OK, {}))
        process.terminate()
        status, lines = end_of(process, STOP_SECONDS)
    assert seconds < LONGEST_WAIT
    assert status == -signal.SIGTERM
    assert len(lines) >= 1
    assert all("waiting for it" in line for line in lines if '"error"' in line)


@pytest.mark.parametrize("daemon", PROGRAMS)
def test_a_late_database_of_no_use_ends_the_daemon(
    own_mariadb: MariaDB, tmp_path: Path, daemon: str
) -> None:
    own_mariadb.start()
    dsn = own_mariadb.create_database().dsn
    own_mariadb.stop()
    config = daemon_config(daemon, port := free_port(), "mysql", dsn)
    with started(daemon, tmp_path, config) as process:
        wait_until(lambda: listens(port))
        own_mariadb.start()
        status, lines = end_of(process)
    assert status == 1
    assert len([line for line in lines if '"fatal"' in line]) == 1
    assert f"are missing: run notary-{daemon} -bootstrap" in lines[-1]
    assert '"fatal"' in lines[-1]


def test_a_daemon_that_waits_can_be_ended(tmp_path: Path) -> None:
    dsn = f"notary@tcp(127.0.0.1:{free_port()})/server"
    config = daemon_config("server", port := free_port(), "mysql", dsn)
    with started("server", tmp_path, config) as process:
        wait_until(lambda: listens(port))
        process.terminate()
        status, _ = end_of(process, STOP_SECONDS)
    assert status == -signal.SIGTERM


FATAL: Mapping[str, tuple[Callable[[str, str], str], str]] = {
    "wrong password": (
        lambda dsn, name: dsn.replace(":p", ":q", 1),
        "check the user and the password in storage.db_url or storage.db_password_file",
    ),
    "no such database": (
        lambda dsn, name: dsn.replace(f"/{name}?", "/notary_none?"),
        "storage.db_url",
    ),
    "no tables": (lambda dsn, name: dsn, "are missing: run notary-"),
    "no such parameter": (lambda dsn, name: f"{dsn}&tsl=true", "the parameter 'tsl' is not"),
    "contradiction": (lambda dsn, name: f"{dsn}&tls=false&sslmode=disable", "storage.db_url: "),
}


@pytest.mark.parametrize("backend", ["mysql", "postgres"])
@pytest.mark.parametrize("cause", FATAL)
def test_what_waiting_would_not_mend_ends_the_daemon_at_once(
    request: pytest.FixtureRequest, tmp_path: Path, cause: str, backend: str
) -> None:
    daemon = "server" if len(cause) % 2 else "signer"
    database = request.getfixturevalue(
        "mariadb" if backend == "mysql" else "postgres"
    ).create_database()
    spoil, message = FATAL[cause]
    dsn = spoil(database.dsn, database.name)
    with started(daemon, tmp_path, daemon_config(daemon, free_port(), backend, dsn)) as process:
        status, lines = end_of(process)
    assert status == 1
    assert len(lines) == 1, lines
    assert lines[0].startswith(f"notary-{daemon}: ")
    assert message in lines[0]


def test_twistd_ends_with_that_status_too(own_mariadb: MariaDB, tmp_path: Path) -> None:
    dsn = f"notary:{PASSWORD}@tcp(127.0.0.1:{own_mariadb.port})/server"
    config = daemon_config("server", port := free_port(), "mysql", dsn)
    twistd = str(Path(sys.executable).parent / "twistd")
    pidfile, log = tmp_path / "pid", tmp_path / "log"
    own_flags = ["--nodaemon", f"--pidfile={pidfile}", f"--logfile={log}"]
    process = subprocess.Popen(
        [twistd, *own_flags, "notary-server", f"--config={write_config(tmp_path, config)}"],
        env={**os.environ, "PYTHONPATH": str(FIXTURES.parent)},
        stdin=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: listens(port))
        own_mariadb.start()
        assert process.wait(START_SECONDS) == 1
    finally:
        process.kill()
        process.wait()
    assert "denies access" in log.read_text()
    assert not pidfile.exists()
