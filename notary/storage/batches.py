"""Many questions answered by few queries, none of which began before its question was asked."""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping
from contextvars import Context, copy_context
from itertools import islice
from typing import Generic, TypeVar

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from notary.storage.interfaces import StoreUnavailableError

_K = TypeVar("_K", bound=Hashable)
_V = TypeVar("_V")

LARGEST = 64
"""Questions that one query answers at the most, unless another number is given."""

PATIENCE = 0.05
"""Seconds for which a running query keeps the next one waiting; after that it is left alone."""


@attrs.define(eq=False)
class _Waiter(Generic[_V]):
    """Somebody who asked, and goes on in the context in which that was done."""

    deferred: Deferred[_V | None] = attrs.field(factory=Deferred)
    context: Context = attrs.field(factory=copy_context)


class Batches(Generic[_K, _V]):
    """Collects questions while a query runs, and has the next query answer all of them.

    A question that comes while a query runs never gets an answer of that one, which may know
    nothing of what was written meanwhile.

    Args:
        ask: answers several questions at once; what has no answer is left out.
        clock: tells when a query takes too long to wait for it.
        largest: how many questions one query answers at the most.
    """

    def __init__(
        self,
        ask: Callable[[Collection[_K]], Deferred[Mapping[_K, _V]]],
        clock: IReactorTime,
        largest: int = LARGEST,
    ) -> None:
        self._ask = ask
        self._clock = clock
        self._largest = largest
        self._waiting: dict[_K, list[_Waiter[_V]]] = {}
        self._running: Mapping[_K, list[_Waiter[_V]]] | None = None
        self._began = 0.0
        self._is_watched = False

    def get(self, question: _K) -> Deferred[_V | None]:
        """Return a Deferred that fires with the answer, or with None if there is none.

        It fails as the query does; but one that fails because of a single question, and not since
        the store is unavailable, fails for whoever asked that.
        """
        waiter: _Waiter[_V] = _Waiter()
        self._waiting.setdefault(question, []).append(waiter)
        if self._running is None:
            self._begin()
        return waiter.deferred

    def _begin(self) -> None:
        questions = list(islice(self._waiting, self._largest))
        batch = self._running = {question: self._waiting.pop(question) for question in questions}
        self._began = self._clock.seconds()
        if not self._is_watched:
            self._watch(PATIENCE)
        self._ask(questions).addBoth(self._over, batch)

    def _watch(self, seconds: float) -> None:
        """Look after the query then, which may be another one: a timer for each takes longer."""
        self._is_watched = True
        self._clock.callLater(seconds, self._look)

    def _look(self) -> None:
        self._is_watched = False
        if self._running is None:
            return
        left = self._began + PATIENCE - self._clock.seconds()
        if left > 0:
            self._watch(left)
        else:
            self._go_on()

    def _go_on(self) -> None:
        self._running = None
        if self._waiting:
            self._begin()

    def _over(
        self, answers: Mapping[_K, _V] | Failure, batch: Mapping[_K, list[_Waiter[_V]]]
    ) -> None:
        if batch is self._running:
            self._go_on()
        if not isinstance(answers, Failure):
            for question, waiters in batch.items():
                _tell(answers.get(question), waiters)
        elif len(batch) == 1 or answers.check(StoreUnavailableError):
            for waiters in batch.values():
                _tell(answers, waiters)
        else:
            for question, waiters in batch.items():
                self._ask([question]).addBoth(self._tell_one, question, waiters)

    def _tell_one(
        self, answers: Mapping[_K, _V] | Failure, question: _K, waiters: list[_Waiter[_V]]
    ) -> None:
        _tell(answers if isinstance(answers, Failure) else answers.get(question), waiters)


def _tell(answer: _V | Failure | None, waiters: list[_Waiter[_V]]) -> None:
    for waiter in waiters:
        waiter.context.run(waiter.deferred.callback, answer)
