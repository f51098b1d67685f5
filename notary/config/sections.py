"""The sections that the server and the signer have in common.

A rule over several keys stands at the last of them, so that its message names a key and the other
rules of the section are still judged.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from notary.config.schema import KeyPath
from notary.config.values import (
    Flag,
    Integer,
    ListenAddress,
    LoopbackAddress,
    ReadableFile,
    Text,
    resolve,
)

RETHINKDB_KEYS: dict[KeyPath, str] = {
    ("storage", key): "belongs to RethinkDB, which is not supported"
    for key in ("database", "username", "password")
}
"""Keys of the Go daemons' files that have no effect."""

_LEVEL_ALIASES = {"warn": "warning", "trace": "debug"}


class Section(BaseModel):
    """A map of the configuration. A field that ``repr`` leaves out is a secret."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        validate_default=True,
        arbitrary_types_allowed=True,
    )


class Config(Section):
    """The whole configuration of a daemon."""

    _warnings: tuple[str, ...] = PrivateAttr(())

    @property
    def warnings(self) -> tuple[str, ...]:
        """One line for each configured thing that has no effect, to be logged at the start."""
        return self._warnings


def check_pair(key: Path | None, info: ValidationInfo[Any], certificate: str, name: str) -> None:
    """Demand that a certificate and its key are both set, or neither.

    Args:
        key: The key's path, if it is set.
        info: What is known of the section so far.
        certificate: The field of the certificate.
        name: The certificate's key path, for the message.

    Raises:
        ValueError: if only one of the two is set.
    """
    if certificate not in info.data:
        return
    if key is None and info.data[certificate] is not None:
        raise ValueError(f"is not set although {name} is: set either both or neither")
    if key is not None and info.data[certificate] is None:
        raise ValueError(f"is set although {name} is not: set either both or neither")


DEBUG_ADDRESS = ListenAddress("localhost", 8080)
"""Where the Go daemons have their debug server."""


class TlsServer(Section):
    """The certificate a daemon shows and the clients it accepts."""

    tls_cert_file: ReadableFile | None = Field(
        default=None,
        description="Certificate of the daemon in PEM, followed by its intermediate certificates.",
        examples=["../fixtures/notary-server.crt"],
    )
    tls_key_file: ReadableFile | None = Field(
        default=None,
        description="Private key of that certificate in PEM.",
        examples=["../fixtures/notary-server.key"],
    )
    client_ca_file: ReadableFile | None = Field(
        default=None,
        description="Certificate authorities in PEM. When set, every client has to show one of "
        "these certificates, or one that one of them signed.",
        examples=["../fixtures/root-ca.crt"],
    )
    reuse_port: Flag = Field(
        default=False,
        description="Let several processes listen on the same port (SO_REUSEPORT); the kernel "
        "spreads the connections over them.",
        examples=[True],
    )
    workers: Annotated[Integer, Field(ge=1, le=64)] = Field(
        default=1,
        description="Processes that serve, each with database connections, caches and memory of "
        "its own. With more than 1, another one starts them, watches them and starts them again; "
        "the state then has to be in a database.",
        examples=[4],
    )
    debug_addr: LoopbackAddress | None = Field(
        default=None,
        description="Address of the debug server, which only this machine may reach: "
        "'localhost:PORT', '127.0.0.1:PORT' or '[::1]:PORT'. When not set, there is none, but "
        "with the flag -debug on 'localhost:8080'.",
        examples=["localhost:8080"],
    )

    def debug_address(self, wanted: bool) -> ListenAddress | None:
        """Return where the debug server listens; None if there is none.

        Args:
            wanted: whether the command line asks for one.
        """
        return self.debug_addr or (DEBUG_ADDRESS if wanted else None)

    @field_validator("tls_key_file")
    @classmethod
    def _needs_certificate(cls, key: Path | None, info: ValidationInfo[Any]) -> Path | None:
        check_pair(key, info, "tls_cert_file", "server.tls_cert_file")
        return key

    @field_validator("client_ca_file")
    @classmethod
    def _needs_tls(cls, ca: Path | None, info: ValidationInfo[Any]) -> Path | None:
        pair = (info.data.get("tls_cert_file", ca), info.data.get("tls_key_file", ca))
        if ca is not None and pair == (None, None):
            raise ValueError(
                "asks for client certificates, which needs TLS: "
                "set server.tls_cert_file and server.tls_key_file too"
            )
        return ca


def _refuse_rethinkdb(backend: object) -> object:
    if backend == "rethinkdb":
        raise ValueError(
            "is not supported: use 'mysql', 'postgres' or 'sqlite3' and publish the "
            "collections again"
        )
    return backend


class Storage(Section):
    """The store of a daemon."""

    backend: Annotated[
        Literal["mysql", "postgres", "sqlite3", "memory"], BeforeValidator(_refuse_rethinkdb)
    ] = Field(
        description="The kind of store. What 'memory' holds is gone when the daemon ends.",
        examples=["mysql"],
    )
    db_url: Text = Field(
        default="",
        repr=False,
        description="Where the store is; required unless the backend is 'memory'. For 'mysql' a "
        "data source name as the Go driver writes it, for 'postgres' a URL, for 'sqlite3' the "
        "path of the database file. The value is never shown in messages.",
        examples=["user:password@tcp(mysql:3306)/database?parseTime=true"],
    )

    @field_validator("db_url")
    @classmethod
    def _fits_backend(cls, db_url: str, info: ValidationInfo[Any]) -> str:
        backend = info.data.get("backend", "memory")
        if backend == "memory":
            return db_url
        if not db_url:
            raise ValueError(f"is required by storage.backend {backend!r}")
        return _sqlite_path(db_url, info) if backend == "sqlite3" else db_url

    db_password_file: ReadableFile | None = Field(
        default=None,
        description="A file that holds the password of the user in db_url, which then holds none. "
        "For 'mysql' and 'postgres'.",
        examples=["/run/secrets/db-password"],
    )
    tls_ca_file: ReadableFile | None = Field(
        default=None,
        description="Certificate authorities in PEM that the certificate and the name of the "
        "database server are checked against; connections to it are then always encrypted. For "
        "'mysql' and 'postgres'.",
        examples=["../fixtures/root-ca.crt"],
    )
    client_cert_file: ReadableFile | None = Field(
        default=None,
        description="Certificate in PEM that the daemon shows to the database server. For 'mysql' "
        "and 'postgres'.",
        examples=["../fixtures/notary-server.crt"],
    )
    client_key_file: ReadableFile | None = Field(
        default=None,
        description="Private key of that certificate in PEM, unencrypted.",
        examples=["../fixtures/notary-server.key"],
    )

    @field_validator("client_key_file")
    @classmethod
    def _needs_certificate(cls, key: Path | None, info: ValidationInfo[Any]) -> Path | None:
        check_pair(key, info, "client_cert_file", "storage.client_cert_file")
        return key


def _sqlite_path(db_url: str, info: ValidationInfo[Any]) -> str:
    if db_url.startswith((":", "file:")) or "://" in db_url or "?" in db_url:
        raise ValueError(
            "is not the plain path of a database file, which storage.backend 'sqlite3' needs "
            "(no URL, no parameters; for a store in memory set storage.backend to 'memory')"
        )
    path = resolve(db_url, info)
    if path.is_dir():
        raise ValueError("names a directory, not a database file")
    if not path.parent.is_dir():
        raise ValueError("names a file in a directory that does not exist")
    return str(path)


def check_shared(storage: Storage, info: ValidationInfo[Any]) -> None:
    """Demand a store that several workers can share, if there are to be several.

    Raises:
        PydanticCustomError: the store is in the memory of one process.
    """
    server: TlsServer | None = info.data.get("server")
    if server is not None and server.workers > 1 and storage.backend == "memory":
        raise PydanticCustomError(
            "memory_of_one",
            "is the memory of one process, which the {workers} of server.workers would not share: "
            "use a database, or set server.workers to 1",
            {"key": "backend", "workers": server.workers},
        )


LogLevel = Literal["debug", "info", "warning", "error", "fatal", "panic"]


def _level_name(value: object) -> object:
    name = value.lower() if isinstance(value, str) else value
    return _LEVEL_ALIASES.get(name, name) if isinstance(name, str) else name


class Logging(Section):
    """What is logged."""

    level: Annotated[LogLevel, BeforeValidator(_level_name)] = Field(
        default="error",
        description="The least severe level that is logged. 'warn' is read as 'warning' and "
        "'trace' as 'debug'; case does not matter.",
        examples=["info"],
    )


class Bugsnag(Section):
    """Settings of the Bugsnag service. They are checked, and nothing is sent."""

    release_stage: Text = Field(
        default="",
        description="Name of the deployment. Accepted for files written for the Go daemons; no "
        "report is sent to Bugsnag.",
        examples=["production"],
    )
    endpoint: Text = Field(
        default="",
        description="Address of a Bugsnag service. Accepted for files written for the Go daemons; "
        "no report is sent to Bugsnag.",
        examples=["https://notify.example.com"],
    )
    api_key: Text = Field(
        default="",
        repr=False,
        description="Key of a Bugsnag project. Accepted for files written for the Go daemons; no "
        "report is sent to Bugsnag. The value is never shown in messages.",
        examples=["0123456789abcdef0123456789abcdef"],
    )

    @field_validator("api_key")
    @classmethod
    def _needed_by_others(cls, api_key: str, info: ValidationInfo[Any]) -> str:
        if not api_key and (info.data.get("release_stage") or info.data.get("endpoint")):
            raise ValueError("is required by the other keys of reporting.bugsnag")
        return api_key


class Reporting(Section):
    """Where failures are reported."""

    bugsnag: Bugsnag = Bugsnag()
