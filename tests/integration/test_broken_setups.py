"""What is said of set-ups that are broken in some way: it is what the documentation says."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.broken.report import CHAPTERS, PAGE, outcomes, page, section
from tests.broken.running import Outcome, Setup
from tests.support.mariadb import MariaDB

pytestmark = pytest.mark.integration

IN_ORDER = [
    Setup(f"{daemon} in order", daemon, "", lambda plan: None) for daemon in ("server", "signer")
]
SETUPS = [setup for chapter in CHAPTERS.values() for setup in chapter]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory, mariadb: MariaDB) -> Mapping[str, Outcome]:
    return outcomes(tmp_path_factory.mktemp("broken"), mariadb, IN_ORDER)


def test_there_are_many() -> None:
    assert len({setup.title for setup in SETUPS}) == len(SETUPS) >= 30


@pytest.mark.parametrize("setup", SETUPS, ids=lambda setup: setup.title)
def test_is_told_as_documented(found: Mapping[str, Outcome], setup: Setup) -> None:
    """Whoever only checks learns of it, whether the daemon would start or not."""
    outcome = found[setup.title]
    assert outcome.status == (2 if any(f.startswith("error") for f in outcome.findings) else 1)
    assert section(setup, outcome) in PAGE.read_text()


@pytest.mark.parametrize("setup", IN_ORDER, ids=lambda setup: setup.title)
def test_what_is_in_order_is_passed(found: Mapping[str, Outcome], setup: Setup) -> None:
    assert found[setup.title] == Outcome(0, (), serves=True, said=())


def test_the_page_has_nothing_else(found: Mapping[str, Outcome]) -> None:
    assert PAGE.read_text() == page(found)
