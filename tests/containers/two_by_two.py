"""Two servers and two signers: what stops is not noticed, and the cache tells nothing old."""

from __future__ import annotations

import base64
import json
import tempfile
import threading
import time
import unittest
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.containers.client import Client
from tests.containers.stack import Stack, get, report, run, wait_until

CLIENTS = 3
GUN = "example.com/cached"
BASE = f"/v2/{GUN}/_trust/tuf"


class Publishers:
    """Clients that publish all the time, each to a collection of its own.

    Attributes:
        published: how many publishes succeeded.
        failures: what the others said.
    """

    def __init__(self, directory: Path) -> None:
        self.published = 0
        self.failures: list[str] = []
        self._ending = threading.Event()
        self._threads = []
        for number in range(CLIENTS):
            client, gun = Client(directory / str(number)), f"example.com/publisher-{number}"
            if not client.directory.exists():
                client.init(gun)
            self._threads.append(threading.Thread(target=self._publish, args=(client, gun)))

    def _publish(self, client: Client, gun: str) -> None:
        number = time.monotonic_ns()
        while not self._ending.is_set():
            number += 1
            try:
                client.run("add", gun, f"v{number}", __file__)
                client.run("publish", gun)
                self.published += 1
            except AssertionError as error:
                self.failures.append(str(error))

    @contextmanager
    def at_work(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            wait_until("they publish", lambda: self.published >= CLIENTS)
            yield
            enough = self.published + 2 * CLIENTS
            wait_until("they go on", lambda: self.published + len(self.failures) >= enough)
        finally:
            self._ending.set()
            for thread in self._threads:
                thread.join()


class TwoByTwoTests(unittest.TestCase):
    """The tests run in the order of their names."""

    stack: Stack
    directory: Path

    @classmethod
    def setUpClass(cls) -> None:
        cls.stack = Stack("two")
        cls.stack.down("--volumes")
        directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(directory.cleanup)
        cls.addClassCleanup(cls.stack.down, "--volumes")
        cls.directory = Path(directory.name)
        report(f"started within {cls.stack.up():.1f} s")
        wait_until("the balancer has found a server", lambda: get("/v2/")[0] == 200)

    def _stop(self, service: str) -> None:
        publishers = Publishers(self.directory)
        with publishers.at_work():
            stopped = self.stack.containers(service)[1]["Name"].strip("/")
            began = time.monotonic()
            run("docker", "stop", stopped)
            report(f"stopped {stopped} within {time.monotonic() - began:.1f} s")
        run("docker", "start", stopped)
        self.stack.up()
        report(f"{publishers.published} publishes, {len(publishers.failures)} failed")
        assert publishers.failures == []

    def _kill(self, service: str) -> None:
        publishers = Publishers(self.directory)
        with publishers.at_work():
            self.stack.crash(self.stack.containers(service)[0])
        self.stack.up()
        report(f"{publishers.published} publishes, {len(publishers.failures)} failed")
        # Only what was under way on the one that was killed.
        assert len(publishers.failures) <= CLIENTS, publishers.failures

    def test_a_server_is_stopped(self) -> None:
        self._stop("server")

    def test_a_signer_is_stopped(self) -> None:
        self._stop("signer")

    def test_a_server_is_killed(self) -> None:
        self._kill("server")

    def test_a_signer_is_killed(self) -> None:
        self._kill("signer")

    def test_the_cache(self) -> None:
        client = Client(self.directory / "cached")
        client.init(GUN)
        client.publish(GUN, "v1")
        timestamp = json.loads(get(f"{BASE}/timestamp.json")[2])["signed"]
        checksum = base64.b64decode(timestamp["meta"]["snapshot"]["hashes"]["sha256"]).hex()
        immutable = [f"{BASE}/snapshot.{checksum}.json", f"{BASE}/1.root.json"]
        for path in immutable:
            first, again = get(path), get(path)
            assert (first[0], again[0]) == (200, 200), path
            assert again[1]["X-Cache"] == "HIT", path
            assert first[2] == again[2]
        for number in range(2, 5):
            before = {role: get(f"{BASE}/{role}.json")[2] for role in ("root", "timestamp")}
            client.publish(GUN, f"v{number}")
            if number == 4:
                client.run("key", "rotate", GUN, "targets")
            for role, old in before.items():
                status, headers, new = get(f"{BASE}/{role}.json")
                assert status == 200
                assert headers["X-Cache"] != "HIT", role
                changed = role == "timestamp" or number == 4
                assert (new != old) == changed, f"{role} after {number} publishes"
        for path in immutable:
            assert get(path)[1]["X-Cache"] == "HIT"
        assert get(f"{BASE}/9.root.json")[0] == 404
        assert get("/metrics")[0] == 404

    def test_the_log_tells_who_asked(self) -> None:
        get("/v2/?who")
        (line,) = (line for line in self.stack.logs("server").splitlines() if "/v2/?who" in line)
        logged = json.loads(line[line.index("{") :])["http.request.remoteaddr"]
        (network,) = json.loads(run("docker", "network", "inspect", "notary-tests_outside"))
        assert logged == network["IPAM"]["Config"][0]["Gateway"], logged


if __name__ == "__main__":
    unittest.main(verbosity=2)
