"""No statement of the two daemons looks at every row of a table, however many there are."""

from __future__ import annotations

import pytest

from notary.storage.engines import create_engine_for
from tests.storage.plans import ROWS, all_plans, filled, plans, rst
from tests.support.mariadb import MariaDB
from tests.support.postgres import Postgres


@pytest.mark.parametrize("kind", ["mariadb", "postgres"])
def test_every_statement_uses_an_index(request: pytest.FixtureRequest, kind: str) -> None:
    server: MariaDB | Postgres = request.getfixturevalue(kind)
    engine = create_engine_for(server.create_database().url)
    try:
        daemons = filled(engine, ROWS)
        found = all_plans(daemons)
        print(rst(found))
        faults = {f"{name}: {plan.statement}": plan.faults for plan, name in found.items()}
        assert {name: fault for name, fault in faults.items() if fault} == {}
        asked = {plan.statement.split()[0] for plan in found}
        assert asked == {"SELECT", "UPDATE", "DELETE"}

        with plans(engine) as scans, engine.connect() as connection:
            for scan in ("SELECT data FROM tuf_files", "SELECT max(role) FROM private_keys"):
                connection.exec_driver_sql(scan)
        assert all(plan.faults for plan in scans)
    finally:
        engine.dispose()
