"""The command: ``python -m benchmarks --help``."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.comparison import Comparison, Order
from benchmarks.contenders import contenders
from benchmarks.page import page, write
from benchmarks.stock import Stock
from benchmarks.workloads import all_workloads
from tests.support.mariadb import installed

_BUFFER_POOL = "--innodb-buffer-pool-size=1G"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what a command line asks for, and print it.

    Returns:
        The exit status: 1 if something is not valid.
    """
    stock = Stock()
    names = list(all_workloads(stock, guns=1))
    options = vars(_parser(names).parse_args(arguments))
    workers, output = options.pop("workers"), options.pop("output")
    order = Order(**options)
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as directory,
        installed(_BUFFER_POOL) as mariadb,
    ):
        mariadb.start()
        with contenders(Path(directory), mariadb, workers) as pairs:
            results = Comparison(mariadb, pairs, stock, order).measure()
    print(page(results))
    if output is not None:
        write(results, output)
    return 0 if results.is_valid else 1


def _parser(names: Sequence[str]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=_DESCRIPTION)
    parser.add_argument(
        "--only",
        nargs="+",
        choices=names,
        metavar="WORKLOAD",
        help=f"measure these and no others; there are {', '.join(names)}",
    )
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured")
    parser.add_argument("--seconds", type=float, default=4, help="how long each time")
    parser.add_argument("--guns", type=int, default=500, help="collections that are read in turn")
    parser.add_argument("--workers", type=int, help="processes of each of our daemons")
    parser.add_argument(
        "--connections",
        type=int,
        nargs="+",
        default=(),
        metavar="NUMBER",
        help="also measure over so many connections",
    )
    parser.add_argument(
        "--collections",
        type=int,
        nargs="+",
        default=(),
        metavar="NUMBER",
        help="also measure with so many collections",
    )
    parser.add_argument(
        "--memory",
        type=int,
        metavar="REQUESTS",
        help="also watch the memory of our daemons for so many requests",
    )
    parser.add_argument("--output", type=Path, metavar="DIRECTORY", help="write a page into it")
    return parser


_DESCRIPTION = "Measure the Go daemons and ours on the same workloads, and compare."

if __name__ == "__main__":
    sys.exit(main())
