"""What cannot be saved: the time that libraries and the database take by themselves.

``python -m benchmarks.floors`` measures each in one thread, with nothing of ours around it.
"""

from __future__ import annotations

import argparse
import ssl
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median

import attrs
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import Engine

from benchmarks.contenders import make_certificates
from benchmarks.https import client_context
from benchmarks.report import number, table
from notary.signer.envelope import seal
from notary.storage.dsn import engine_url
from notary.storage.engines import create_engine_for
from notary.tls import FastServerContext, KeyPair
from tests.support.mariadb import installed
from tests.support.pairs import plan_pair

_ROUNDS = 7
_REQUEST = b"x" * 120
_ANSWER = b"x" * 1800
_FILE = b"x" * 1500

_NEWEST = (
    "SELECT sha256 FROM tuf_files WHERE gun = %s AND role = 'timestamp' "
    "ORDER BY version DESC LIMIT 1"
)
_LOCK = (
    "SELECT version, sha256 FROM tuf_files "
    "WHERE gun = %s AND role = 'timestamp' AND version >= %s FOR UPDATE"
)
_FILES = (
    "INSERT INTO tuf_files (created_at, updated_at, gun, role, version, data, sha256) VALUES "
    + ", ".join(["(NOW(), NOW(), %s, %s, %s, %s, %s)"] * 3)
)
_CHANGE = (
    "INSERT INTO changefeed (created_at, gun, version, sha256, category) "
    "VALUES (NOW(), %s, %s, %s, 'update')"
)


@attrs.frozen
class Floor:
    """What something takes.

    Attributes:
        title: what it is.
        processor: microseconds of a processor, of this process alone.
        passed: microseconds until it is done.
    """

    title: str
    processor: float
    passed: float


class _Watch:
    """Adds up what is done while it runs."""

    def __init__(self) -> None:
        self.processor = self.passed = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        processor, passed = time.thread_time(), time.perf_counter()
        yield
        self.processor += time.thread_time() - processor
        self.passed += time.perf_counter() - passed


def measure(title: str, times: int, work: Callable[[_Watch], object]) -> Floor:
    """Do something many times, and take the median of a few rounds.

    Args:
        title: what it is.
        times: how often in each round.
        work: does it, while it has the watch run.
    """
    watches = []
    for _ in range(_ROUNDS):
        watch = _Watch()
        for _ in range(times):
            work(watch)
        watches.append(watch)
    processor, passed = (
        median(getattr(watch, which) for watch in watches) / times * 1e6
        for which in ("processor", "passed")
    )
    return Floor(title, processor, passed)


class _Tls:
    """Both ends of TLS connections; what the server's end does is measured."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self._clients = client_context()
        self.session: ssl.SSLSession | None = None

    def connect(self, watch: _Watch) -> tuple[ssl.SSLObject, ssl.SSLObject]:
        """Have a client connect, with the session if there is one, and return both ends."""
        up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = self._clients.wrap_bio(down, up, session=self.session)
        with watch.running():
            server = self._context.wrap_bio(up, down, server_side=True)
        _go_on(client)
        with watch.running():
            _go_on(server)
        _go_on(client)
        with watch.running():
            _go_on(server)
        return client, server

    def serve(self, watch: _Watch, client: ssl.SSLObject, server: ssl.SSLObject) -> None:
        """Have a client ask, and answer it."""
        client.write(_REQUEST)
        with watch.running():
            server.read()
            server.write(_ANSWER)
        client.read(len(_ANSWER))


def _go_on(end: ssl.SSLObject) -> None:
    with suppress(ssl.SSLWantReadError):
        end.do_handshake()


def of_tls(directory: Path) -> Iterator[Floor]:
    """What OpenSSL takes."""
    for name, pair in make_certificates(directory).items():
        context = FastServerContext(KeyPair(pair.certificate_file, pair.key_file), None).context()
        tls = _Tls(context)
        yield measure(f"TLS handshake, {name}, full", 100, tls.connect)
        client, server = tls.connect(_Watch())
        tls.serve(_Watch(), client, server)  # with which the ticket comes
        tls.session = client.session
        yield measure(f"TLS handshake, {name}, resumed", 100, tls.connect)
    yield measure(
        "TLS, a request and an answer of 1.8 KB",
        1000,
        lambda watch: tls.serve(watch, client, server),
    )


def of_keys() -> Iterator[Floor]:
    """What cryptography takes."""
    key = ec.generate_private_key(ec.SECP256R1())
    scheme = ec.ECDSA(hashes.SHA256())
    public, signature = key.public_key(), key.sign(_FILE, scheme)
    yield measure("ECDSA, a signature", 500, _timed(lambda: key.sign(_FILE, scheme)))
    yield measure(
        "ECDSA, a verification", 500, _timed(lambda: public.verify(signature, _FILE, scheme))
    )
    yield measure("sealing a key (PBKDF2)", 10, _timed(lambda: seal(bytes(121), "a passphrase")))


def of_database(engine: Engine) -> Iterator[Floor]:
    """What the driver and the database take, with nothing in between."""
    connection = engine.raw_connection()
    cursor = connection.cursor()
    versions = iter(range(1, 1_000_000))
    name = "registry.example.com/floors"

    def publish() -> None:
        version = next(versions)
        cursor.execute("BEGIN")
        cursor.execute(_LOCK, (name, version - 1))
        cursor.fetchall()
        roles = ("targets", "snapshot", "timestamp")
        cursor.execute(
            _FILES, [each for r in roles for each in (name, r, version, _FILE, f"{version:064}")]
        )
        cursor.execute(_CHANGE, (name, version, f"{version:064}"))
        cursor.execute("COMMIT")

    def newest() -> None:
        cursor.execute(_NEWEST, (name,))
        cursor.fetchall()

    yield measure("the five statements that store a publish", 100, _timed(publish))
    yield measure("the query of a newest timestamp", 500, _timed(newest))
    connection.close()


def _timed(work: Callable[[], object]) -> Callable[[_Watch], None]:
    def timed(watch: _Watch) -> None:
        with watch.running():
            work()

    return timed


def floors() -> list[Floor]:
    """Measure all, with a database of their own."""
    with tempfile.TemporaryDirectory(prefix="floors-") as directory, installed() as mariadb:
        mariadb.start()
        storage = plan_pair(Path(directory), databases=mariadb).server["storage"]
        engine = create_engine_for(engine_url(storage["backend"], storage["db_url"]))
        found = [*of_tls(Path(directory)), *of_keys(), *of_database(engine)]
        engine.dispose()
        return found


def floors_table(found: Sequence[Floor]) -> str:
    """What each takes."""
    lines = [[each.title, number(each.processor), number(each.passed)] for each in found]
    return f"{table(['what', 'of a processor, µs', 'until it is done, µs'], lines)}\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, and write ``floors.inc`` into a directory."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.floors", description=__doc__)
    parser.add_argument("--output", type=Path, metavar="DIRECTORY", required=True)
    output: Path = parser.parse_args(arguments).output
    output.mkdir(parents=True, exist_ok=True)
    (output / "floors.inc").write_text(floors_table(floors()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
