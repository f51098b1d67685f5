"""The command: ``python -m benchmarks --help``."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.contenders import contenders
from benchmarks.measuring import Row, measure_row
from benchmarks.report import number, tables
from benchmarks.stock import Stock
from benchmarks.workloads import RECORDS, all_workloads
from tests.support.mariadb import installed

GUNS = 500
_BUFFER_POOL = "--innodb-buffer-pool-size=1G"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what a command line asks for, and print it.

    Returns:
        The exit status: 1 if some row is not valid.
    """
    options = _options(arguments)
    stock = Stock()
    workloads = all_workloads(stock, options.guns)
    if unknown := set(options.only or ()) - set(workloads):
        print(f"no such workload: {', '.join(sorted(unknown))}", file=sys.stderr)
        print(f"there are: {', '.join(workloads)}", file=sys.stderr)
        return 2
    chosen = [workloads[name] for name in options.only or workloads]
    rows = []
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as directory,
        installed(_BUFFER_POOL) as mariadb,
    ):
        mariadb.start()
        database = int((mariadb.directory / "pid").read_text())
        with contenders(Path(directory), mariadb, options.workers) as pairs:
            for each in pairs:
                stock.insert(each.engine, range(max(options.guns, RECORDS)))
                stock.insert_big(each.engine)
            for workload in chosen:
                row = measure_row(workload, pairs, database, options.rounds, options.seconds)
                rows.append(row)
                _say(row)
    print(tables(rows))
    return int(any(row.faults for row in rows))


def _say(row: Row) -> None:
    rates = ", ".join(f"{who} {number(row.median(who, lambda s: s.rate))}" for who in row.samples)
    print(f"{row.name}: {rates} per second", *row.faults, sep="\n  ", file=sys.stderr, flush=True)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="+", metavar="WORKLOAD", help="measure these and no others")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured")
    parser.add_argument("--seconds", type=float, default=4, help="how long each time")
    parser.add_argument("--guns", type=int, default=GUNS, help="collections that are read in turn")
    parser.add_argument("--workers", type=int, help="processes of each of our daemons")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
