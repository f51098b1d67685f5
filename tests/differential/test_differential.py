"""Ours answers as the Go server does, but for the differences that are declared."""

from __future__ import annotations

import pytest

from tests.differential.catalogue import CASES
from tests.differential.differences import by_case
from tests.differential.exchange import Answer
from tests.differential.harness import Case, Outcome
from tests.differential.report import PAGE, page
from tests.differential.servers import Pairs

DECLARED = by_case()
UPDATE_ERRORS = {
    "ErrValidation",
    "ErrBadHierarchy",
    "ErrBadRoot",
    "ErrBadTargets",
    "ErrBadSnapshot",
}


@pytest.mark.integration
@pytest.mark.parametrize("case", [pytest.param(each, id=each.id) for each in CASES.values()])
def test_same_answers_or_a_declared_difference(case: Case, server_pairs: Pairs) -> None:
    reference, ours = server_pairs[case.setting].run(case)
    declared = DECLARED.get(case.id)
    if declared is None:
        assert ours.facts() == reference.facts()
    else:
        assert (str(reference), str(ours)) == declared
        assert ours.facts() != reference.facts(), "there is no difference left to declare"
    _assert_explained(ours)


def _assert_explained(outcome: Outcome) -> None:
    """Every refusal of an upload names its cause."""
    for answer in outcome.items:
        if not isinstance(answer, Answer):
            continue
        code, detail = answer.error.get("code"), answer.error.get("detail")
        if code == "INVALID_UPDATE":
            assert detail is not None
            assert detail["Name"] in UPDATE_ERRORS
            assert detail["Error"]["Msg"].strip()
        elif code in {"MALFORMED_JSON", "MALFORMED_UPLOAD"}:
            assert isinstance(detail, str)
            assert detail.strip()


def test_each_declared_difference_belongs_to_a_case() -> None:
    assert set(DECLARED) <= set(CASES)


def test_the_page_lists_the_declared_differences() -> None:
    assert PAGE.read_text() == page(), "run: python -m tests.differential page"
