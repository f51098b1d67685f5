"""The configuration of notary-signer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationInfo, field_validator

from notary.config.load import Reading, load, read
from notary.config.schema import Schema
from notary.config.sections import (
    RETHINKDB_KEYS,
    Config,
    Logging,
    Reporting,
    Storage,
    TlsServer,
    check_shared,
)
from notary.config.values import Address, ListenOnly, ReadableFile, Text

PREFIX = "NOTARY_SIGNER"


class Signer(TlsServer):
    """The door for notary-servers, always with TLS."""

    grpc_addr: Address = Field(
        description="Address to listen on: ':PORT' for every interface, 'HOST:PORT' or "
        "'[IPv6]:PORT'; or 'systemd:domain=INET6:name=NAME' for a socket that systemd listens on. "
        "The name is the Go signer's; the protocol is notary-signer/1.",
        examples=[":7899"],
    )
    metrics_addr: ListenOnly | None = Field(
        default=None,
        description="Address of the health checks and metrics, in plain HTTP: ':PORT' for every "
        "interface, 'HOST:PORT' or '[IPv6]:PORT'. When not set, there are none.",
        examples=["127.0.0.1:7898"],
    )
    tls_cert_file: ReadableFile = Field(
        description="Certificate of the daemon in PEM, followed by its intermediate certificates.",
        examples=["../fixtures/notary-signer.crt"],
    )
    tls_key_file: ReadableFile = Field(
        description="Private key of that certificate in PEM.",
        examples=["../fixtures/notary-signer.key"],
    )


class KeyStorage(Storage):
    """Where the encrypted keys are."""

    default_alias: Annotated[Text, Field(max_length=50)] = Field(
        default="",
        description="Name of the passphrase that encrypts new keys; required unless the backend is "
        "'memory'. The passphrase of the alias 'a' is the value of NOTARY_SIGNER_A, or the content "
        "of the file that NOTARY_SIGNER_A_FILE names. NOTARY_SIGNER_DEFAULT_ALIAS stands in for "
        "this key.",
        examples=["timestamp_1"],
    )

    @field_validator("default_alias")
    @classmethod
    def _needed_to_encrypt(cls, alias: str, info: ValidationInfo[Any]) -> str:
        backend = info.data.get("backend", "memory")
        if not alias and backend != "memory":
            raise ValueError(f"is required by storage.backend {backend!r}")
        return alias


class SignerConfig(Config):
    """Everything that notary-signer can be told."""

    server: Signer
    storage: KeyStorage
    logging: Logging = Logging()
    reporting: Reporting = Reporting()

    @field_validator("storage")
    @classmethod
    def _shared_by_workers(cls, storage: KeyStorage, info: ValidationInfo[Any]) -> KeyStorage:
        check_shared(storage, info)
        return storage


SIGNER_SCHEMA = Schema.of(
    SignerConfig,
    prefix=PREFIX,
    no_effect={
        ("reporting", "bugsnag", "api_key"): "no report is sent to Bugsnag",
        ("server", "http_addr"): "belongs to notary-server",
        **RETHINKDB_KEYS,
    },
    stand_ins={f"{PREFIX}_DEFAULT_ALIAS": ("storage", "default_alias")},
    others_allowed=True,
)


def load_signer_config(path: str | Path, environ: Mapping[str, str]) -> SignerConfig:
    """Read the configuration of notary-signer.

    Args:
        path: The JSON file. Paths in it, and in the environment, are relative to its directory.
        environ: Environment variables; ``NOTARY_SIGNER_`` plus the upper-case path of a key joined
            by ``_`` overrides that key. An empty variable counts as not set. Other variables that
            begin like this may hold passphrases.

    Returns:
        The checked configuration; its ``warnings`` tell what has no effect.

    Raises:
        ConfigError: with all problems at once.
    """
    return load(SignerConfig, SIGNER_SCHEMA, path, environ)


def read_signer_config(path: str | Path, environ: Mapping[str, str]) -> Reading[SignerConfig]:
    """As `load_signer_config`, but return problems together with whatever is in order."""
    return read(SignerConfig, SIGNER_SCHEMA, path, environ)
