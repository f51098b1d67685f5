"""How long each operation takes with few rows and with many.

``python -m tests.storage.sizes mariadb`` (or ``postgres``) measures on servers of its own and
prints a table; it takes some minutes.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from notary.storage.bootstrap import SERVER, SIGNER, bootstrap, check_schema
from notary.storage.engines import create_engine_for
from tests.storage.operations import BUSY_OPERATIONS, OPERATIONS, Daemons
from tests.storage.plans import filled
from tests.support.mariadb import mariadb
from tests.support.postgres import postgres

SIZES = (1_000, 1_000_000)
TIMES = 50
_MEMORY = 1024**3
SERVERS: dict[str, Any] = {"mariadb": mariadb, "postgres": postgres}


def median(operation: Callable[[], Callable[[], object]], times: int = TIMES) -> float:
    """Return the median of the milliseconds that an operation takes once it is prepared."""
    taken = []
    for _ in range(times):
        measured = operation()
        begin = time.perf_counter()
        measured()
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken) * 1000


def measure(daemons: Daemons) -> Mapping[str, float]:
    """Return milliseconds by operation."""
    times = {}
    for migrations in (SERVER, SIGNER):
        for function in (bootstrap, check_schema):
            call = partial(function, daemons.engine, migrations)
            times[f"{function.__name__}, {migrations.daemon}"] = median(partial(_same, call))
    for name, operation in {**OPERATIONS, **BUSY_OPERATIONS}.items():
        times[name] = median(partial(operation, daemons))
    return times


def _same(call: Callable[[], object]) -> Callable[[], object]:
    return call


def main(kind: str) -> None:
    """Measure and print."""
    columns = []
    with contextmanager(SERVERS[kind].__wrapped__)() as server:
        if kind == "mariadb":
            server.execute(f"SET GLOBAL innodb_buffer_pool_size = {_MEMORY}")
        for size in SIZES:
            engine = create_engine_for(server.create_database().url)
            begin = time.perf_counter()
            daemons = filled(engine, size)
            print(f"{size} rows: {time.perf_counter() - begin:.0f} s to fill", file=sys.stderr)
            columns.append(measure(daemons))
            engine.dispose()
    header = "".join(f"{size:>12,}" for size in SIZES)
    print(f"{'milliseconds, rows in each table:':<42}{header}")
    for name in columns[0]:
        print(f"{name:<42}" + "".join(f"{column[name]:>12.2f}" for column in columns))


if __name__ == "__main__":
    main(sys.argv[1])
