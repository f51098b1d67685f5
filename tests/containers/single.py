"""The sample of one command: does it work, is it closed, does it come back."""

from __future__ import annotations

import json
import os
import tempfile
import time
import unittest
from pathlib import Path

from tests.containers.client import Client
from tests.containers.stack import PROJECT, Stack, get, in_image, report, run, wait_until

OVERRIDES = os.environ.get("OVERRIDES", "").split()
GUN = "example.com/containers"


class SingleTests(unittest.TestCase):
    """The tests run in the order of their names, upon one another's collections."""

    stack: Stack
    client: Client

    @classmethod
    def setUpClass(cls) -> None:
        cls.stack = Stack(*OVERRIDES)
        cls.stack.down("--volumes")
        directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(directory.cleanup)
        cls.addClassCleanup(cls.stack.down, "--volumes")
        cls.client = Client(Path(directory.name))
        report(f"started, with a new database, within {cls.stack.up():.1f} s")

    @staticmethod
    def healthy() -> bool:
        return get("/_notary_server/health")[0] == 200

    def test_1_a_client_publishes_and_verifies(self) -> None:
        self.client.init(GUN)
        self.client.publish(GUN, "v1")
        assert self.client.targets(GUN) == {"v1"}
        assert "v1" in self.client.run("lookup", GUN, "v1")
        self.client.run("verify", GUN, "v1", "-i", PROJECT / "README.rst", "-q")
        wrong = ("verify", GUN, "v1", "-i", PROJECT / "LICENSE", "-q")
        assert self.client.call(*wrong).returncode != 0

    def test_2_only_the_server_can_be_reached(self) -> None:
        for service in ("signer", "database"):
            for container in self.stack.containers(service):
                assert not container["HostConfig"]["PortBindings"], service
                for name in container["NetworkSettings"]["Networks"]:
                    (network,) = json.loads(run("docker", "network", "inspect", name))
                    assert network["Internal"], f"{service} is in {name}"

    def test_2_daemons_can_do_little(self) -> None:
        for service in ("server", "signer"):
            (container,) = self.stack.containers(service)
            assert container["Config"]["User"] == "10001:10001"
            assert container["HostConfig"]["ReadonlyRootfs"]
            assert container["HostConfig"]["CapDrop"] == ["ALL"]
            assert not container["HostConfig"]["Privileged"]
            environment = "\n".join(container["Config"]["Env"])
            assert "a-public-sample" not in environment

    def test_2_daemons_find_their_set_up_in_order(self) -> None:
        for daemon in ("server", "signer"):
            done = self.stack.check(daemon)
            # Warnings are about the samples, which everybody can read, and missing encryption.
            assert done.returncode == 1, done.stdout + done.stderr
            assert "error" not in done.stdout, done.stdout

    @unittest.skipIf("postgres" in OVERRIDES, "speaks to MariaDB")
    def test_2_users_have_the_least_rights(self) -> None:
        for user, own, other in (
            ("server", "notaryserver.tuf_files", "notarysigner.private_keys"),
            ("signer", "notarysigner.private_keys", "notaryserver.tuf_files"),
        ):
            assert self.stack.database(user, f"SELECT 1 FROM {own}").returncode == 0
            for statement in (
                f"SELECT 1 FROM {other}",
                f"DROP TABLE {own}",
                f"CREATE TABLE {own}_2 (id int)",
                f"ALTER TABLE {own} ADD COLUMN x int",
            ):
                done = self.stack.database(user, statement)
                assert "denied" in done.stderr, f"{user}: {statement}"

    def test_3_images(self) -> None:
        for image in ("notary_server", "notary_signer"):
            size = int(run("docker", "image", "inspect", "--format={{.Size}}", image))
            base = int(
                run("docker", "image", "inspect", "--format={{.Size}}", "python:3.11-slim-bookworm")
            )
            report(f"{image}: {size / 1e6:.0f} MB, {(size - base) / 1e6:.0f} MB above its base")
            assert size - base < 150000000
            tools = in_image(image, "command -v cc gcc g++ clang make ld rustc git; true")
            assert tools == ""
            assert in_image(image, "id -u").strip() == "10001"
            assert in_image(image, "ls /opt/notary/bin/pip* 2>/dev/null; true") == ""
            # Nothing is owned or may be written by who runs it.
            found = in_image(image, "find / -xdev -type f -writable 2>/dev/null; true")
            assert found == ""

    def test_3_the_original_flags(self) -> None:
        for daemon in ("server", "signer"):
            version = run("docker", "run", "--rm", "--network=none", f"notary_{daemon}", "-version")
            assert version.startswith(f"notary-{daemon} ")
        config = PROJECT / "tests" / "containers" / "alone.json"
        container = run(
            *("docker", "run", "--detach", "--rm", "--read-only", "--cap-drop=ALL"),
            *("--network=none", "--volume"),
            f"{config}:/etc/docker/notary-server/config.json:ro",
            *("notary_server", "-config=/etc/docker/notary-server/config.json", "-logf=json"),
        ).strip()
        self.addCleanup(run, "docker", "rm", "--force", container)
        url = "http://localhost:4443/_notary_server/ready"

        def healthy() -> bool:
            try:
                run("docker", "exec", container, "notary-health", url)
            except AssertionError:
                return False
            return True

        wait_until("the server without TLS is ready", healthy)
        log = run("docker", "logs", container)
        assert "Traceback" not in log

    def test_4_everything_is_there_after_down_and_up(self) -> None:
        self.client.targets(GUN)
        keys = self.client.timestamp_keys(GUN)
        self.stack.down()
        report(f"started, with the database of before, within {self.stack.up():.1f} s")
        self.client.publish(GUN, "v2")
        assert self.client.targets(GUN) == {"v1", "v2"}
        assert self.client.timestamp_keys(GUN) == keys

    def test_5_the_database_is_killed(self) -> None:
        time.sleep(11)  # the engine restarts only what ran for so long
        restarts = self.stack.containers("server")[0]["RestartCount"]
        self.stack.crash(self.stack.containers("database")[0])
        wait_until(
            "the engine starts it again",
            lambda: self.stack.containers("database")[0]["RestartCount"] == 1,
        )
        report(f"served {wait_until('it serves again', self.healthy):.1f} s after a crash")
        self.client.publish(GUN, "v3")
        assert "v3" in self.client.targets(GUN)
        assert self.stack.containers("server")[0]["RestartCount"] == restarts

    def test_5_the_database_is_restarted(self) -> None:
        self.stack.compose("restart", "database")
        report(f"served {wait_until('it serves again', self.healthy):.1f} s after a restart")
        self.client.publish(GUN, "v4")
        assert "v4" in self.client.targets(GUN)

    def test_5_the_database_comes_late(self) -> None:
        # As after a crash of the machine, when the engine starts everything at once.
        started = {
            name: self.stack.containers(name)[0] for name in ("server", "signer", "database")
        }
        self.stack.compose("stop")
        for name in ("server", "signer"):
            run("docker", "start", started[name]["Id"])
        wait_until("it listens", lambda: get("/_notary_server/live")[0] == 200)
        time.sleep(5)
        status, _, body = get("/_notary_server/health")
        assert status == 503, body
        assert get("/_notary_server/live")[0] == 200
        run("docker", "start", started["database"]["Id"])
        report(f"served {wait_until('it serves', self.healthy):.1f} s after a late database began")
        self.client.publish(GUN, "v5")
        assert "v5" in self.client.targets(GUN)
        for service in ("server", "signer"):
            assert self.stack.containers(service)[0]["RestartCount"] == 0


if __name__ == "__main__":
    unittest.main(verbosity=2)
