"""The sample with certificates, and passwords of one's own."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
import unittest
from pathlib import Path
from unittest.mock import patch

from tests.containers.client import Client
from tests.containers.stack import PROJECT, Stack

GUN = "example.com/own"
USER = 10001


@unittest.skipIf(os.geteuid(), "gives files to the user of the containers, which takes root")
class OwnFilesTests(unittest.TestCase):
    stack: Stack
    client: Client
    passwords: Path

    @classmethod
    def setUpClass(cls) -> None:
        temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(temporary.cleanup)
        directory = Path(temporary.name)
        directory.chmod(0o755)
        cls.passwords = directory / "secrets"
        shutil.copytree(PROJECT / "docker" / "secrets", cls.passwords)
        certificates = shutil.copytree(PROJECT / "fixtures", directory / "certificates")
        for file in (*cls.passwords.iterdir(), *certificates.glob("*.key")):
            if file.parent == cls.passwords:
                # That of root goes through the database's own image, whatever that makes of quotes.
                special = "" if file.name.startswith("root") else "'\"\\$`%s"
                file.write_text(f"{secrets.token_hex()}{special}\n")
            file.chmod(0o400)
            os.chown(file, USER, USER)
        variables = {
            "NOTARY_CERTIFICATES": str(certificates),
            "NOTARY_SECRETS": str(cls.passwords),
            "NOTARY_HOST": "notary-server",
        }
        setting = patch.dict(os.environ, variables)
        setting.start()
        cls.addClassCleanup(setting.stop)
        cls.stack = Stack()
        cls.stack.down("--volumes")
        cls.addClassCleanup(cls.stack.down, "--volumes")
        cls.stack.up()
        cls.client = Client(directory / "client")

    def test_1_they_are_used(self) -> None:
        self.client.init(GUN)
        self.client.publish(GUN, "v1")
        assert self.client.targets(GUN) == {"v1"}
        # Nothing is said of files that others could read.
        assert "chmod" not in self.stack.logs("server", "signer")

    def test_2_passwords_can_be_replaced(self) -> None:
        for user in ("owner", "server", "signer"):
            (self.passwords / f"{user}-db-password").write_text(secrets.token_hex())
        self.stack.up("--force-recreate")
        self.client.publish(GUN, "v2")
        assert self.client.targets(GUN) == {"v1", "v2"}
