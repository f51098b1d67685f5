"""The debug server of a daemon, as a whole."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThreadPool

from notary import __version__
from notary.observe.debug.deferreds import count_pending, waiting_report
from notary.observe.debug.heap import watch_heap
from notary.observe.debug.pages import INDEX, Page, tree
from notary.observe.debug.sampler import Sampler
from notary.observe.debug.site import DebugSite
from notary.observe.debug.speedscope import speedscope
from notary.observe.debug.stacks import thread_stacks
from notary.observe.debug.variables import process_variables, reactor_variables, render

_T = TypeVar("_T")


def debug_site(reactor: Any, daemon: str, address: str) -> DebugSite:
    """Return a site with all that can be seen of a daemon while it runs.

    Args:
        reactor: the daemon's; it runs in the main thread.
        daemon: its name.
        address: where the site is going to be served.
    """
    pages = _Pages(reactor, daemon, time.monotonic())
    return DebugSite(tree(f"{daemon} {__version__}", pages.all()), reactor, address)


@attrs.frozen
class _Pages:
    """Makes the pages; what takes long does so in threads."""

    _reactor: Any
    _daemon: str
    _started: float

    def all(self) -> list[Page]:
        return [
            Page(
                "/debug/vars",
                "Figures about the process: memory, files, threads, garbage, the reactor. JSON.",
                self._variables,
                content_type="application/json; charset=utf-8",
            ),
            Page(f"{INDEX}cmdline", "The command line, its parts separated by NUL.", self._cmdline),
            Page(
                f"{INDEX}profile",
                "Where the time of each thread goes, for ?seconds=30. A file for "
                "https://www.speedscope.app.",
                self._profile,
                seconds=30,
                content_type="application/json; charset=utf-8",
                file_name=f"{self._daemon}.speedscope.json",
            ),
            Page(f"{INDEX}threads", "What each thread is doing at the moment.", self._threads),
            Page(
                f"{INDEX}deferreds",
                "What is waited for, by the place in the code that waits.",
                self._deferreds,
            ),
            Page(
                f"{INDEX}heap",
                "Memory allocated within ?seconds=10 and still held, by line of code. Makes the "
                "daemon slower meanwhile.",
                self._heap,
                seconds=10,
            ),
        ]

    async def _variables(self, _seconds: int) -> bytes:
        pending = await self._in_thread(count_pending)
        return render(
            {
                **process_variables(),
                "version": __version__,
                "uptime_seconds": round(time.monotonic() - self._started, 3),
                "reactor": {**reactor_variables(self._reactor), "pending_deferreds": pending},
            }
        )

    async def _cmdline(self, _seconds: int) -> bytes:
        return "\0".join(sys.orig_argv).encode(errors="surrogateescape")

    async def _threads(self, _seconds: int) -> bytes:
        return (await self._in_thread(thread_stacks)).encode()

    async def _deferreds(self, _seconds: int) -> bytes:
        return (await self._in_thread(waiting_report)).encode()

    async def _heap(self, seconds: int) -> bytes:
        return (await watch_heap(seconds, self._pause, self._in_thread)).encode()

    async def _profile(self, seconds: int) -> bytes:
        names = {threading.get_ident(): "reactor"}
        cpu = time.process_time(), time.thread_time()
        sampler = Sampler()
        sampler.start()
        try:
            await self._pause(seconds)
        finally:
            times = sampler.stop()
        every, own = time.process_time() - cpu[0], time.thread_time() - cpu[1]
        for thread in threading.enumerate():
            names.setdefault(thread.ident or 0, thread.name)
        title = (
            f"{self._daemon}: {seconds} s, in which the reactor's thread used {own:.2f} s and "
            f"all threads {every:.2f} s of a processor"
        )
        exporter = f"txnotary {__version__}"
        return await self._in_thread(lambda: speedscope(title, exporter, times, names))

    def _pause(self, seconds: float) -> Deferred[None]:
        return deferLater(self._reactor, seconds, lambda: None)

    def _in_thread(self, function: Callable[[], _T]) -> Deferred[_T]:
        return deferToThreadPool(self._reactor, self._reactor.getThreadPool(), function)
