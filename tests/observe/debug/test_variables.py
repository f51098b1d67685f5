"""Figures about the process, as readers of expvar know them."""

from __future__ import annotations

import gc
import json
import os
from pathlib import Path

import pytest

from notary.observe.debug import variables
from notary.observe.debug.variables import (
    memory,
    process_variables,
    reactor_variables,
    render,
)
from tests.observe.debug.harness import Reactor
from tests.support.processes import files_of, memory_of


def test_has_the_form_of_expvar() -> None:
    """One variable a line, in the order of their names."""
    text = render({"b": {"c": 1}, "a": ["x"]}).decode()
    assert text == '{\n"a": ["x"],\n"b": {"c": 1}\n}\n'


def test_says_what_the_process_takes() -> None:
    found = process_variables()
    assert found["pid"] == os.getpid()
    assert abs(found["open_files"] - files_of(os.getpid())) <= 1
    assert found["cpu_seconds"]["user"] > 0
    assert found["max_resident_bytes"] >= memory_of(os.getpid()) // 2
    assert found["threads"] >= 1
    assert len(found["gc"]) == 3
    assert {"collections", "collected", "waiting", "threshold"} <= set(found["gc"][0])
    assert any("pytest" in part for part in found["cmdline"])


def test_figures_of_go_have_its_names() -> None:
    collections = memory()["NumGC"]
    gc.collect()
    found = memory()
    assert set(found) == {
        "Alloc",
        "Sys",
        "HeapAlloc",
        "HeapSys",
        "HeapInuse",
        "StackSys",
        "NumGC",
        "EnableGC",
        "DebugGC",
    }
    assert 1_000_000 < found["Alloc"] == found["HeapAlloc"] < found["Sys"]
    assert found["NumGC"] > collections


def test_does_without_a_proc_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    nowhere = Path("/nowhere/proc")
    monkeypatch.setattr(variables, "STATUS", nowhere)
    monkeypatch.setattr(variables, "OPEN_FILES", nowhere)
    assert process_variables()["open_files"] is None
    assert "Alloc" not in memory()


def test_the_environment_is_not_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTARY_SIGNER_TIMESTAMP_1", "an open sesame")
    text = json.dumps(process_variables())
    assert "open sesame" not in text
    assert "NOTARY_SIGNER" not in text


def test_says_what_a_reactor_has_to_do() -> None:
    reactor = Reactor()
    reactor.callLater(1, lambda: None)
    assert reactor_variables(reactor) == {
        "class": "Reactor",
        "delayed_calls": 1,
        "readers": 0,
        "writers": 0,
    }
