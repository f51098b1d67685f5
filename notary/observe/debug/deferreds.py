"""What waits: Deferreds that have not fired, and coroutines that await something."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from types import CodeType, CoroutineType, FunctionType, MethodType
from typing import Any, cast

from twisted.internet.defer import Deferred

from notary.observe.debug.places import frame_place, name_of, place

MAX_GROUPS = 200
MAX_DEPTH = 50


def count_pending() -> int:
    """Return how many Deferreds have not fired. Looks at every object there is."""
    return sum(1 for _ in _pending(gc.get_objects()))


def waiting_report() -> str:
    """Return what waits, grouped by where, the most frequent first. Looks at every object."""
    objects = gc.get_objects()
    deferreds = Counter(map(_receiver, _pending(objects)))
    coroutines = Counter(map(_awaits, _outermost(objects)))
    return (
        f"{sum(coroutines.values())} coroutines await something, here and through here:\n\n"
        f"{_table(coroutines)}\n"
        f"{sum(deferreds.values())} Deferreds have not fired; their results go first to:\n\n"
        f"{_table(deferreds)}"
    )


def _table(groups: Counter[str]) -> str:
    lines = [f"{count:8} {where}\n" for where, count in groups.most_common(MAX_GROUPS)]
    if len(groups) > MAX_GROUPS:
        lines.append(f"and {len(groups) - MAX_GROUPS} more places\n")
    return "".join(lines)


def _pending(objects: Iterable[object]) -> Iterator[Deferred[Any]]:
    # Not isinstance(), which would ask proxies what they stand for.
    for item in objects:
        kind: type = type(item)
        if issubclass(kind, Deferred):
            deferred = cast("Deferred[Any]", item)
            if not deferred.called:
                yield deferred


def _receiver(deferred: Deferred[Any]) -> str:
    """Where the first callback of a Deferred is."""
    # There is no public name for them any more.
    for (callback, *_), _errback in deferred._callbacks:
        return _place_of(callback) if callable(callback) else "a Deferred that waits for this one"
    return "nobody yet"


def _place_of(callback: Callable[..., object]) -> str:
    function: Any = callback
    while isinstance(function, (partial, MethodType)):
        function = function.func if isinstance(function, partial) else function.__func__
    code = function.__code__ if isinstance(function, FunctionType) else None
    return place(code) if isinstance(code, CodeType) else type(function).__qualname__


def _outermost(objects: Iterable[object]) -> list[CoroutineType[Any, Any, Any]]:
    """Coroutines that are suspended, without those that another one awaits."""
    coroutines = [item for item in objects if type(item) is CoroutineType]
    suspended = [each for each in coroutines if each.cr_frame and each.cr_await is not None]
    awaited = {id(each.cr_await) for each in suspended}
    return [each for each in suspended if id(each) not in awaited]


def _awaits(coroutine: CoroutineType[Any, Any, Any]) -> str:
    """Where a coroutine waits, and what leads there: one line for each that awaits the next."""
    places: list[str] = []
    waiting: Any = coroutine
    while type(waiting) is CoroutineType and len(places) < MAX_DEPTH:
        frame = waiting.cr_frame
        places.append(name_of(waiting.cr_code) if frame is None else frame_place(frame))
        waiting = waiting.cr_await
    return f"\n{'':9}".join(reversed(places))
