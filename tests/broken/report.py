"""Runs all broken set-ups, and writes down what was said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock

from tests.broken import certificates, configurations, databases, signers
from tests.broken.running import Outcome, Setup, plan, run
from tests.broken.world import running_world
from tests.support.mariadb import MariaDB

PAGE = Path(__file__).parent.parent.parent / "docs" / "broken-setups.rst"

CHAPTERS: Mapping[str, Sequence[Setup]] = {
    "The configuration": configurations.SETUPS,
    "Certificates and keys": certificates.SETUPS,
    "Databases and passphrases": databases.SETUPS,
    "Server and signer": signers.SETUPS,
}

_AT_ONCE = 4

_HEAD = """\
Broken set-ups
==============

What ``-check`` and the daemons say of {count} set-ups, each broken in one way. A test breaks them,
runs ``-check`` and the daemon itself, and fails unless both say what stands here; ``python -m
tests.broken`` writes this page. Of ``-check`` the lines are left out that begin with ``ok``; of a
daemon's log only what it says is here, from warnings up. Dates are replaced by ``DATE``.
"""


def outcomes(
    directory: Path, mariadb: MariaDB, others: Sequence[Setup] = ()
) -> Mapping[str, Outcome]:
    """Run all set-ups, a few at the same time; returns what came of each, by its title.

    Args:
        directory: where their files go.
        mariadb: a database server that runs.
        others: more of them, which are not on the page.
    """
    setups = [*(setup for chapter in CHAPTERS.values() for setup in chapter), *others]
    making = Lock()  # Alembic makes the tables of one database at a time

    def break_and_run(setup: Setup) -> Outcome:
        with making:
            broken = plan(setup, world)
        return run(setup, broken)

    with running_world(directory, mariadb) as world, ThreadPoolExecutor(_AT_ONCE) as threads:
        running = {setup.title: threads.submit(break_and_run, setup) for setup in setups}
        return {title: each.result() for title, each in running.items()}


def page(found: Mapping[str, Outcome]) -> str:
    """The page of the documentation."""
    blocks = [_HEAD.format(count=sum(map(len, CHAPTERS.values())))]
    for title, setups in CHAPTERS.items():
        blocks.append(f"{title}\n{'-' * len(title)}\n")
        blocks += [section(setup, found[setup.title]) for setup in setups]
    return "\n".join(blocks)


def section(setup: Setup, outcome: Outcome) -> str:
    """What the page says of a set-up."""
    program = f"``notary-{setup.daemon}``"
    lines = [setup.title, "~" * len(setup.title), "", setup.todo, ""]
    lines += [f"{program} ``-check`` exits with {outcome.status}::", ""]
    lines += [f"    {line}" for line in outcome.findings]
    does = "serves" if outcome.serves else "does not start"
    if outcome.said:
        lines += ["", f"{program} {does}::", ""]
        lines += [f"    {line}" for line in outcome.said]
    else:
        lines += ["", f"{program} {does}, and says nothing at the start."]
    return "\n".join([*lines, ""])
