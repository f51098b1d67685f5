"""The tables, the picture and the page."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import attrs
import pytest

from benchmarks.chart import draw
from benchmarks.measuring import SERVER, SIGNER
from benchmarks.memory import Step
from benchmarks.page import Results, page, write
from benchmarks.report import costs, incidents, number, rates, table
from tests.benchmarks.samples import row, sample

REACHED = row([sample(100, 9)] * 3, [sample(400, 1), sample(500, 2), sample(900, 4)])
MISSED = row([sample(100, 1)], [sample(50, 2)], "root-c16")
INVALID = row([sample(100)], [sample(50, 1, "wrong body")], "snapshot-c16")
RESULTS = Results({"Processor": "a fast one"}, 3, 1.5, [REACHED, MISSED])


def cells(text: str, number: int) -> list[str]:
    """The cells of a line of a table, counted from 0 on."""
    rule, _, _, *lines = text.splitlines()
    ends = [match.span() for match in re.finditer("=+", rule)]
    return [lines[number][begin:end].strip() for begin, end in ends]


def test_a_table_is_as_wide_as_its_widest_cells() -> None:
    assert table(["a", "long"], [["much longer", "b"]]).splitlines() == [
        "=========== ====",
        "a           long",
        "=========== ====",
        "much longer b",
        "=========== ====",
    ]


def test_rates_have_medians_the_ratio_and_the_target() -> None:
    text = rates([REACHED, MISSED])
    assert cells(text, 0) == ["title of timestamp-c16", "100", "500", "5", "4 to 9", "4"]
    assert cells(text, 1) == ["title of root-c16", "100", "50", "0.50", "0.50 to 0.50", "4, missed"]


def test_costs_have_the_target_too() -> None:
    text = costs([REACHED, MISSED], SERVER)
    assert cells(text, 0) == ["title of timestamp-c16", "9", "2", "0.22", "0.35"]
    assert cells(text, 1) == ["title of root-c16", "1", "2", "2", "0.35, missed"]


def test_costs_of_who_has_nothing_to_do_are_left_out() -> None:
    assert "title" not in costs([REACHED], SIGNER)


def test_an_invalid_row_has_no_ratio() -> None:
    line = rates([INVALID]).splitlines()[3]
    assert "(invalid)" in line
    assert " - " in line
    assert incidents([INVALID]) == "* title of snapshot-c16: **invalid**, ours: wrong body"


def test_deaths_are_told() -> None:
    assert "died 2 times" in incidents([attrs.evolve(REACHED, deaths={"Go": 2, "ours": 0})])
    assert incidents([REACHED]).startswith("Nothing")


@pytest.mark.parametrize(
    ("value", "text"),
    [(1234.5, "1234"), (99.94, "99.9"), (3.14159, "3.14"), (0.5, "0.50"), (4, "4"), (0, "0")],
)
def test_numbers(value: float, text: str) -> None:
    assert number(value) == text


def test_the_picture_has_a_bar_for_each_valid_row() -> None:
    picture = draw([REACHED, MISSED, INVALID])
    colours = [
        each.get("fill") for each in ElementTree.fromstring(picture).iter() if each.get("fill")
    ]
    assert colours == ["white", "#2a7f4f", "#b5532f"]


def test_results_are_valid_without_faults() -> None:
    step = Step(100, 2**20, 2**21, ())
    valid = attrs.evolve(RESULTS, memory=[step], collections={10: [MISSED]}, connections=[MISSED])
    assert valid.is_valid
    for invalid in (
        attrs.evolve(valid, rows=[INVALID]),
        attrs.evolve(valid, collections={10: [INVALID]}),
        attrs.evolve(valid, connections=[INVALID]),
        attrs.evolve(valid, memory=[attrs.evolve(step, faults=("a fault",))]),
    ):
        assert not invalid.is_valid


def test_the_page_has_all_that_was_measured() -> None:
    memory = [Step(100_000, 50 * 2**20, 60 * 2**20, ())]
    results = attrs.evolve(
        RESULTS, memory=memory, collections={10_000: [MISSED]}, connections=[REACHED]
    )
    text = page(results)
    assert "a fast one" in text
    assert "ran 3 times on each pair, for 1.5 s" in text
    assert "With 10,000 collections\n----" in text
    assert "From few connections to many\n----" in text
    (line,) = (line for line in text.splitlines() if line.startswith("100,000"))
    assert line.split() == ["100,000", "50", "60"]


def test_page_picture_and_figures_are_written(tmp_path: Path) -> None:
    write(RESULTS, tmp_path / "new")
    assert (tmp_path / "new" / "comparison.rst").read_text() == page(RESULTS)
    assert (tmp_path / "new" / "ratios.svg").read_text() == draw(RESULTS.rows)
    figures = json.loads((tmp_path / "new" / "figures.json").read_text())
    assert figures["rows"][0]["samples"]["ours"][2]["load"]["requests"] == 900
