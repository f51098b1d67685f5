"""Questions that share queries: none gets an answer that is older than itself."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, cast

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import Clock

from notary import request_id
from notary.storage.batches import LARGEST, PATIENCE, Batches
from notary.storage.interfaces import StoreUnavailableError, UnstorableError


class Store:
    """Notes what it is asked, and answers when it is told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []
        self.running: list[Deferred[Mapping[str, str]]] = []
        self.contexts: list[str] = []

    def ask(self, questions: Collection[str]) -> Deferred[Mapping[str, str]]:
        self.asked.append(tuple(questions))
        self.contexts.append(request_id.current())
        self.running.append(Deferred())
        return self.running[-1]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def batches(store: Store, clock: Clock) -> Batches[str, str]:
    return Batches(store.ask, cast(IReactorTime, clock))


def asking(batches: Batches[str, str], question: str) -> list[Any]:
    """What comes of a question, as it comes."""
    answers: list[Any] = []
    batches.get(question).addBoth(answers.append)
    return answers


def test_the_first_is_asked_at_once(store: Store, batches: Batches[str, str]) -> None:
    answers = asking(batches, "a")
    assert store.asked == [("a",)]
    store.running[0].callback({"a": "1"})
    assert answers == ["1"]


def test_those_who_come_meanwhile_are_asked_for_together(
    store: Store, batches: Batches[str, str], clock: Clock
) -> None:
    first = asking(batches, "a")
    more = [asking(batches, question) for question in ("a", "b", "c", "b")]
    assert store.asked == [("a",)]
    store.running[0].callback({"a": "old", "b": "old"})
    assert (first, more) == (["old"], [[], [], [], []])
    assert store.asked == [("a",), ("a", "b", "c")]
    store.running[1].callback({"a": "1", "b": "2"})
    assert more == [["1"], ["2"], [None], ["2"]]
    clock.advance(PATIENCE)
    assert clock.getDelayedCalls() == []


def test_who_asks_when_answers_are_there_is_asked_for_anew(
    store: Store, batches: Batches[str, str]
) -> None:
    later: list[Any] = []
    batches.get("a").addCallback(lambda _: batches.get("a").addCallback(later.append))
    store.running[0].callback({"a": "old"})
    assert later == []
    store.running[1].callback({"a": "new"})
    assert later == ["new"]


def test_no_query_is_too_large(store: Store, batches: Batches[str, str]) -> None:
    asking(batches, "first")
    for number in range(LARGEST + 1):
        asking(batches, str(number))
    for running in range(2):
        store.running[running].callback({})
    assert [len(asked) for asked in store.asked] == [1, LARGEST, 1]


def test_a_query_that_hangs_holds_up_nobody_else(
    store: Store, batches: Batches[str, str], clock: Clock
) -> None:
    stuck = asking(batches, "a")
    waits = asking(batches, "b")
    clock.advance(PATIENCE)
    assert store.asked == [("a",), ("b",)]
    store.running[1].callback({"b": "2"})
    assert waits == ["2"]
    asking(batches, "c")
    assert store.asked[2:] == [("c",)]
    store.running[0].callback({"a": "1"})
    assert stuck == ["1"]


def test_each_query_is_waited_for_as_long(
    clock: Clock, store: Store, batches: Batches[str, str]
) -> None:
    asking(batches, "a")
    clock.advance(PATIENCE / 2)
    store.running[0].callback({})
    asking(batches, "b")
    waits = asking(batches, "c")
    clock.advance(PATIENCE / 2)
    assert store.asked == [("a",), ("b",)]
    clock.advance(PATIENCE / 2)
    assert store.asked == [("a",), ("b",), ("c",)]
    store.running[2].callback({"c": "3"})
    assert waits == ["3"]


def test_a_store_that_is_away_is_away_for_all(store: Store, batches: Batches[str, str]) -> None:
    asking(batches, "a")
    answers = [asking(batches, question) for question in "bc"]
    store.running[0].callback({})
    store.running[1].errback(StoreUnavailableError())
    for (answer,) in answers:
        assert answer.check(StoreUnavailableError)
    assert len(store.asked) == 2


def test_a_question_that_cannot_be_asked_fails_alone(
    store: Store, batches: Batches[str, str]
) -> None:
    asking(batches, "a")
    good, bad = asking(batches, "good"), asking(batches, "bad")
    store.running[0].callback({})
    store.running[1].errback(UnstorableError())
    assert store.asked[2:] == [("good",), ("bad",)]
    store.running[2].callback({"good": "1"})
    store.running[3].errback(UnstorableError())
    assert good == ["1"]
    assert bad[0].check(UnstorableError)


def test_one_that_went_away_does_not_matter(store: Store, batches: Batches[str, str]) -> None:
    gone = batches.get("a")
    gone.addErrback(lambda _: None)
    gone.cancel()
    store.running[0].callback({"a": "1"})
    answers = asking(batches, "a")
    store.running[1].callback({"a": "2"})
    assert answers == ["2"]


def test_everybody_goes_on_in_his_own_context(store: Store, batches: Batches[str, str]) -> None:
    seen = []
    for name in ("one", "two", "three"):
        with request_id.serving(name):
            batches.get("a").addCallback(lambda _: seen.append(request_id.current()))
    store.running[0].callback({})
    store.running[1].callback({})
    assert seen == ["one", "two", "three"]
