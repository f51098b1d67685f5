"""What daemons that serve have not loaded, since it would take memory for nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.mariadb import MariaDB
from tests.support.pairs import plan_pair

pytestmark = pytest.mark.integration

ERRANDS = {
    *("alembic", "mako"),  # -bootstrap
    *("structlog", "rich"),  # -logf logfmt
    *("psycopg", "sqlalchemy.dialects.postgresql"),
    "notary.observe.debug.server",
}
"""Modules for an errand, or for settings that these daemons do not have."""

NEEDLESS = {
    "server": ERRANDS | {"notary.signer.tap"},
    "signer": ERRANDS
    | {"notary.server.tap", "klein", "werkzeug", "twisted.web", "multipart"}
    | {"twisted.internet.endpoints"},
}


def loaded(log: Path) -> set[str]:
    """The modules that a daemon imported, as the interpreter tells with -X importtime."""
    return set(re.findall(r"^import time: [\d |]+\| +([\w.]+)$", log.read_text(), re.MULTILINE))


def test_daemons_load_nothing_needless(
    tmp_path: Path, mariadb: MariaDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_pair(tmp_path, databases=mariadb)
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
    with plan.run() as pair:
        logs = {"server": pair.server.log, "signer": pair.signer.log}
    for daemon, log in logs.items():
        modules = loaded(log)
        assert {f"notary.{daemon}.tap", "pymysql"} <= modules
        assert not modules & NEEDLESS[daemon]
