"""Taking over the tables that the Go daemons made, from each of their levels."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from pytest_twisted import ensureDeferred
from sqlalchemy import Connection, Engine, Row, event, inspect, text
from twisted.internet.task import Clock

from notary.storage import transactions
from notary.storage.adoption import server
from notary.storage.bootstrap import SERVER, SIGNER, bootstrap, check_schema
from notary.storage.engines import create_engine_for
from notary.storage.interfaces import Change, NewFile, StoreUnavailableError
from notary.storage.keys.sql import SQLKeyStore
from notary.storage.schema import SchemaError
from notary.storage.sql import SQLMetadataStore
from notary.storage.threads import WorkerThreads
from tests.storage.keys.test_contract import sealed_key
from tests.support.go_tables import (
    ALL_LEVELS,
    GOLANG_MIGRATE,
    LAST_LEVELS,
    MATTES_MIGRATE,
    GoLevel,
    create_go_tables,
    note_go_level,
)
from tests.support.mariadb import MariaDB
from tests.support.postgres import Postgres, describe

MIGRATIONS = {"server": SERVER, "signer": SIGNER}
LAST = [level for level in ALL_LEVELS if level == level.last]
FIRST = [level for level in ALL_LEVELS if level.number == 1]

BEGIN = datetime(2016, 8, 1, 12)

FILES: list[dict[str, Any]] = [
    {
        "id": 3 * number + 1,
        # Later rows may be older, some of the same second.
        "created_at": BEGIN - timedelta(minutes=number // 2),
        "updated_at": BEGIN + timedelta(minutes=number),
        "deleted_at": BEGIN if number == 5 else None,
        "gun": f"registry.example.com/café/{number % 3}",
        "role": ("root", "timestamp", "targets", "targets/releases")[number % 4],
        "version": number,
        "data": bytes([number, 0, 255, 39]) * (1 + number * 100),
    }
    for number in range(25)
]
CHECKSUMS = {row["id"]: hashlib.sha256(row["data"]).hexdigest() for row in FILES}
CHANGES = [
    (row["created_at"], row["gun"], row["version"], CHECKSUMS[row["id"]], "update")
    for row in sorted(FILES, key=lambda row: (row["created_at"], row["id"]))
    if row["role"] == "timestamp"
]
OWN_CHANGES = [("2016-08-01 12:00:00", "a", 7, "ab" * 32, "update"), (None, "a", 0, "", "deletion")]
"""What the Go server noted itself, in its own order."""

OLD_KEY = sealed_key(1, gun="", role="")
NEW_KEY = sealed_key(2)


def parametrize(levels: list[GoLevel]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("level", levels, ids=str)


@pytest.fixture
def new_engine(request: pytest.FixtureRequest) -> Iterator[Callable[[str], Engine]]:
    """Makes engines for new and empty databases."""
    engines = []

    def make(dialect: str) -> Engine:
        fixture = {"mysql": "mariadb", "postgresql": "postgres"}[dialect]
        engines.append(create_engine_for(request.getfixturevalue(fixture).create_database().url))
        return engines[-1]

    yield make
    for engine in engines:
        engine.dispose()


@pytest.fixture
def engine(new_engine: Callable[[str], Engine], level: GoLevel) -> Engine:
    """An empty database that can be of the level."""
    return new_engine(level.dialect)


def fill(engine: Engine, level: GoLevel) -> None:
    """Put rows into tables of a level."""
    with engine.begin() as connection:
        if level.daemon == "signer":
            _insert_key(connection, OLD_KEY, level, used=False)
            _insert_key(connection, NEW_KEY, level, used=True)
            return
        for row in FILES:
            checksum = {"sha256": CHECKSUMS[row["id"]]} if level.has_checksums else {}
            _insert(connection, "tuf_files", {**row, **checksum})
        if level.dialect == "postgresql":
            connection.execute(text("SELECT setval('tuf_files_id_seq', max(id)) FROM tuf_files"))
        if level.has_timestamp_keys:
            key = {"gun": "a", "cipher": "ecdsa", "public": b"public"}
            _insert(connection, "timestamp_keys", key | ({"role": ""} if level.number == 2 else {}))
        if level.has_changefeed:
            for change in OWN_CHANGES:
                names = ("created_at", "gun", "version", "sha256", "category")
                _insert(connection, "changefeed", dict(zip(names, change, strict=True)))


def _insert_key(connection: Connection, key: Any, level: GoLevel, *, used: bool) -> None:
    names = ("key_id", "encryption_alg", "keywrap_alg", "algorithm", "passphrase_alias")
    row = {name: getattr(key, name) for name in (*names, "public", "private")}
    if level.has_names:
        row |= {"gun": key.gun, "role": key.role, "last_used": BEGIN if used else None}
    _insert(connection, "private_keys", {"created_at": BEGIN, "updated_at": BEGIN, **row})


def _insert(connection: Connection, table: str, row: dict[str, Any]) -> None:
    values = ", ".join(f":{name}" for name in row)
    connection.execute(text(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({values})"), row)


def rows(engine: Engine, table: str, columns: str = "*", order: str = "id") -> list[Row[Any]]:
    with engine.connect() as connection:
        return list(connection.execute(text(f"SELECT {columns} FROM {table} ORDER BY {order}")))


def contents(engine: Engine) -> dict[str, object]:
    """All rows, and on PostgreSQL which transaction wrote them last."""
    which = "*, xmin" if engine.dialect.name == "postgresql" else "*"
    return {name: rows(engine, name, which, "1") for name in inspect(engine).get_table_names()}


def definitions(engine: Engine) -> dict[str, list[str]]:
    """What makes up each table, in no order: columns, indexes, constraints, options."""
    found: dict[str, list[str]] = {}
    for name in inspect(engine).get_table_names():
        with engine.connect() as connection:
            if engine.dialect.name == "mysql":
                made = connection.execute(text(f"SHOW CREATE TABLE {name}")).one()[1]
                lines = made.split("\n")
                lines[-1] = " ".join(p for p in lines[-1].split() if "AUTO_INCREMENT" not in p)
                found[name] = sorted(line.strip(" ,") for line in lines)
            else:
                found[name] = describe(connection, name)
    return found


def adopted(engine: Engine, level: GoLevel, tool: str | None = GOLANG_MIGRATE) -> Engine:
    """Make tables of a level with rows in them, and take them over."""
    create_go_tables(engine, level, tool)
    fill(engine, level)
    bootstrap(engine, MIGRATIONS[level.daemon])
    return engine


def noted(engine: Engine) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in rows(engine, "schema_migrations", order="version")]


def expect_everything(engine: Engine, level: GoLevel) -> None:
    """Check the rows of tables that were taken over."""
    if level.daemon == "signer":
        expected = [
            (key.key_id, key.private, BEGIN, key.gun, key.role, used)
            if level.has_names
            else (key.key_id, key.private, BEGIN, "", "", None)
            for key, used in ((OLD_KEY, None), (NEW_KEY, BEGIN))
        ]
        columns = "key_id, private, updated_at, gun, role, last_used"
        assert rows(engine, "private_keys", columns) == expected
        return
    names = [*FILES[0], "sha256"]
    assert rows(engine, "tuf_files", ", ".join(names)) == [
        (*row.values(), CHECKSUMS[row["id"]]) for row in FILES
    ]
    changes = rows(engine, "changefeed", "created_at, gun, version, sha256, category")
    assert [row.category for row in rows(engine, "change_category", order="category")] == [
        "deletion",
        "update",
    ]
    if level.has_changefeed:
        assert [tuple(change)[1:3] for change in changes] == [c[1:3] for c in OWN_CHANGES]
    else:
        assert changes == CHANGES
    assert not inspect(engine).has_table("timestamp_keys")


@parametrize(ALL_LEVELS)
@pytest.mark.parametrize("tool", [GOLANG_MIGRATE, MATTES_MIGRATE, None])
def test_every_level_becomes_the_last(
    engine: Engine,
    new_engine: Callable[[str], Engine],
    level: GoLevel,
    tool: str | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "BATCH", 7)
    migrations = MIGRATIONS[level.daemon]
    create_go_tables(engine, level, tool)
    fill(engine, level)
    with pytest.raises(SchemaError, match=f"taken over yet: run {migrations.daemon} -bootstrap"):
        check_schema(engine, migrations)

    bootstrap(engine, migrations)
    check_schema(engine, migrations)
    expect_everything(engine, level)
    last = level.last.number
    if tool == GOLANG_MIGRATE:
        assert noted(engine) == [(last, False)]
    elif tool == MATTES_MIGRATE:
        assert noted(engine) == [(number,) for number in range(1, last + 1)]
    else:
        assert not inspect(engine).has_table("schema_migrations")
    other = definitions(adopted(new_engine(level.dialect), level.last, tool))
    for name, definition in definitions(engine).items():
        assert definition == other.pop(name)
    assert other == {}

    before = definitions(engine), contents(engine)
    bootstrap(engine, migrations)
    assert (definitions(engine), contents(engine)) == before


@parametrize(LAST)
def test_the_last_level_stays_as_it_is(engine: Engine, level: GoLevel) -> None:
    create_go_tables(engine, level)
    fill(engine, level)
    before = definitions(engine), contents(engine)
    bootstrap(engine, MIGRATIONS[level.daemon])
    after = definitions(engine), contents(engine)
    for name, definition in before[0].items():
        added = set(after[0][name]) - set(definition)
        assert set(definition) <= set(after[0][name])
        assert [line for line in added if "idx_private_keys_gun" not in line] == []
    assert {name: after[1][name] for name in before[1]} == before[1]


@parametrize(LAST)
def test_new_tables_have_the_same_columns(
    engine: Engine, new_engine: Callable[[str], Engine], level: GoLevel
) -> None:
    adopted(engine, level)
    fresh = new_engine(level.dialect)
    bootstrap(fresh, MIGRATIONS[level.daemon])

    def columns(engine: Engine) -> list[tuple[str, str, str, bool]]:
        return [
            (table, column["name"], column["type"].compile(engine.dialect), column["nullable"])
            for table in inspect(fresh).get_table_names()
            for column in inspect(engine).get_columns(table)
        ]

    def without_collation(rows: list[tuple[str, str, str, bool]]) -> list[tuple[Any, ...]]:
        return [(t, name, kind.split(" COLLATE")[0], null) for t, name, kind, null in rows]

    assert without_collation(columns(fresh)) == without_collation(columns(engine))


@parametrize(LAST)
def test_an_unfinished_migration_is_refused(engine: Engine, level: GoLevel) -> None:
    create_go_tables(engine, level)
    with engine.begin() as connection:
        connection.execute(text("UPDATE schema_migrations SET dirty = true"))
    before = definitions(engine), contents(engine)
    reason = f"migration {level.number} of the Go daemon was left unfinished.* force, and try again"
    with pytest.raises(SchemaError, match=reason):
        bootstrap(engine, MIGRATIONS[level.daemon])
    assert (definitions(engine), contents(engine)) == before


@parametrize(LAST)
@pytest.mark.parametrize("tool", [GOLANG_MIGRATE, MATTES_MIGRATE])
def test_a_higher_level_is_refused(engine: Engine, level: GoLevel, tool: str) -> None:
    create_go_tables(engine, level, tool=None)
    note_go_level(engine, level.number + 1, tool)
    before = definitions(engine), contents(engine)
    reason = f"of level {level.number + 1} .* only those up to {level.number} are known"
    with pytest.raises(SchemaError, match=reason):
        bootstrap(engine, MIGRATIONS[level.daemon])
    assert (definitions(engine), contents(engine)) == before


class InterruptionError(Exception):
    """Stands for the end of the process."""


@parametrize(FIRST)
def test_an_interrupted_run_is_completed(
    new_engine: Callable[[str], Engine], level: GoLevel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever of the statements that change something was the first that it did not get to."""
    monkeypatch.setattr(server, "BATCH", 10)
    migrations = MIGRATIONS[level.daemon]
    expected = definitions(adopted(new_engine(level.dialect), level))
    count = interruptions = 0
    while interruptions == count:
        engine = new_engine(level.dialect)
        create_go_tables(engine, level)
        fill(engine, level)
        count = 0

        @event.listens_for(engine, "before_cursor_execute")
        def interrupt(_c: object, _cursor: object, statement: str, *_: object) -> None:
            nonlocal count
            if statement.lstrip().startswith(
                ("ALTER", "CREATE", "DROP", "RENAME", "INSERT", "UPDATE")
            ):
                count += 1
                if count > interruptions:  # noqa: B023
                    raise InterruptionError

        try:
            bootstrap(engine, migrations)
        except InterruptionError:
            with pytest.raises(SchemaError, match="-bootstrap"):
                check_schema(engine, migrations)
            interruptions += 1
            count = interruptions
        else:
            interruptions += 1
        event.remove(engine, "before_cursor_execute", interrupt)
        bootstrap(engine, migrations)
        expect_everything(engine, level)
        assert definitions(engine) == expected
        assert noted(engine) == [(level.last.number, False)]
        engine.dispose()
    assert interruptions > 3


