"""Large databases, and how they run what the daemons ask them.

``python -m tests.storage.plans`` prints that as a table, on databases of its own.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import attrs
from sqlalchemy import Connection, Engine, event, text

from notary.storage.bootstrap import SERVER, SIGNER, bootstrap
from notary.storage.engines import STATEMENTS, create_engine_for
from tests.storage.operations import BUSY, BUSY_OPERATIONS, OPERATIONS, Daemons
from tests.support.mariadb import mariadb
from tests.support.postgres import postgres

ROWS = 200_000
TABLES = ("tuf_files", "changefeed", "private_keys")

_AT_ONCE = 100_000
"""Rows that are made by one statement."""

_FEW = 1000
"""Rows that may be sorted."""

_BUSY_PART = 20
"""One of so many rows belongs to the busy collection."""

_WITHOUT_PLAN = ("BEGIN", "INSERT")
"""What statements begin with that look for no rows."""

_FUNCTIONS = {
    "mysql": {
        "numbers": "(SELECT seq AS n FROM seq_{first}_to_{last}) numbers",
        "gun": "CONCAT('docker.io/team', n DIV 200, '/app', n DIV 5)",
        "role": "ELT(1 + n MOD 5, 'root', 'targets', 'snapshot', 'timestamp', 'targets/a')",
        "data": "REPEAT('x', 100)",
        "sha256": "SHA2(n, 256)",
        "analyze": "ANALYZE TABLE {table}",
    },
    "postgresql": {
        "numbers": "generate_series({first}, {last}) AS n",
        "gun": "CONCAT('docker.io/team', n / 200, '/app', n / 5)",
        "role": "(ARRAY['root', 'targets', 'snapshot', 'timestamp', 'targets/a'])[1 + n % 5]",
        "data": "repeat('x', 100)::bytea",
        "sha256": "encode(sha256(n::text::bytea), 'hex')",
        "analyze": "VACUUM ANALYZE {table}",
    },
}

_FILL = """
INSERT INTO tuf_files (created_at, updated_at, gun, role, version, data, sha256)
SELECT '2026-01-01', '2026-01-01', {gun}, {role}, 1, {data}, {sha256} FROM {numbers};
INSERT INTO tuf_files (created_at, updated_at, gun, role, version, data, sha256)
SELECT '2026-01-01', '2026-01-01', '{busy}', 'timestamp', n, {data}, {sha256} FROM {numbers}
WHERE n <= {busy_rows};
INSERT INTO changefeed (created_at, gun, version, sha256, category)
SELECT '2026-01-01', CASE WHEN n > {rows} - {busy_rows} THEN '{busy}' ELSE {gun} END, 1, {sha256},
'update' FROM {numbers};
INSERT INTO private_keys (created_at, updated_at, key_id, encryption_alg, keywrap_alg, algorithm,
passphrase_alias, public, private, gun, role, last_used)
SELECT '2026-01-01', '2026-01-01', {sha256}, 'A256GCM', 'PBES2-HS256+A128KW', 'ecdsa', 'alias_1',
{data}, {data}, {gun}, {role}, '2026-01-01' FROM {numbers}
"""


def fill(engine: Engine, rows: int) -> None:
    """Put so many rows into each table, in collections of five files, and a busy one.

    The busy one's changes are the newest of all.
    """
    functions = _FUNCTIONS[engine.dialect.name]
    values = {"busy": BUSY, "rows": rows, "busy_rows": rows // _BUSY_PART}
    for first in range(1, rows + 1, _AT_ONCE):
        numbers = functions["numbers"].format(first=first, last=min(first + _AT_ONCE - 1, rows))
        for statement in _FILL.format(**{**functions, **values, "numbers": numbers}).split(";"):
            with engine.begin() as connection:
                connection.execute(text(statement))
    with engine.connect().execution_options(**{STATEMENTS: True}) as connection:
        for table in TABLES:
            connection.execute(text(functions["analyze"].format(table=table)))


def filled(engine: Engine, rows: int) -> Daemons:
    """Both daemons on a database with so many rows in each table."""
    bootstrap(engine, SERVER)
    bootstrap(engine, SIGNER)
    fill(engine, rows)
    return Daemons(engine)


@attrs.frozen
class Plan:
    """How a database runs a statement.

    Attributes:
        statement: the statement, with its placeholders.
        steps: a line for each table or step.
        faults: what is wrong with them.
    """

    statement: str
    steps: tuple[str, ...]
    faults: tuple[str, ...]


@contextmanager
def plans(engine: Engine) -> Iterator[list[Plan]]:
    """Collect the plans of all statements that are sent, right before they are run."""
    found: list[Plan] = []
    explain = _explain_mariadb if engine.dialect.name == "mysql" else _explain_postgres

    @event.listens_for(engine, "before_cursor_execute")
    def collect(
        connection: Connection, _cursor: object, statement: str, parameters: Any, *_: object
    ) -> None:
        driver: Any = connection.connection
        with contextlib.closing(driver.cursor()) as cursor:
            if plan := explain(cursor, statement, parameters):
                found.append(plan)

    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", collect)


def _short(statement: str) -> str:
    """Leave out the lists of columns and what only the driver needs."""
    words = " ".join(statement.split())
    words = re.sub(r"%\((\w+)\)s(::[A-Z]+)?", r":\1", words)
    return re.sub(r"(?<=SELECT )(\w+\.\w+, ){2,}", "..., ", words)


def _explain_mariadb(cursor: Any, statement: str, parameters: Any) -> Plan | None:
    if statement.startswith(_WITHOUT_PLAN) or "@@" in statement:
        return None
    cursor.execute(f"EXPLAIN {statement}", parameters)
    names = [column[0] for column in cursor.description]
    steps, faults = [], []
    for values in cursor.fetchall():
        row = dict(zip(names, values, strict=True))
        step = f"{row['table']}: {row['type']} {row['key']}; {row['Extra']}"
        steps.append(step)
        first_only = row["type"] == "index" and "LIMIT" in statement
        whole = row["type"] in ("ALL", "index") and not first_only
        many_sorted = "filesort" in (row["Extra"] or "") and int(row["rows"]) > _FEW
        wrong_index = _of_one_collection(statement) and row["key"] == "PRIMARY"
        if row["table"] in TABLES and (whole or many_sorted or wrong_index):
            faults.append(step)
    return Plan(_short(statement), tuple(steps), tuple(faults))


def _explain_postgres(cursor: Any, statement: str, parameters: Any) -> Plan | None:
    if statement.startswith(_WITHOUT_PLAN):
        return None
    cursor.execute(f"EXPLAIN (COSTS OFF) {statement}", parameters)
    lines = [line.strip().removeprefix("->  ") for (line,) in cursor.fetchall()]
    steps = [line for line in lines if re.match(r".*\bon\b|Sort|Incremental", line)]
    faults = [
        step
        for step in steps
        if "Seq Scan" in step or (_of_one_collection(statement) and "_pkey" in step)
    ]
    return Plan(_short(statement), tuple(steps), tuple(faults))


def _of_one_collection(statement: str) -> bool:
    """Whether it is about the changes of one; by their IDs it would walk over those of all."""
    return bool(re.search(r"changefeed\.gun (=|BETWEEN)", statement))


def all_plans(daemons: Daemons) -> dict[Plan, str]:
    """Run each operation and return the plan of every statement, with what sent it first."""
    found: dict[Plan, str] = {}
    for name, operation in {**OPERATIONS, **BUSY_OPERATIONS}.items():
        measured = operation(daemons)
        with plans(daemons.engine) as sent:
            measured()
        for plan in sent:
            found.setdefault(plan, name)
    return found


def rst(found: Mapping[Plan, str]) -> str:
    """Write plans as a reStructuredText table."""
    lines = [".. list-table::", "   :header-rows: 1", "", "   * - operation", "     - statement"]
    lines.append("     - plan")
    for plan, name in found.items():
        lines.append(f"   * - {name}")
        for cell in ((plan.statement,), plan.steps):
            first, *more = cell or ("",)
            lines += [f"     - | ``{first}``", *(f"       | ``{line}``" for line in more)]
    return "\n".join(lines)


def main() -> None:
    """Print the tables."""
    for start in (mariadb, postgres):
        with contextmanager(start.__wrapped__)() as server:  # type: ignore[attr-defined]
            engine = create_engine_for(server.create_database().url)
            version = ".".join(map(str, engine.connect().dialect.server_version_info or ()))
            print(f"{engine.dialect.name} {version}, {ROWS} rows\n")
            print(rst(all_plans(filled(engine, ROWS))), end="\n\n")
            engine.dispose()


if __name__ == "__main__":
    main()
