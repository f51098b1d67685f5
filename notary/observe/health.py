"""Whether everything a daemon depends on is there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from twisted.application.service import Service
from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from notary.sharing import Shared

Checks = Mapping[str, Callable[[], Deferred[None]]]
"""What is asked of everything that is depended on, by the name of what would be missing."""

CHECK_TIMEOUT = 5
"""Seconds after which a check that has not answered has failed."""

INTERVAL = 5
"""Seconds between two looks at what a daemon needs to be ready."""

RETRY = 1
"""Seconds until the next look when something failed: it may only have been a start."""

STALE = 30
"""Seconds after which what was seen then counts for nothing any more."""


async def failing_checks(checks: Checks, clock: IReactorTime) -> dict[str, str]:
    """Run named checks at the same time.

    Returns:
        The reasons of those that fail, by name; empty if all is well.
    """
    running = {name: check().addTimeout(CHECK_TIMEOUT, clock) for name, check in checks.items()}
    failures = {}
    for name, check in running.items():
        try:
            await check
        except TimeoutError:
            failures[name] = f"no answer within {CHECK_TIMEOUT} seconds"
        except Exception as error:
            failures[name] = str(error)
    return failures


class Health:
    """The checks of a daemon, of which there is one run at a time, whoever asks.

    Args:
        checks: what is asked.
        clock: runs the time-outs.
    """

    def __init__(self, checks: Checks, clock: IReactorTime) -> None:
        self._checks = checks
        self._clock = clock
        self._running: Shared[dict[str, str]] = Shared()

    @property
    def names(self) -> Collection[str]:
        """What the checks are called."""
        return self._checks.keys()

    def failing(self) -> Deferred[dict[str, str]]:
        """Fire with the reasons of the checks that fail, by name."""
        return self._running.run(None, lambda: failing_checks(self._checks, self._clock))


class Readiness(Service):
    """Whether a daemon should get work, known before anybody asks.

    Args:
        health: is asked every few seconds.
        clock: tells when.
        without: checks that do not matter here: most of the work can be done although they fail.
    """

    _log = Logger()

    def __init__(self, health: Health, clock: IReactorTime, without: Collection[str] = ()) -> None:
        self._health = health
        self._clock = clock
        self._without = without
        self._failing: Mapping[str, str] = {}
        self._seen: float | None = None
        self._stopping = False
        self._looking = LoopingCall(self._look)
        self._looking.clock = clock

    def startService(self) -> None:
        """Begin to look."""
        super().startService()
        self._stopping = False
        self._looking.start(INTERVAL)

    def stopService(self) -> None:
        """Cease to look, and not be ready from now on, whatever the checks say."""
        super().stopService()
        self._stopping = True
        self._looking.stop()

    def _look(self) -> Deferred[None]:
        return self._health.failing().addCallbacks(
            self._saw, lambda failure: self._log.failure("the checks could not be run", failure)
        )

    def _saw(self, failing: Mapping[str, str]) -> None:
        self._failing = failing
        self._seen = self._clock.seconds()
        self._looking.interval = RETRY if failing else INTERVAL

    def reasons(self) -> dict[str, str]:
        """Return what keeps the daemon from being ready, by name; empty if it is."""
        if self._stopping:
            return {"Stopping": "the daemon finishes what it has begun"}
        if self._seen is None:
            return {"Checks": "not checked yet"}
        age = self._clock.seconds() - self._seen
        if age > STALE:
            return {"Checks": f"not checked for {age:.0f} seconds"}
        return {name: why for name, why in self._failing.items() if name not in self._without}

    def passing(self) -> dict[str, float]:
        """Return 1 or 0 for each check, as it was last seen; nothing before that."""
        if self._seen is None:
            return {}
        return {name: float(name not in self._failing) for name in self._health.names}