@parametrize(FIRST)
def test_runs_at_the_same_time_wait_for_each_other(engine: Engine, level: GoLevel) -> None:
    create_go_tables(engine, level)
    fill(engine, level)
    engines = [create_engine_for(engine.url) for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(bootstrap, engines, [MIGRATIONS[level.daemon]] * 4))
    for each in engines:
        each.dispose()
    expect_everything(engine, level)


@pytest.mark.parametrize("dialect", ["mysql", "postgresql"])
def test_a_run_does_not_wait_for_ever(
    new_engine: Callable[[str], Engine], dialect: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transactions, "TURN_SECONDS", 1)
    engine = new_engine(dialect)
    reason = "another notary-server -bootstrap is at work in this database: try again"
    with transactions.alone(engine, "notary-server -bootstrap"):
        with pytest.raises(StoreUnavailableError, match=reason):
            bootstrap(engine, SERVER)
        bootstrap(engine, SIGNER)
        bootstrap(new_engine(dialect), SERVER)
    bootstrap(engine, SERVER)


@pytest.mark.parametrize("dialect", ["mysql", "postgresql"])
def test_rows_without_a_checksum_get_one(new_engine: Callable[[str], Engine], dialect: str) -> None:
    """Old servers may have written some while newer ones ran already."""
    engine, level = new_engine(dialect), GoLevel("server", dialect, 1).last
    create_go_tables(engine, level)
    fill(engine, level)
    with engine.begin() as connection:
        connection.execute(text("UPDATE tuf_files SET sha256 = NULL WHERE id IN (4, 10)"))
    bootstrap(engine, SERVER)
    expect_everything(engine, level)


