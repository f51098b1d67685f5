"""Running the checks of a daemon in place of the daemon."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, TimeoutError, gatherResults
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from notary.check.findings import Finding, Severity, error, exit_status

CHECK_SECONDS = 60
"""Seconds after which a check is given up."""

Check = Coroutine[Any, Any, Sequence[Finding]]

_log = Logger()


def run(reactor: Any, check: Callable[[], Check]) -> int:
    """Run a check in a reactor that does not run yet, and print what it finds, one thing a line.

    Returns:
        The exit status: 0 if all is well, 1 if there are warnings only, 2 if there are errors or
        the check was interrupted.
    """
    findings: list[Finding] = []

    def end(_: object) -> None:
        reactor.stop()

    def begin() -> None:
        checking = Deferred.fromCoroutine(check())
        checking.addCallbacks(findings.extend, lambda failure: failure.printTraceback())
        checking.addBoth(end)

    reactor.callWhenRunning(begin)
    reactor.run()
    for finding in findings:
        print(finding)
    return exit_status(findings) if findings else int(Severity.ERROR)


async def together(clock: IReactorTime, checks: Iterable[tuple[str, Check]]) -> list[Finding]:
    """Run checks at the same time, none for longer than `CHECK_SECONDS`.

    Args:
        clock: tells the time.
        checks: each with the key path that it is about, in the order of the findings.

    Returns:
        What they find. A check that fails is an error among these, and hides none of the others.
    """
    running = [Deferred.fromCoroutine(_guarded(subject, check, clock)) for subject, check in checks]
    return [finding for found in await gatherResults(running) for finding in found]


async def _guarded(subject: str, check: Check, clock: IReactorTime) -> Sequence[Finding]:
    try:
        return await Deferred.fromCoroutine(check).addTimeout(CHECK_SECONDS, clock)
    except TimeoutError:
        return [error(subject, f"no answer within {CHECK_SECONDS} seconds: is it overloaded?")]
    except Exception as problem:
        _log.failure("checking {subject}", subject=subject)
        return [error(subject, f"could not be checked: {type(problem).__name__}: {problem}")]


def log_concerns(findings: Iterable[Finding]) -> None:
    """Log what a daemon that starts nevertheless should not keep to itself."""
    for finding in findings:
        if finding.severity is not Severity.OK:
            log = _log.error if finding.severity is Severity.ERROR else _log.warn
            log("{subject}: {message}", subject=finding.subject, message=finding.message)
