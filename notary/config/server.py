"""The configuration of notary-server."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
)
from pydantic_core import PydanticCustomError

from notary.config.load import Reading, load, read
from notary.config.schema import Schema
from notary.config.sections import (
    RETHINKDB_KEYS,
    Config,
    Logging,
    Reporting,
    Section,
    Storage,
    TlsServer,
    check_pair,
    check_shared,
)
from notary.config.values import Address, Flag, Host, Integer, Network, ReadableFile, Text

# RFC 9111 calls a year the longest time that makes sense.
MaxAge = Annotated[Integer, Field(ge=0, le=31_536_000)]

_TRUST_TYPE = (
    "Who holds the keys that sign snapshots and timestamps: 'remote' is a notary-signer, 'local' "
    "is this process, which then ignores the other keys of the section except ephemeral_keys."
)


def _clean_prefix(prefix: str) -> str:
    clean = posixpath.normpath(prefix.strip())
    if clean + "/" != prefix or clean.startswith(("/", "..")):
        raise ValueError("is not a clean relative path that ends in '/', such as 'docker.io/'")
    return prefix


class Server(TlsServer):
    """The HTTPS door."""

    http_addr: Address = Field(
        description="Address to listen on: ':PORT' for every interface, 'HOST:PORT' or "
        "'[IPv6]:PORT'; or 'systemd:domain=INET6:name=NAME' for a socket that systemd listens on. "
        "Without a certificate and key plain HTTP is served.",
        examples=[":4443"],
    )
    max_upload_bytes: Annotated[Integer, Field(ge=1024, le=2**31)] = Field(
        default=100 * 1024 * 1024,
        description="Bytes that one upload may have; a larger one is answered with status 413.",
        examples=[52428800],
    )
    trusted_proxies: tuple[Network, ...] = Field(
        default=(),
        description="IP addresses and networks of proxies in front of the server. Only their "
        "header X-Forwarded-For is believed, for the log.",
        examples=[["10.0.0.0/8", "::1"]],
    )


class LocalTrust(Section):
    """Keys of snapshots and timestamps are made and kept in this process; always Ed25519."""

    model_config = ConfigDict(extra="ignore")

    type: Literal["local"] = Field(description=_TRUST_TYPE, examples=["remote"])
    ephemeral_keys: Flag = Field(
        default=False,
        description="Allow the type 'local' over a store that outlives the process. At exit the "
        "keys are lost, and the collections that use them can no longer be updated.",
        examples=[True],
    )


class RemoteTrust(Section):
    """Keys of snapshots and timestamps are held by a notary-signer."""

    model_config = ConfigDict(extra="ignore")

    type: Literal["remote"] = Field(description=_TRUST_TYPE, examples=["remote"])
    hostname: Host = Field(
        description="Host name or IP address of the signer; required by the type 'remote'.",
        examples=["notarysigner"],
    )
    port: Annotated[Integer, Field(ge=1, le=65535)] = Field(
        description="TCP port of the signer; required by the type 'remote'.",
        examples=[7899],
    )
    key_algorithm: Literal["ecdsa", "rsa", "ed25519"] = Field(
        description="Algorithm of new keys; required by the type 'remote'.",
        examples=["ecdsa"],
    )
    timeout: Annotated[Integer, Field(ge=1, le=60)] = Field(
        default=5,
        description="Seconds that the signer may take for an answer; whoever waits for it is then "
        "answered with status 503.",
        examples=[2],
    )
    tls_ca_file: ReadableFile | None = Field(
        default=None,
        description="Certificate authorities in PEM that the signer's certificate is checked "
        "against. When not set, those of the operating system.",
        examples=["../fixtures/root-ca.crt"],
    )
    tls_client_cert: ReadableFile | None = Field(
        default=None,
        description="Certificate in PEM that the server shows to the signer.",
        examples=["../fixtures/notary-server.crt"],
    )
    tls_client_key: ReadableFile | None = Field(
        default=None,
        description="Private key of that certificate in PEM.",
        examples=["../fixtures/notary-server.key"],
    )

    @field_validator("tls_client_key")
    @classmethod
    def _needs_certificate(cls, key: Path | None, info: ValidationInfo[Any]) -> Path | None:
        check_pair(key, info, "tls_client_cert", "trust_service.tls_client_cert")
        return key


class TokenOptions(Section):
    """How access tokens are checked and where clients get them."""

    realm: Text = Field(
        description="URL of the token server, as told to clients.",
        examples=["https://auth.example.com/token"],
    )
    service: Text = Field(
        description="Name of this service; the audience of its tokens.",
        examples=["notary.example.com"],
    )
    issuer: Text = Field(
        description="Issuer that a token has to name.",
        examples=["auth.example.com"],
    )
    rootcertbundle: ReadableFile = Field(
        description="Certificates in PEM that the signature of a token is checked against.",
        examples=["token-ca.crt"],
    )
    autoredirect: Flag = Field(
        default=False,
        description="Send clients to the path /auth/token of the host they asked, in place of "
        "the realm.",
        examples=[True],
    )


class TokenAuth(Section):
    """Access by tokens, as the Docker registry does it."""

    type: Literal["token"] = Field(
        description="How access is controlled. When the whole section is missing, everybody may "
        "read and write. Each option of 'token' is required unless it has a default.",
        examples=["token"],
    )
    options: TokenOptions

    @field_validator("options", mode="wrap")
    @classmethod
    def _only_for_a_known_type(
        cls, value: object, handler: ValidatorFunctionWrapHandler, info: ValidationInfo[Any]
    ) -> TokenOptions:
        # Which options there are depends on the type, so a wrong type is told alone.
        if "type" not in info.data:
            return TokenOptions.model_construct()
        options: TokenOptions = handler(value)
        return options


class MaxAges(Section):
    """How long clients and proxies may keep metadata."""

    current_metadata: MaxAge = Field(
        default=300,
        description="Seconds that the newest file of a role may be cached; 0 forbids it.",
        examples=[60],
    )
    consistent_metadata: MaxAge = Field(
        default=2_592_000,
        description="Seconds that a file asked for by checksum or version may be cached; 0 "
        "forbids it.",
        examples=[31536000],
    )


class Caching(Section):
    """What is kept for the next request, here and elsewhere."""

    max_age: MaxAges = MaxAges()
    memory_bytes: Annotated[Integer, Field(ge=1024 * 1024, le=2**40)] = Field(
        default=64 * 1024 * 1024,
        description="Bytes of memory for files that were served, and for what is remembered of "
        "requests, so that the next ones take less time. What was not used for longest makes room.",
        examples=[268435456],
    )


class Repositories(Section):
    """Which collections may be published, and how."""

    gun_prefixes: tuple[Annotated[Text, AfterValidator(_clean_prefix)], ...] = Field(
        default=(),
        description="Only collections whose GUN starts with one of these are served; an empty "
        "list means all. Each is a clean relative path that ends in '/'.",
        examples=[["docker.io/", "registry.example.com/team/"]],
    )
    max_version_step: Annotated[Integer, Field(ge=1, le=2**31 - 2)] = Field(
        default=1000,
        description="How far the version of a role may be ahead of the stored one in one publish, "
        "so that nobody can use up the versions of a collection.",
        examples=[100],
    )


class ServerConfig(Config):
    """Everything that notary-server can be told."""

    server: Server
    storage: Storage
    trust_service: LocalTrust | RemoteTrust = Field(discriminator="type")
    auth: TokenAuth | None = None
    logging: Logging = Logging()
    reporting: Reporting = Reporting()
    caching: Caching = Caching()
    repositories: Repositories = Repositories()

    @field_validator("auth", mode="before")
    @classmethod
    def _absent_when_empty(cls, auth: object) -> object:
        return None if auth == {"options": {}} else auth

    @field_validator("storage")
    @classmethod
    def _shared_by_workers(cls, storage: Storage, info: ValidationInfo[Any]) -> Storage:
        check_shared(storage, info)
        return storage

    @field_validator("trust_service")
    @classmethod
    def _keys_shared_by_workers(
        cls, trust: LocalTrust | RemoteTrust, info: ValidationInfo[Any]
    ) -> LocalTrust | RemoteTrust:
        server = info.data.get("server")
        if isinstance(trust, LocalTrust) and server is not None and server.workers > 1:
            raise PydanticCustomError(
                "keys_of_one",
                "keeps its keys in the memory of one process, which the {workers} of "
                "server.workers would not share: use 'remote', or set server.workers to 1",
                {"key": "type", "workers": server.workers},
            )
        return trust

    @field_validator("trust_service")
    @classmethod
    def _keys_live_as_long_as_collections(
        cls, trust: LocalTrust | RemoteTrust, info: ValidationInfo[Any]
    ) -> LocalTrust | RemoteTrust:
        storage = info.data.get("storage")
        if (
            isinstance(trust, LocalTrust)
            and not trust.ephemeral_keys
            and storage is not None
            and storage.backend != "memory"
        ):
            raise PydanticCustomError(
                "local_trust",
                "loses its signing keys when the process ends, while storage.backend '{backend}' "
                "keeps the collections, which could then never be updated: use 'remote', or set "
                "storage.backend to 'memory', or accept the loss with "
                "trust_service.ephemeral_keys true",
                {"key": "type", "backend": storage.backend},
            )
        return trust


SERVER_SCHEMA = Schema.of(
    ServerConfig,
    prefix="NOTARY_SERVER",
    no_effect={
        ("reporting", "bugsnag", "api_key"): "no report is sent to Bugsnag",
        ("server", "grpc_addr"): "belongs to notary-signer",
        ("storage", "default_alias"): "belongs to notary-signer",
        **RETHINKDB_KEYS,
    },
)


def load_server_config(path: str | Path, environ: Mapping[str, str]) -> ServerConfig:
    """Read the configuration of notary-server.

    Args:
        path: The JSON file. Paths in it, and in the environment, are relative to its directory.
        environ: Environment variables; ``NOTARY_SERVER_`` plus the upper-case path of a key joined
            by ``_`` overrides that key. An empty variable counts as not set.

    Returns:
        The checked configuration; its ``warnings`` tell what has no effect.

    Raises:
        ConfigError: with all problems at once.
    """
    return load(ServerConfig, SERVER_SCHEMA, path, environ)


def read_server_config(path: str | Path, environ: Mapping[str, str]) -> Reading[ServerConfig]:
    """As `load_server_config`, but return problems together with whatever is in order."""
    return read(ServerConfig, SERVER_SCHEMA, path, environ)
