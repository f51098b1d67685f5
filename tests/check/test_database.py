"""Whether a database has room for all workers."""

from __future__ import annotations

import pytest

from notary.check.database import Needs, check_database
from notary.check.findings import Severity
from notary.config.sections import Storage
from notary.storage.bootstrap import SERVER, bootstrap
from notary.storage.engines import create_engine_for
from tests.support.mariadb import MariaDB

pytestmark = pytest.mark.integration


def test_counts_the_connections_of_all_workers(mariadb: MariaDB) -> None:
    database = mariadb.create_database()
    engine = create_engine_for(database.url)
    bootstrap(engine, SERVER)
    engine.dispose()
    storage = Storage(backend="mysql", db_url=database.dsn)
    ((allowed,),) = mariadb.execute("SELECT @@max_connections")
    for workers, severity in ((2, Severity.OK), (allowed // 4 + 1, Severity.WARNING)):
        needs = Needs(SERVER, {}, workers=workers)
        (found,) = (
            each for each in check_database(storage, needs) if each.subject == "server.workers"
        )
        assert found.severity is severity
        assert found.message.startswith(f"{workers} workers use up to {workers * 4} connections")
        assert f" allows {allowed} to all its users" in found.message


def test_says_nothing_of_them_for_one_process(mariadb: MariaDB) -> None:
    storage = Storage(backend="mysql", db_url=mariadb.create_database().dsn)
    found = check_database(storage, Needs(SERVER, {}))
    assert "server.workers" not in [each.subject for each in found]
