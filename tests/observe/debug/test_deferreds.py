"""What waits, by where it waits."""

from __future__ import annotations

import gc
from functools import partial

import pytest
from twisted.internet.defer import Deferred, DeferredList, succeed

from notary.observe.debug import deferreds
from notary.observe.debug.deferreds import count_pending, waiting_report

HERE = "tests/observe/debug/test_deferreds.py"


class Receiver:
    def receive(self, result: str, *more: str) -> str:
        return result


async def inner(waiting: Deferred[str], secret: str) -> str:
    return await waiting


async def outer(waiting: Deferred[str]) -> str:
    return await inner(waiting, "open sesame")


def parts() -> tuple[str, str]:
    """The report's part about coroutines, and the one about Deferreds."""
    coroutines, _, rest = waiting_report().partition("Deferreds have not fired")
    return coroutines, rest


def test_deferreds_are_counted_until_they_fire() -> None:
    gc.collect()
    before = count_pending()
    waiting = [Deferred[str]() for _ in range(3)]
    assert count_pending() == before + 3
    waiting[0].callback("")
    assert count_pending() == before + 2
    both = DeferredList(waiting[1:])
    assert count_pending() == before + 3
    assert not both.called


def test_coroutines_are_shown_once_with_all_that_they_await() -> None:
    waiting = [Deferred[str]() for _ in range(3)]
    running = [Deferred.fromCoroutine(outer(each)) for each in waiting]
    coroutines, _ = parts()
    (group,) = (g for g in coroutines.split("       3 ") if f"{HERE}:" in g.splitlines()[0])
    lines = group.splitlines()[:2]
    assert lines[0].startswith(f"{HERE}:")
    assert lines[0].endswith(" inner")
    assert lines[1].strip().startswith(f"{HERE}:")
    assert lines[1].endswith(" outer")
    assert "open sesame" not in coroutines
    for each in waiting:
        each.callback("done")
    assert len(running) == 3
    assert " inner" not in parts()[0]


def test_deferreds_are_shown_by_who_gets_their_results() -> None:
    receiver = Receiver()
    waiting = [Deferred[str]() for _ in range(5)]
    waiting[0].addCallback(receiver.receive)
    waiting[1].addCallback(partial(partial(receiver.receive), "open sesame"))
    waiting[2].addCallback(str)
    succeed(None).addCallback(lambda _: waiting[3])
    _, table = parts()
    lines = [line.split(maxsplit=1) for line in table.splitlines() if line[:8].strip().isdigit()]
    counts = {where: int(count) for count, where in lines}
    (name,) = (where for where in counts if where.endswith("receive"))
    assert name.startswith(f"{HERE}:")
    assert counts[name] == 2
    assert counts["type"] >= 1
    assert counts["nobody yet"] >= 1
    assert counts["a Deferred that waits for this one"] >= 1
    assert "open sesame" not in table


def test_the_table_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deferreds, "MAX_GROUPS", 1)
    waiting = [Deferred[str](), Deferred[str](), Deferred[str]()]
    waiting[0].addCallback(str)
    waiting[1].addCallback(Receiver().receive)
    _, table = parts()
    assert "more places" in table


def test_long_chains_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deferreds, "MAX_DEPTH", 1)
    waiting = Deferred[str]()
    running = Deferred.fromCoroutine(outer(waiting))
    coroutines, _ = parts()
    assert " outer" in coroutines
    assert " inner" not in coroutines
    waiting.callback("done")
    assert running.called
