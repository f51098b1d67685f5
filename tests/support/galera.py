"""A private Galera cluster of three nodes on loopback, behind a proxy: the fixture ``galera``."""

from __future__ import annotations

import getpass
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import attrs
import pymysql
import pytest

from tests.support.daemons import find_program, free_port, listens
from tests.support.mariadb import MariaDB, MariaDBError, installed

NODES = 3
_LIBRARY = Path("/usr/lib/galera/libgalera_smm.so")
_ACCOUNT = "mysql"
_JOIN_SECONDS = 90.0
_POLL_SECONDS = 0.1

_PROXY = """
global
    maxconn 1000
defaults
    mode tcp
    timeout connect 2s
    timeout client 60s
    timeout server 60s
    option redispatch
    retries 3
listen galera
    bind 127.0.0.1:{port}
    balance leastconn
    default-server inter 500ms fall 2 rise 2 on-marked-down shutdown-sessions
{servers}
"""


@attrs.frozen
class Galera:
    """A cluster that runs, and a proxy that spreads connections over it.

    Attributes:
        nodes: its servers. The first one has begun the cluster and must not end before the others.
        port: the proxy's.
    """

    nodes: list[MariaDB]
    port: int

    def join(self, node: MariaDB) -> None:
        """Start a node, and wait until it is in step with the others."""
        node.start()
        deadline = time.monotonic() + _JOIN_SECONDS
        while not _in_step(node):
            if time.monotonic() > deadline:
                log = (node.directory / "log").read_text(errors="replace")
                raise MariaDBError(f"the node does not join:\n{log[-4000:]}")
            time.sleep(_POLL_SECONDS)


def _in_step(node: MariaDB) -> bool:
    try:
        [(_, state)] = node.execute("SHOW STATUS LIKE 'wsrep_local_state_comment'")
    except pymysql.err.Error:
        return False
    return bool(state == "Synced")


def _options(number: int, groups: list[int]) -> list[str]:
    """What makes a server a node; ``groups`` are the ports over which the nodes find each other."""
    members = ",".join(f"127.0.0.1:{port}" for port in groups) if number else ""
    provider = {
        "gmcast.listen_addr": f"tcp://127.0.0.1:{groups[number]}",
        "ist.recv_addr": f"127.0.0.1:{free_port()}",
        "gcache.size": "64M",
    }
    return [
        *([f"--user={_ACCOUNT}"] if getpass.getuser() == "root" else []),
        "--skip-ssl",
        "--innodb-flush-log-at-trx-commit=0",
        "--innodb-autoinc-lock-mode=2",
        "--binlog-format=ROW",
        "--wsrep-on=ON",
        f"--wsrep-provider={_LIBRARY}",
        "--wsrep-cluster-name=notary",
        f"--wsrep-cluster-address=gcomm://{members}",
        f"--wsrep-node-address=127.0.0.1:{groups[number]}",
        f"--wsrep-node-name=node-{number}",
        "--wsrep-sst-method=rsync",
        f"--wsrep-sst-receive-address=127.0.0.1:{free_port()}",
        "--wsrep-provider-options=" + ";".join(f"{k}={v}" for k, v in provider.items()),
    ]


def _give(directory: Path, account: str) -> None:
    for path in (directory, *directory.rglob("*")):
        shutil.chown(path, account, account)


@pytest.fixture
def galera() -> Iterator[Galera]:
    """A cluster whose nodes are all in step, behind haproxy."""
    if not _LIBRARY.exists():
        find_program(_LIBRARY, "galera-4")
    find_program("wsrep_sst_rsync", "mariadb-server")
    find_program("rsync", "rsync")
    proxy = find_program("haproxy", "haproxy")
    groups = [free_port() for _ in range(NODES)]
    with ExitStack() as stack:
        nodes = [stack.enter_context(installed(*_options(n, groups))) for n in range(NODES)]
        cluster = Galera(nodes, free_port())
        for node in nodes:
            if getpass.getuser() == "root":  # as whom rsync would not see the data
                _give(node.directory, _ACCOUNT)
            cluster.join(node)
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        servers = [f"    server n{n} 127.0.0.1:{node.port} check" for n, node in enumerate(nodes)]
        configuration = directory / "haproxy.cfg"
        configuration.write_text(_PROXY.format(port=cluster.port, servers="\n".join(servers)))
        process = subprocess.Popen(
            [proxy, "-db", "-f", configuration],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        stack.callback(process.wait)
        stack.callback(process.terminate)
        while not listens(cluster.port):
            assert process.poll() is None
            time.sleep(_POLL_SECONDS)
        yield cluster