@pytest.mark.parametrize("dialect", ["mysql", "postgresql"])
@pytest.mark.parametrize("first", ["server", "signer"])
def test_the_level_of_the_other_daemon_is_left_alone(
    new_engine: Callable[[str], Engine], dialect: str, first: str
) -> None:
    """Where both share a database, of which the Go daemons can note one level only."""
    engine = new_engine(dialect)
    last = GoLevel(first, dialect, 1).last
    adopted(engine, last)
    bootstrap(engine, MIGRATIONS[{"server": "signer", "signer": "server"}[first]])
    assert noted(engine) == [(last.number, False)]
    for migrations in MIGRATIONS.values():
        check_schema(engine, migrations)


@pytest.mark.parametrize("tool", [GOLANG_MIGRATE, MATTES_MIGRATE])
@pytest.mark.parametrize(("daemon", "dialect"), LAST_LEVELS)
def test_levels_without_tables_are_noted(
    new_engine: Callable[[str], Engine], daemon: str, dialect: str, tool: str
) -> None:
    """Of a tool that was run, but came to nothing."""
    engine, last = new_engine(dialect), LAST_LEVELS[daemon, dialect]
    note_go_level(engine, 1, tool)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM schema_migrations"))
    bootstrap(engine, MIGRATIONS[daemon])
    check_schema(engine, MIGRATIONS[daemon])
    assert [row[0] for row in noted(engine)][-1] == last


