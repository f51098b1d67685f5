"""``notary-signer -check``: everything that the signer needs, looked at without serving."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

import attrs
from sqlalchemy import Engine
from twisted.internet.threads import deferToThreadPool

from notary.check.addresses import check_address
from notary.check.certificates import SERVER
from notary.check.configuration import check_configuration
from notary.check.database import Needs, check_database, check_database_files
from notary.check.files import check_secret, check_shown, check_trusted
from notary.check.findings import Finding, error, ok
from notary.check.running import Check, together
from notary.config import read_signer_config
from notary.config.sections import Storage
from notary.config.signer import KeyStorage, Signer
from notary.signer.passphrases import PassphraseError, Passphrases, variable
from notary.signer.process import ProtectionError, protect_memory
from notary.signer.vault import LockedKeyError, open_sealed
from notary.storage.bootstrap import SIGNER
from notary.storage.keys.aliases import AliasUse, alias_uses
from notary.storage.keys.schema import private_keys
from notary.tls import KeyPair

NAME = "notary-signer"

_NEEDS = Needs(
    SIGNER,
    {private_keys: ("SELECT", "INSERT", "UPDATE", "DELETE")},
    dispensable={
        "UPDATE": "so that it cannot be noted which keys have signed, and keys cannot be deleted",
        "DELETE": "which is not needed yet",
    },
)


async def check(
    path: str, environ: Mapping[str, str], directory: Path, reactor: Any
) -> Sequence[Finding]:
    """Look at everything that a signer with this configuration needs.

    Args:
        path: the configuration file.
        environ: environment variables.
        directory: where relative paths of files with passphrases begin.
        reactor: connects and tells the time.
    """
    reading = read_signer_config(path, environ)
    now = datetime.now(timezone.utc)
    sections = reading.sections
    passphrases = Passphrases(environ, directory)
    return [
        *check_configuration(reading),
        *_check_memory(),
        *check_files(sections, now),
        *_addresses(sections.get("server")),
        *_check_alias(sections.get("storage"), passphrases),
        *await together(reactor, _connections(sections, passphrases, reactor)),
    ]


def check_files(sections: Mapping[str, Any], now: datetime) -> list[Finding]:
    """Judge the certificates and keys that the sections of a configuration name."""
    storage: Storage | None = sections.get("storage")
    return [
        *_check_door(sections.get("server"), now),
        *(check_database_files(storage, now) if storage is not None else ()),
    ]


def _connections(
    sections: Mapping[str, Any], passphrases: Passphrases, reactor: Any
) -> Iterator[tuple[str, Check]]:
    storage: Storage | None = sections.get("storage")
    if storage is not None:
        server: Signer | None = sections.get("server")
        needs = attrs.evolve(
            _NEEDS,
            look=partial(check_keys, passphrases),
            workers=server.workers if server is not None else 1,
        )
        yield "storage.db_url", _in_thread(reactor, storage, needs)


async def _in_thread(reactor: Any, storage: Storage, needs: Needs) -> Sequence[Finding]:
    return await deferToThreadPool(reactor, reactor.getThreadPool(), check_database, storage, needs)


def _check_memory() -> Iterator[Finding]:
    try:
        protect_memory()
    except ProtectionError as problem:
        yield error(
            "-debug",
            f"the memory of the process cannot be protected: {problem}; -debug does without that",
        )


def _check_door(server: Signer | None, now: datetime) -> Iterator[Finding]:
    if server is None:
        return
    pair = KeyPair(server.tls_cert_file, server.tls_key_file)
    yield from check_shown("server.tls_cert_file", "server.tls_key_file", pair, SERVER, now)
    if server.client_ca_file is None:
        yield error(
            "server.client_ca_file",
            f"is not set: whoever reaches {server.grpc_addr} may have anything signed; set it to "
            "the authority that signs the servers' certificates",
        )
    yield from check_trusted("server.client_ca_file", server.client_ca_file, now)


def _addresses(server: Signer | None) -> Iterator[Finding]:
    if server is not None:
        for name in ("grpc_addr", "metrics_addr", "debug_addr"):
            address = getattr(server, name)
            yield from check_address(f"server.{name}", address, NAME, reuse=server.reuse_port)


def _check_alias(storage: KeyStorage | None, passphrases: Passphrases) -> Iterator[Finding]:
    if storage is None or storage.backend == "memory":
        return
    alias = storage.default_alias
    try:
        passphrases.passphrase(alias)
    except PassphraseError as problem:
        yield error("storage.default_alias", str(problem))
        return
    yield ok("storage.default_alias", f"new keys are encrypted under the alias {alias!r}")
    file = passphrases.file(alias)
    if file is not None:
        yield from check_secret(f"{variable(alias)}_FILE", file)


def check_keys(passphrases: Passphrases, engine: Engine) -> list[Finding]:
    """Open the newest key of each alias that stored keys name. Blocks."""
    return [_check_use(passphrases, use) for use in alias_uses(engine)]


def _check_use(passphrases: Passphrases, use: AliasUse) -> Finding:
    subject = variable(use.alias)
    keys = "1 key is" if use.keys == 1 else f"{use.keys} keys are"
    what = f"{keys} encrypted under the alias {use.alias!r}"
    try:
        open_sealed(use.sample, passphrases)
    except LockedKeyError as problem:
        return error(
            subject,
            f"{what}, and the newest does not open: {problem}; give the signer the passphrase that "
            "they were encrypted with, and new ones an alias of their own",
        )
    return ok(subject, f"{what}; the newest opens")
