"""Where the time goes: a look at the stack of every thread, a hundred times a second.

The kernel's timer interrupts the reactor's thread with a signal, as it does for Go's profiler. A
thread that only slept in between would not do: it wakes up when it is given the interpreter's lock,
which is where other threads give it away, not where they are busy.
"""

from __future__ import annotations

import random
import signal
import sys
import threading
import time
from collections.abc import Mapping
from types import CodeType, FrameType
from typing import Any

import attrs

INTERVAL = 0.01
"""Seconds between two looks, on average."""

SWITCH_INTERVAL = 0.0005
"""Seconds after which a busy thread gives the lock away, and so can be caught in what it does."""

MAX_STACKS = 20_000
"""How many different stacks are told from each other."""

MAX_DEPTH = 200
"""How many functions of a stack are kept, from the innermost out."""

Stack = tuple[int, ...]
"""Identities of the code objects of functions, the outermost first."""


@attrs.frozen
class Times:
    """How long threads were seen with which stacks.

    Attributes:
        threads: seconds for each stack, by identity of the thread. The empty stack stands for
            those beyond `MAX_STACKS`.
        codes: code objects by identity.
    """

    threads: dict[int, dict[Stack, float]] = attrs.Factory(dict)
    codes: dict[int, CodeType] = attrs.Factory(dict)

    def add(self, frames: Mapping[int, FrameType], seconds: float) -> None:
        """Charge some time to the stacks that threads have."""
        for thread, frame in frames.items():
            stacks = self.threads.setdefault(thread, {})
            stack = self._stack(frame)
            if stack not in stacks and sum(map(len, self.threads.values())) >= MAX_STACKS:
                stack = ()
            stacks[stack] = stacks.get(stack, 0.0) + seconds

    def _stack(self, innermost: FrameType) -> Stack:
        stack: list[int] = []
        frame: FrameType | None = innermost
        while frame is not None and len(stack) < MAX_DEPTH:
            code = frame.f_code
            self.codes[id(code)] = code
            stack.append(id(code))
            frame = frame.f_back
        return tuple(reversed(stack))


class Sampler:
    """Looks at all threads, from when it is started until it is stopped.

    Only one at a time may do so, and only the main thread may start and stop it: it needs the
    signal SIGALRM.

    Attributes:
        looks: how often it did.
    """

    def __init__(self) -> None:
        self._times: Times | None = None
        self._main = 0
        self._last = 0.0
        self._switch_interval = 0.0
        self.looks = 0

    def start(self) -> None:
        """Begin to look."""
        self._times = Times()
        self._main = threading.get_ident()
        self._switch_interval = sys.getswitchinterval()
        sys.setswitchinterval(SWITCH_INTERVAL)
        signal.signal(signal.SIGALRM, self._look)
        signal.siginterrupt(signal.SIGALRM, False)
        self._last = time.monotonic()
        self._set_alarm()

    def stop(self) -> Times:
        """Return what was seen. The signal is still handled, since one may be on its way."""
        assert self._times is not None  # noqa: S101 - it was started
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.setswitchinterval(self._switch_interval)
        times, self._times = self._times, None
        return times

    def _set_alarm(self) -> None:
        # An even beat would keep step with whatever else has one.
        seconds = random.uniform(0.5, 1.5) * INTERVAL  # noqa: S311 - no secret
        signal.setitimer(signal.ITIMER_REAL, seconds)

    def _look(self, _signal: int, frame: Any) -> None:
        if self._times is None:
            return
        now = time.monotonic()
        frames = sys._current_frames()
        frames[self._main] = frame
        self._times.add(frames, now - self._last)
        self._last = now
        self.looks += 1
        self._set_alarm()
