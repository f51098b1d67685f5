"""The tables that the Go daemons' migrations leave in a database, at each of their levels."""

from __future__ import annotations

from collections.abc import Iterator

import attrs
from sqlalchemy import Engine, text

GOLANG_MIGRATE = "golang-migrate"
MATTES_MIGRATE = "mattes-migrate"
"""The tools that ran the migrations, the second one for years before the first."""

LAST_LEVELS = {
    ("server", "mysql"): 5,
    ("server", "postgresql"): 2,
    ("signer", "mysql"): 2,
    ("signer", "postgresql"): 1,
}

_TYPES = {
    "mysql": {
        "id": "int(11) NOT NULL AUTO_INCREMENT PRIMARY KEY",
        "time": "timestamp NULL DEFAULT NULL",
        "now": "timestamp DEFAULT CURRENT_TIMESTAMP",
        "integer": "int(11)",
        "bytes": "blob",
        "data": "longblob",
        "last_used": "datetime NULL DEFAULT NULL",
        "end": ") ENGINE=InnoDB DEFAULT CHARSET=utf8",
    },
    "postgresql": {
        "id": "serial PRIMARY KEY",
        "time": "timestamp NULL DEFAULT NULL",
        "now": "timestamp DEFAULT CURRENT_TIMESTAMP",
        "integer": "integer",
        "bytes": "bytea",
        "data": "bytea",
        "last_used": "timestamp NULL DEFAULT NULL",
        "end": ")",
    },
}


@attrs.frozen
class GoLevel:
    """A level of a daemon's migrations on a database.

    Attributes:
        daemon: ``server`` or ``signer``.
        dialect: SQLAlchemy's name of the database.
        number: the level, from 1.
    """

    daemon: str
    dialect: str
    number: int

    def __str__(self) -> str:
        return f"{self.daemon}-{self.dialect}-{self.number}"

    @property
    def last(self) -> GoLevel:
        """The highest one of the same."""
        return attrs.evolve(self, number=LAST_LEVELS[self.daemon, self.dialect])

    @property
    def has_checksums(self) -> bool:
        return self.daemon == "server" and (self.dialect != "mysql" or self.number >= 3)

    @property
    def has_changefeed(self) -> bool:
        return self.daemon == "server" and self.number == self.last.number

    @property
    def has_names(self) -> bool:
        """Whether keys have a GUN and a role."""
        return self.daemon == "signer" and self.number == self.last.number

    @property
    def has_timestamp_keys(self) -> bool:
        return (self.daemon, self.dialect) == ("server", "mysql") and self.number < 4

    def statements(self) -> Iterator[str]:
        """What makes the tables."""
        parts = _server_tables(self) if self.daemon == "server" else _signer_tables(self)
        for statement in parts:
            yield statement.format(**_TYPES[self.dialect])


ALL_LEVELS = [
    GoLevel(daemon, dialect, number)
    for (daemon, dialect), last in LAST_LEVELS.items()
    for number in range(1, last + 1)
]


def create_go_tables(engine: Engine, level: GoLevel, tool: str | None = GOLANG_MIGRATE) -> None:
    """Make the tables in an empty database, and what the tool notes, if it is one."""
    with engine.begin() as connection:
        for statement in level.statements():
            connection.execute(text(statement))
    if tool is not None:
        note_go_level(engine, level.number, tool)


def note_go_level(engine: Engine, number: int, tool: str = GOLANG_MIGRATE) -> None:
    """Make the table in which a tool notes the level."""
    with engine.begin() as connection:
        if tool == GOLANG_MIGRATE:
            columns = "version bigint NOT NULL PRIMARY KEY, dirty boolean NOT NULL"
            rows = f"({number}, false)"
        else:
            columns = "version int NOT NULL PRIMARY KEY"
            rows = ", ".join(f"({version})" for version in range(1, number + 1))
        connection.execute(text(f"CREATE TABLE schema_migrations ({columns})"))
        connection.execute(text(f"INSERT INTO schema_migrations VALUES {rows}"))


_TIMES = "id {id}, created_at {time}, updated_at {time}, deleted_at {time}"


def _server_tables(level: GoLevel) -> Iterator[str]:
    is_mysql = level.dialect == "mysql"
    if level.has_timestamp_keys:
        role = ", role varchar(255) NOT NULL" if level.number == 2 else ""
        key = ", role" if role else ""
        yield (
            f"CREATE TABLE timestamp_keys ({_TIMES}, gun varchar(255) NOT NULL, "
            f"cipher varchar(50) NOT NULL, public {{bytes}} NOT NULL{role}, "
            f"UNIQUE (gun{key}) {{end}}"
        )
    checksum = ", sha256 char(64) DEFAULT NULL" if level.has_checksums else ""
    unique = "UNIQUE KEY gun" if is_mysql else "UNIQUE"
    yield (
        f"CREATE TABLE tuf_files ({_TIMES}, gun varchar(255) NOT NULL, "
        f"role varchar(255) NOT NULL, version {{integer}} NOT NULL, data {{data}} NOT NULL"
        f"{checksum}, {unique} (gun, role, version) {{end}}"
    )
    if level.has_checksums:
        index = "sha256" if is_mysql else "tuf_files_sha256_idx"
        yield f"CREATE INDEX {index} ON tuf_files (sha256)"
    if level.has_changefeed:
        yield "CREATE TABLE change_category (category varchar(20) NOT NULL PRIMARY KEY {end}"
        yield "INSERT INTO change_category VALUES ('update'), ('deletion')"
        yield (
            "CREATE TABLE changefeed (id {id}, created_at {now}, gun varchar(255) NOT NULL, "
            "version {integer} NOT NULL, sha256 char(64) DEFAULT NULL, "
            "category varchar(20) NOT NULL DEFAULT 'update', "
            "FOREIGN KEY (category) REFERENCES change_category (category) {end}"
        )
        yield "CREATE INDEX idx_changefeed_gun ON changefeed (gun)"


def _signer_tables(level: GoLevel) -> Iterator[str]:
    names = ", gun varchar(255) NOT NULL, role varchar(255) NOT NULL, last_used {last_used}"
    yield (
        f"CREATE TABLE private_keys ({_TIMES}, key_id varchar(255) NOT NULL, "
        "encryption_alg varchar(255) NOT NULL, keywrap_alg varchar(255) NOT NULL, "
        "algorithm varchar(50) NOT NULL, passphrase_alias varchar(50) NOT NULL, "
        f"public {{bytes}} NOT NULL, private {{bytes}} NOT NULL{names if level.has_names else ''}, "
        "CONSTRAINT key_id UNIQUE (key_id), CONSTRAINT key_id_2 UNIQUE (key_id, algorithm) {end}"
    )