def test_a_table_that_only_has_the_name_of_an_old_one_stays(
    new_engine: Callable[[str], Engine],
) -> None:
    engine = new_engine("mysql")
    create_go_tables(engine, GoLevel("server", "mysql", 5))
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE timestamp_keys (id int)"))
    bootstrap(engine, SERVER)
    assert inspect(engine).has_table("timestamp_keys")


class TestWithoutTheRightToChangeTables:
    """What is asked of a running daemon's user: SELECT, INSERT, UPDATE, DELETE."""

    RIGHTS = "SELECT, INSERT, UPDATE, DELETE"

    @pytest.fixture(params=["mysql", "postgresql"])
    def dialect(self, request: pytest.FixtureRequest) -> str:
        dialect: str = request.param
        return dialect

    @pytest.fixture
    def restrict(self, request: pytest.FixtureRequest) -> Iterator[Callable[[Engine], Engine]]:
        """Turns an engine into one whose user has no other rights."""
        engines = []

        def restricted(engine: Engine) -> Engine:
            name = str(engine.url.database)
            url = engine.url
            if engine.dialect.name == "mysql":
                mariadb: MariaDB = request.getfixturevalue("mariadb")
                mariadb.grant(name, self.RIGHTS)
            else:
                postgres: Postgres = request.getfixturevalue("postgres")
                url = url.set(username=f"{name}_user")
                password = str(url.password).replace("'", "''")
                for statement in (
                    f"CREATE ROLE {name}_user LOGIN PASSWORD '{password}'",
                    f"GRANT {self.RIGHTS} ON ALL TABLES IN SCHEMA public TO {name}_user",
                    f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {name}_user",
                ):
                    postgres.execute(statement, name)
            engines.append(create_engine_for(url))
            with pytest.raises(StoreUnavailableError, match="denied"):
                bootstrap_something(engines[-1])
            return engines[-1]

        yield restricted
        for engine in engines:
            engine.dispose()

    @ensureDeferred
    async def test_the_server_works(
        self,
        new_engine: Callable[[str], Engine],
        restrict: Callable[[Engine], Engine],
        dialect: str,
        threads: WorkerThreads,
        clock: Clock,
    ) -> None:
        engine = restrict(adopted(new_engine(dialect), GoLevel("server", dialect, 1)))
        check_schema(engine, SERVER)
        store = SQLMetadataStore(engine, threads, clock)
        await store.check()
        old = next(row for row in FILES if row["role"] == "targets/releases")
        checksum = CHECKSUMS[old["id"]]
        found = await store.by_checksum(old["gun"], old["role"], checksum)
        assert (found.data, found.sha256) == (old["data"], checksum)
        found_by = await store.by_checksums(old["gun"], {old["role"]: checksum})
        assert found_by == {old["role"]: found}

        await store.publish("a", [NewFile("timestamp", 1, b"data")], None)
        await store.delete("a")
        changes = await store.changes("a", None, 9)
        assert [(c.version, c.category) for c in changes] == [(1, "update"), (0, "deletion")]
        assert [c.sha256 for c in changes] == [hashlib.sha256(b"data").hexdigest(), ""]

    @ensureDeferred
    async def test_the_signer_works(
        self,
        new_engine: Callable[[str], Engine],
        restrict: Callable[[Engine], Engine],
        dialect: str,
        threads: WorkerThreads,
        clock: Clock,
    ) -> None:
        engine = restrict(adopted(new_engine(dialect), GoLevel("signer", dialect, 1)))
        check_schema(engine, SIGNER)
        store = SQLKeyStore(engine, threads, clock)
        await store.check()
        assert (await store.by_id(OLD_KEY.key_id)) == OLD_KEY
        key = sealed_key(9)
        await store.add(key)
        assert list(await store.unused(key.gun, key.role, key.algorithm)) == [key]
        await store.mark_used(key.key_id)
        await store.delete(key.key_id)


def bootstrap_something(engine: Engine) -> None:
    """Try to make tables of another daemon."""
    there = inspect(engine).has_table("private_keys")
    bootstrap(engine, SERVER if there else SIGNER)


@ensureDeferred
async def test_deletions_of_the_go_server_have_no_checksum(
    new_engine: Callable[[str], Engine], threads: WorkerThreads, clock: Clock
) -> None:
    """Its column is padded with blanks by PostgreSQL."""
    engine = adopted(new_engine("postgresql"), GoLevel("server", "postgresql", 2))
    store = SQLMetadataStore(engine, threads, clock)
    _, deletion = await store.changes("a", None, 9)
    assert isinstance(deletion, Change)
    assert (deletion.category, deletion.sha256) == ("deletion", "")
