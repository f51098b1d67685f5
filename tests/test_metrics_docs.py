"""Metrics: the documentation, the dashboard and the alerts name those that there are."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.prometheus import DASHBOARD, Question, alerts, panels
from tests.support.registries import (
    Described,
    described,
    parent_registry,
    server_registry,
    signer_registry,
)

DOCUMENT = Path(__file__).parent.parent / "docs" / "metrics.rst"

_ENTRY = re.compile(r"^``(\w+)`` \((\w+)(?:; ([\w, ]+))?\)$", re.MULTILINE)
_NAME = re.compile(r"\b((?:notary|process|python)_\w+|up)\b(?:{([^}]*)})?")
_STRING = re.compile(r'"[^"]*"')
_LABEL = re.compile(r"(\w+)\s*(?:=|!)")
_BY = re.compile(r"\bby \(([^)]*)\)")
_SUFFIX = re.compile(r"_(bucket|sum|count)$")
_OF_PROMETHEUS = {"job", "instance"}

QUESTIONS = [
    pytest.param(each, id=f"{each.title}-{number}")
    for number, each in enumerate([*panels(), *alerts()])
]


@pytest.fixture(scope="module")
def metrics() -> Mapping[str, Described]:
    return {
        **described(server_registry()),
        **described(signer_registry()),
        **described(parent_registry("notary_server")),
        **described(parent_registry("notary_signer")),
        "up": Described("gauge", [], ""),
    }


def labels_of(metrics: Mapping[str, Described], name: str) -> set[str]:
    """The labels that a name has, as it is written in an expression."""
    if name in metrics:
        assert metrics[name].kind not in ("histogram", "summary"), f"{name} has no value of its own"
        return {*metrics[name].labels, *_OF_PROMETHEUS}
    base = _SUFFIX.sub("", name)
    assert base in metrics, f"no daemon has {name}"
    assert metrics[base].kind in ("histogram", "summary")
    assert not (name.endswith("_bucket") and metrics[base].kind == "summary")
    return {*metrics[base].labels, *_OF_PROMETHEUS, *(["le"] if name.endswith("bucket") else [])}


@pytest.mark.parametrize("question", QUESTIONS)
def test_what_is_asked_for_is_there(metrics: Mapping[str, Described], question: Question) -> None:
    expression = _STRING.sub('""', question.expression)
    known: set[str] = set()
    asked = list(_NAME.finditer(expression))
    assert asked
    for match in asked:
        labels = labels_of(metrics, match[1])
        assert set(_LABEL.findall(match[2] or "")) <= labels
        known |= labels
    for grouping in _BY.findall(expression):
        assert set(grouping.replace(" ", "").split(",")) <= known


def test_legends_show_labels_that_are_there(metrics: Mapping[str, Described]) -> None:
    for panel in panels():
        names = [match[1] for match in _NAME.finditer(panel.expression)]
        labels = set().union(*(labels_of(metrics, name) for name in names))
        assert set(re.findall(r"{{(\w+)}}", panel.legend)) <= labels


def test_every_metric_of_ours_is_documented_and_no_other(
    metrics: Mapping[str, Described],
) -> None:
    documented = {
        name: (kind, labels.split(", ") if labels else [])
        for name, kind, labels in _ENTRY.findall(DOCUMENT.read_text())
    }
    assert documented == {
        name: (each.kind, list(each.labels))
        for name, each in metrics.items()
        if name.startswith("notary_")
    }


def test_the_dashboard_can_be_imported() -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids))
    assert [each["name"] for each in dashboard["templating"]["list"]] == [
        "datasource",
        "job",
        "instance",
    ]
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            assert target["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
