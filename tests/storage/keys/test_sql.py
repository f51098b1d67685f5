"""What only a database shows of a key, and working on the table of the Go signer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import attrs
import pytest
from pymysql.constants import CR
from pymysql.err import OperationalError
from pytest_twisted import ensureDeferred
from sqlalchemy import Connection, Engine, Row, event, insert, text
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from notary.storage.bootstrap import SIGNER, bootstrap, check_schema
from notary.storage.dsn import engine_url
from notary.storage.engines import create_engine_for
from notary.storage.interfaces import StoreUnavailableError, UnstorableError
from notary.storage.keys.interfaces import KeyNotStoredError, SealedKey
from notary.storage.keys.schema import private_keys
from notary.storage.keys.sql import SQLKeyStore
from notary.storage.schema import SchemaError
from notary.storage.threads import WorkerThreads
from tests.storage.keys.conftest import ENGINES
from tests.storage.keys.test_contract import GUN, sealed_key
from tests.storage.test_bootstrap import contents, definitions
from tests.support.mariadb import PASSWORD, Database, MariaDB

BEGIN = datetime(2023, 11, 14, 22, 13, 20)
"""What the clock shows at first, in whole seconds UTC."""


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Engine:
    engine: Engine = request.getfixturevalue(ENGINES[request.param])
    return engine


@pytest.fixture
def store(engine: Engine, threads: WorkerThreads, clock: Clock) -> SQLKeyStore:
    return SQLKeyStore(engine, threads, clock)


def rows(engine: Engine) -> list[Row[Any]]:
    """All rows, of deleted keys as well."""
    with engine.connect() as connection:
        return list(connection.execute(private_keys.select().order_by(private_keys.c.id)))


def times(engine: Engine) -> dict[str, float | None]:
    """When what happened to the only key, in seconds since `BEGIN`."""
    [row] = rows(engine)
    columns = ("created_at", "updated_at", "last_used", "deleted_at")
    found = {name: getattr(row, name) for name in columns}
    return {name: at and (at - BEGIN).total_seconds() for name, at in found.items()}


@contextmanager
def local_time(zone: str) -> Iterator[None]:
    """Let this process believe that it is in another time zone."""
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TZ", zone)
            time.tzset()
            yield
    finally:
        time.tzset()


class TestTimes:
    @ensureDeferred
    async def test_of_a_new_key(self, store: SQLKeyStore, engine: Engine) -> None:
        await store.add(sealed_key())
        assert times(engine) == {
            "created_at": 0,
            "updated_at": 0,
            "last_used": None,
            "deleted_at": None,
        }

    @ensureDeferred
    async def test_of_the_first_use_stays(
        self, store: SQLKeyStore, engine: Engine, clock: Clock
    ) -> None:
        await store.add(sealed_key())
        for _ in range(3):
            clock.advance(60)
            await store.mark_used(sealed_key().key_id)
            assert times(engine) == {
                "created_at": 0,
                "updated_at": 60,
                "last_used": 60,
                "deleted_at": None,
            }

    @ensureDeferred
    async def test_of_the_first_deletion_stays(
        self, store: SQLKeyStore, engine: Engine, clock: Clock
    ) -> None:
        await store.add(sealed_key())
        for _ in range(3):
            clock.advance(60)
            await store.delete(sealed_key().key_id)
            assert times(engine) == {
                "created_at": 0,
                "updated_at": 60,
                "last_used": None,
                "deleted_at": 60,
            }

    @ensureDeferred
    async def test_are_utc(self, store: SQLKeyStore, engine: Engine) -> None:
        with local_time("east-5:30"):
            assert datetime.fromtimestamp(0).hour == 5
            await store.add(sealed_key())
            await store.mark_used(sealed_key().key_id)
            await store.delete(sealed_key().key_id)
        assert set(times(engine).values()) == {0}


class TestRows:
    @ensureDeferred
    async def test_a_deleted_key_keeps_its_row(self, store: SQLKeyStore, engine: Engine) -> None:
        key = sealed_key()
        await store.add(key)
        [before] = rows(engine)
        await store.delete(key.key_id)
        [after] = rows(engine)
        assert after.deleted_at is not None
        assert after._asdict() == {**before._asdict(), "deleted_at": after.deleted_at}
        assert (after.public, after.private) == (key.public, key.private)

    @ensureDeferred
    async def test_adding_a_key_again_changes_nothing(
        self, store: SQLKeyStore, engine: Engine, clock: Clock
    ) -> None:
        key, used, deleted = (sealed_key(number) for number in range(3))
        for each in (key, used, deleted):
            await store.add(each)
        await store.mark_used(used.key_id)
        await store.delete(deleted.key_id)
        before = rows(engine)
        clock.advance(60)
        for each in (key, used, deleted):
            await store.add(attrs.evolve(each, private=b"another envelope"))
        assert rows(engine) == before

    @pytest.mark.parametrize("engine", ["mariadb", "go-table"], indirect=True)
    @ensureDeferred
    async def test_adding_succeeds_if_it_went_unconfirmed(
        self, store: SQLKeyStore, engine: Engine
    ) -> None:
        @event.listens_for(engine, "after_cursor_execute", once=True)
        def lose_the_connection(*_: object) -> None:
            raise OperationalError(CR.CR_SERVER_LOST, "Lost connection to MySQL server")

        await store.add(sealed_key())
        assert len(rows(engine)) == 1
        assert await store.by_id(sealed_key().key_id) == sealed_key()

    @pytest.mark.parametrize("engine", ["mariadb", "go-table"], indirect=True)
    @pytest.mark.parametrize(
        "changes",
        [{"passphrase_alias": "a" * 51}, {"private": b"x" * 65_536}, {"public": b"x" * 65_536}],
        ids=["alias", "private-half", "public-half"],
    )
    @ensureDeferred
    async def test_what_does_not_fit_is_refused(
        self, store: SQLKeyStore, changes: dict[str, Any]
    ) -> None:
        key = attrs.evolve(sealed_key(), **changes)
        with pytest.raises(UnstorableError, match="Data too long"):
            await store.add(key)
        with pytest.raises(KeyNotStoredError):
            await store.by_id(key.key_id)


@ensureDeferred
async def test_cannot_serve_without_its_table(
    tmp_path: Path, threads: WorkerThreads, clock: Clock
) -> None:
    engine = create_engine_for(engine_url("sqlite3", str(tmp_path / "empty.db")))
    with pytest.raises(StoreUnavailableError, match="no such table: private_keys"):
        await SQLKeyStore(engine, threads, clock).check()
    engine.dispose()


@contextmanager
def plans(engine: Engine) -> Iterator[list[dict[str, Any]]]:
    """Collect how MariaDB runs each statement that looks for rows."""
    found: list[dict[str, Any]] = []

    @event.listens_for(engine, "before_cursor_execute")
    def explain(
        connection: Connection, _cursor: object, statement: str, parameters: Any, *_: object
    ) -> None:
        if statement.startswith(("SELECT", "UPDATE")):
            driver: Any = connection.connection
            with driver.cursor() as cursor:
                cursor.execute(f"EXPLAIN {statement}", parameters)
                names = [column[0] for column in cursor.description]
                found.extend(dict(zip(names, row, strict=True)) for row in cursor.fetchall())

    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", explain)


@pytest.mark.parametrize("engine", ["mariadb", "go-table"], indirect=True)
@pytest.mark.parametrize(
    ("call", "index"),
    [
        pytest.param(lambda store, key: store.add(key), "key_id", id="add"),
        pytest.param(lambda store, key: store.by_id(key.key_id), "key_id", id="by_id"),
        pytest.param(lambda store, key: store.mark_used(key.key_id), "key_id", id="mark_used"),
        pytest.param(lambda store, key: store.delete(key.key_id), "key_id", id="delete"),
        pytest.param(
            lambda store, key: store.unused(key.gun, key.role, key.algorithm),
            "idx_private_keys_gun",
            id="unused",
        ),
    ],
)
@ensureDeferred
async def test_no_statement_looks_at_every_row(
    store: SQLKeyStore,
    engine: Engine,
    call: Callable[[SQLKeyStore, SealedKey], Deferred[object]],
    index: str,
) -> None:
    keys = [sealed_key(number, gun=f"host/caf\u00e9/{number // 3}") for number in range(3000)]
    with engine.begin() as connection:
        connection.execute(insert(private_keys), [attrs.asdict(key) for key in keys])
        connection.execute(text("ANALYZE TABLE private_keys"))

    with plans(engine) as found:
        await call(store, keys[1500])
    [plan] = found
    assert plan["key"] == index
    assert plan["type"] in ("const", "ref", "range")


class TestWithoutTheRightToUpdate:
    """As operators have it who give the signer no more rights than it needs to sign."""

    @pytest.fixture
    def engine(self, mariadb: MariaDB, database: Database, mariadb_engine: Engine) -> Engine:
        mariadb.execute(f"REVOKE UPDATE ON {database.name}.* FROM {database.name}")
        mariadb_engine.dispose()
        return mariadb_engine

    @ensureDeferred
    async def test_keys_are_made_and_found(self, store: SQLKeyStore, engine: Engine) -> None:
        check_schema(engine, SIGNER)
        await store.check()
        await store.add(sealed_key())
        await store.add(sealed_key())
        assert await store.by_id(sealed_key().key_id) == sealed_key()
        assert list(await store.unused(GUN, "timestamp", "ecdsa")) == [sealed_key()]

    @pytest.mark.parametrize("method", [SQLKeyStore.mark_used, SQLKeyStore.delete])
    @ensureDeferred
    async def test_what_happens_to_them_cannot_be_noted(
        self,
        store: SQLKeyStore,
        database: Database,
        method: Callable[[SQLKeyStore, str], Deferred[None]],
    ) -> None:
        await store.add(sealed_key())
        with pytest.raises(
            StoreUnavailableError, match=rf"{database.name}.*UPDATE command denied"
        ) as caught:
            await method(store, sealed_key().key_id)
        assert PASSWORD not in str(caught.value)
        assert database.url.render_as_string(hide_password=False) not in str(caught.value)
        assert await store.by_id(sealed_key().key_id) == sealed_key()


class TestTheTableOfTheGoSigner:
    """It says ``CHARSET=utf8``; the contract is tested upon it as well."""

    UNUSED = sealed_key(1)
    USED = sealed_key(2)
    DELETED = sealed_key(3)
    OLD = sealed_key(4, gun="", role="")
    """Made before the Go signer noted what for."""

    @pytest.fixture
    def go_database(self, mariadb: MariaDB, go_database: Database) -> Database:
        """The table with keys in it."""
        now = "2017-03-01 10:00:00"
        for key, created_at, deleted_at, last_used in (
            (self.UNUSED, now, None, None),
            (self.USED, now, None, now),
            (self.DELETED, now, now, now),
            (self.OLD, None, None, None),
        ):
            mariadb.execute(
                f"""INSERT INTO {go_database.name}.private_keys (
                    created_at, updated_at, deleted_at, key_id, encryption_alg, keywrap_alg,
                    algorithm, passphrase_alias, public, private, gun, role, last_used
                ) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
                created_at,
                created_at,
                deleted_at,
                key.key_id,
                key.encryption_alg,
                key.keywrap_alg,
                key.algorithm,
                key.passphrase_alias,
                key.public,
                key.private,
                key.gun,
                key.role,
                last_used,
            )
        return go_database

    @pytest.fixture
    def engine(self, go_database: Database) -> Iterator[Engine]:
        """The database as the Go signer left it."""
        engine = create_engine_for(go_database.url)
        yield engine
        engine.dispose()

    def test_is_taken_over_with_its_rows(self, engine: Engine) -> None:
        with pytest.raises(SchemaError, match="run notary-signer -bootstrap"):
            check_schema(engine, SIGNER)
        [definition], before = definitions(engine), rows(engine)
        assert len(before) == 4

        bootstrap(engine, SIGNER)
        check_schema(engine, SIGNER)
        assert rows(engine) == before
        last_key = "UNIQUE KEY `key_id_2` (`key_id`,`algorithm`)"
        assert last_key in definition
        assert definitions(engine) == [
            definition.replace(last_key, f"{last_key},\n  KEY `idx_private_keys_gun` (`gun`)")
        ]

    def test_a_second_run_changes_nothing(self, engine: Engine) -> None:
        bootstrap(engine, SIGNER)
        before = definitions(engine), contents(engine)
        bootstrap(engine, SIGNER)
        assert (definitions(engine), contents(engine)) == before

    def test_of_another_program_is_refused(
        self, mariadb: MariaDB, go_database: Database, engine: Engine
    ) -> None:
        table = f"{go_database.name}.private_keys"
        mariadb.execute(f"ALTER TABLE {table} DROP COLUMN keywrap_alg, DROP COLUMN private")
        before = definitions(engine), mariadb.execute(f"SELECT * FROM {table}")
        with pytest.raises(
            SchemaError, match="private_keys lacks keywrap_alg, private: it is none that a Go"
        ):
            bootstrap(engine, SIGNER)
        assert (definitions(engine), mariadb.execute(f"SELECT * FROM {table}")) == before

    @ensureDeferred
    async def test_its_keys_are_used(self, engine: Engine, store: SQLKeyStore) -> None:
        bootstrap(engine, SIGNER)
        used = attrs.evolve(self.USED, used=True)
        assert await store.by_id(self.UNUSED.key_id) == self.UNUSED
        assert await store.by_id(self.USED.key_id) == used
        assert await store.by_id(self.OLD.key_id) == self.OLD
        with pytest.raises(KeyNotStoredError):
            await store.by_id(self.DELETED.key_id)
        assert list(await store.unused(GUN, "timestamp", "ecdsa")) == [self.UNUSED]

        before = rows(engine)
        for key in (self.UNUSED, self.USED, self.OLD):
            await store.mark_used(key.key_id)
        after = rows(engine)
        assert [row.last_used for row in after] == [
            BEGIN,
            before[1].last_used,
            before[2].last_used,
            BEGIN,
        ]
        assert list(await store.unused(GUN, "timestamp", "ecdsa")) == []

        await store.delete(self.OLD.key_id)
        with pytest.raises(KeyNotStoredError):
            await store.by_id(self.OLD.key_id)

    @ensureDeferred
    async def test_characters_it_lacks_are_refused(
        self, engine: Engine, store: SQLKeyStore
    ) -> None:
        bootstrap(engine, SIGNER)
        key = sealed_key(5, gun="host/\U0001f433")
        with pytest.raises(UnstorableError, match="Incorrect string value"):
            await store.add(key)
        with pytest.raises(UnstorableError, match="collations"):
            await store.unused(key.gun, key.role, key.algorithm)
        with pytest.raises(KeyNotStoredError):
            await store.by_id(key.key_id)
