"""What set-ups have around them: certificates, databases and signers, all in order."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import attrs

from notary.storage.bootstrap import Migrations
from notary.storage.certificates import NO_CERTIFICATES
from notary.storage.opening import DatabaseSettings, bootstrap_database
from tests.support.authority import Identity, make_identity
from tests.support.daemons import (
    ALIAS,
    OUR_SIGNER,
    REFERENCE_SIGNER,
    find_program,
    free_port,
    signing_config,
)
from tests.support.mariadb import MariaDB

DAYS = 300
"""So long are certificates valid with which nothing is wrong."""


@attrs.frozen
class World:
    """What set-ups have around them.

    Attributes:
        directory: holds all files.
        mariadb: a database server that runs.
        root: signs all certificates but those of `other`.
        server: of the server, which shows it to clients and to the signer.
        signer: of the signers.
        other: an authority that nobody knows.
        ports: of what runs, by name.
    """

    directory: Path
    mariadb: MariaDB
    root: Identity
    server: Identity
    signer: Identity
    other: Identity
    ports: dict[str, int]

    def make_identity(self, name: str, issuer: Identity | None = None, **how: Any) -> Identity:
        """Make a certificate whose key nobody else can read."""
        how = {"days": DAYS, **how}
        identity = make_identity(self.directory, name, issuer or self.root, **how)
        identity.key_file.chmod(0o600)
        return identity

    def make_database(self, migrations: Migrations | None) -> tuple[str, str]:
        """Make a database, with tables if there are migrations; returns its name and DSN."""
        database = self.mariadb.create_database()
        if migrations is not None:
            settings = DatabaseSettings("mysql", database.dsn, NO_CERTIFICATES)
            bootstrap_database(settings, migrations)
        return database.name, database.dsn

    def server_config(self, port: int) -> dict[str, Any]:
        """Return the configuration of a server that is in order."""
        return {
            "server": {"http_addr": f"127.0.0.1:{port}", **_door(self.server)},
            "trust_service": {
                "type": "remote",
                "hostname": "localhost",
                "port": self.ports["signer"],
                "key_algorithm": "ecdsa",
                "tls_ca_file": str(self.root.certificate_file),
                "tls_client_cert": str(self.server.certificate_file),
                "tls_client_key": str(self.server.key_file),
            },
            "storage": {"backend": "sqlite3", "db_url": f"server-{port}.db"},
            "logging": {"level": "warning"},
        }

    def signer_config(self, port: int, identity: Identity | None = None) -> dict[str, Any]:
        """Return the configuration of a signer that is in order."""
        return {
            "server": {
                "grpc_addr": f"127.0.0.1:{port}",
                **_door(identity or self.signer),
                "client_ca_file": str(self.root.certificate_file),
            },
            "storage": {
                "backend": "sqlite3",
                "db_url": f"signer-{port}.db",
                "default_alias": ALIAS,
            },
            "logging": {"level": "warning"},
        }


def _door(identity: Identity) -> dict[str, str]:
    return {
        "tls_cert_file": str(identity.certificate_file),
        "tls_key_file": str(identity.key_file),
    }


@contextmanager
def running_world(directory: Path, mariadb: MariaDB) -> Iterator[World]:
    """Make a world, with a good signer, some that are not, and a Go signer."""
    root = make_identity(directory, "root-ca", is_ca=True, days=DAYS)
    names = ("signer", "expired-signer", "sick-signer", "go-signer")
    ports = {name: free_port() for name in (*names, "nobody")}
    world = World(
        directory,
        mariadb,
        root,
        make_identity(directory, "server", root, days=DAYS),
        make_identity(directory, "signer", root, days=DAYS),
        make_identity(directory, "other-ca", is_ca=True, days=DAYS),
        {**ports, "database": mariadb.port},
    )
    for identity in (world.server, world.signer):
        identity.key_file.chmod(0o600)
    configs = {name: world.signer_config(ports[name]) for name in names}
    expired = world.make_identity("expired-signer", expired=True)
    configs["expired-signer"] = world.signer_config(ports["expired-signer"], expired)
    configs["sick-signer"]["storage"] |= {
        "backend": "mysql",
        "db_url": f"notary:secret@tcp(127.0.0.1:{ports['nobody']})/notary",
    }
    configs["go-signer"]["storage"] = {"backend": "memory"}
    with ExitStack() as stack:
        for name in names:
            is_go = name == "go-signer"
            program = find_program(REFERENCE_SIGNER, "notary") if is_go else OUR_SIGNER
            place = directory / name
            place.mkdir()
            stack.enter_context(signing_config(program, place, configs[name], ports[name]))
        yield world


def copy_of(file: Path, name: str, mode: int = 0o600) -> Path:
    """Copy a file beside itself."""
    copy = file.with_name(name)
    shutil.copyfile(file, copy)
    copy.chmod(mode)
    return copy
