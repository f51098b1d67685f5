"""Work that outlives the request that began it, and work that several requests share."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Hashable
from contextvars import Context, copy_context
from typing import Any, Generic, TypeVar

import attrs
from twisted.internet.defer import Deferred
from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure

T = TypeVar("T")

_log = Logger()


@attrs.define
class _Waiter(Generic[T]):
    """Somebody who waits for work, and goes on in the context in which the waiting began."""

    deferred: Deferred[T] = attrs.field(factory=Deferred)
    context: Context = attrs.field(factory=copy_context)


def shield(work: Deferred[T]) -> Deferred[T]:
    """Return a Deferred that fires as the given one does, yet leaves it alone if cancelled.

    A client that goes away cancels the Deferred of its request; what has begun on its behalf
    still runs to its end.
    """
    waiter: _Waiter[T] = _Waiter()
    work.addBoth(_pass_on, [waiter])
    return waiter.deferred


class Shared(Generic[T]):
    """Runs one piece of work per key at a time; whoever asks meanwhile waits for the same.

    The work has the context of whoever asked first, and so the ID of that request.
    """

    def __init__(self) -> None:
        self._waiting: dict[Hashable, list[_Waiter[T]]] = {}

    def run(self, key: Hashable, work: Callable[[], Coroutine[Any, Any, T]]) -> Deferred[T]:
        """Return a Deferred that fires with the result of the work that runs under the key.

        Cancelling it does not cancel the work.
        """
        mine: _Waiter[T] = _Waiter()
        if key in self._waiting:
            self._waiting[key].append(mine)
        else:
            self._waiting[key] = [mine]
            Deferred.fromCoroutine(work()).addBoth(self._done, key)
        return mine.deferred

    def _done(self, result: T | Failure, key: Hashable) -> None:
        _pass_on(result, self._waiting.pop(key))


def _pass_on(result: T | Failure, waiters: list[_Waiter[T]]) -> None:
    if isinstance(result, Failure) and all(waiter.deferred.called for waiter in waiters):
        message = "failed after its client had gone away"
        waiters[0].context.run(_log.failure, message, result, LogLevel.error)
    for waiter in waiters:
        waiter.context.run(waiter.deferred.callback, result)
