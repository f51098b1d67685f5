"""Whether everything a daemon depends on is there."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from twisted.internet.defer import Deferred, TimeoutError
from twisted.internet.interfaces import IReactorTime

Checks = Mapping[str, Callable[[], Deferred[None]]]
"""What is asked of everything that is depended on, by the name of what would be missing."""

CHECK_TIMEOUT = 5
"""Seconds after which a check that has not answered has failed."""


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
