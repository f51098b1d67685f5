"""Work that outlives the request that began it, and work that several requests share."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure

T = TypeVar("T")

_log = Logger()


def shield(work: Deferred[T]) -> Deferred[T]:
    """Return a Deferred that fires as the given one does, yet leaves it alone if cancelled.

    A client that goes away cancels the Deferred of its request; what has begun on its behalf
    still runs to its end.
    """
    outer: Deferred[T] = Deferred()
    work.addBoth(_pass_on, [outer])
    return outer


class Shared(Generic[T]):
    """Runs one piece of work per key at a time; whoever asks meanwhile waits for the same."""

    def __init__(self) -> None:
        self._waiting: dict[Hashable, list[Deferred[T]]] = {}

    def run(self, key: Hashable, work: Callable[[], Coroutine[Any, Any, T]]) -> Deferred[T]:
        """Return a Deferred that fires with the result of the work that runs under the key.

        Cancelling it does not cancel the work.
        """
        mine: Deferred[T] = Deferred()
        if key in self._waiting:
            self._waiting[key].append(mine)
        else:
            self._waiting[key] = [mine]
            Deferred.fromCoroutine(work()).addBoth(self._done, key)
        return mine

    def _done(self, result: T | Failure, key: Hashable) -> None:
        _pass_on(result, self._waiting.pop(key))


def _pass_on(result: T | Failure, waiters: list[Deferred[T]]) -> None:
    if isinstance(result, Failure) and all(waiter.called for waiter in waiters):
        _log.failure("failed after its client had gone away", result, LogLevel.error)
    for waiter in waiters:
        waiter.callback(result)
