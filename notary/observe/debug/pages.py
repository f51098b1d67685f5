"""Pages of the debug server: each is made when it is asked for, and may take its time."""

from __future__ import annotations

import html
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

import attrs
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.http import BAD_REQUEST, CONFLICT, INTERNAL_SERVER_ERROR
from twisted.web.pages import notFound
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET, Request

from notary.observe.debug.site import TEXT, say

MAX_SECONDS = 300
"""How long anything may be watched."""

INDEX = "/debug/pprof/"

_Making = Coroutine[Deferred[Any], Any, bytes]


@attrs.frozen
class Page:
    """Something to be looked at.

    Attributes:
        path: where it is.
        about: what it shows, for the index.
        make: returns its bytes, given the seconds to watch for.
        seconds: to watch for if the request does not say; None if it shows a moment.
        content_type: of the bytes.
        file_name: what a browser saves it as; None to show it.
    """

    path: str
    about: str
    make: Callable[[int], _Making]
    seconds: int | None = None
    content_type: str = TEXT
    file_name: str | None = None


class Branch(Resource):
    """A place below which there are pages, but which is none."""

    def getChild(self, path: bytes, request: Request) -> IResource:
        """Return what tells that there is nothing else."""
        return notFound()

    def render_GET(self, request: Request) -> Any:
        """Say that there is nothing here."""
        return notFound().render(request)


class PageResource(Branch):
    """Answers with a page, one at a time if it takes a while."""

    _log = Logger()

    def __init__(self, page: Page) -> None:
        super().__init__()
        self._page = page
        self._watching = False

    def render_HEAD(self, request: Request) -> bytes:
        """Answer without making the page."""
        self._set_headers(request)
        return b""

    def render_GET(self, request: Request) -> Any:
        """Answer with the page; make no more of it if nobody waits for it any longer."""
        try:
            seconds = self._seconds(request)
        except ValueError as error:
            return say(request, BAD_REQUEST, str(error))
        if self._watching:
            return say(request, CONFLICT, f"{self._page.path} is being made for somebody else")
        self._watching = self._page.seconds is not None
        making = Deferred.fromCoroutine(self._page.make(seconds))
        request.notifyFinish().addErrback(lambda _: making.cancel())
        making.addBoth(self._end_watching)
        making.addCallbacks(
            self._answer, self._fail, callbackArgs=(request,), errbackArgs=(request,)
        )
        return NOT_DONE_YET

    def _end_watching(self, result: Any) -> Any:
        self._watching = False
        return result

    def _seconds(self, request: Request) -> int:
        if self._page.seconds is None:
            return 0
        given = (request.args or {}).get(b"seconds", [b"%d" % self._page.seconds])[0]
        if not given.isdigit() or len(given) > 3 or not 1 <= int(given) <= MAX_SECONDS:
            raise ValueError(f"seconds: a whole number from 1 to {MAX_SECONDS}")
        return int(given)

    def _set_headers(self, request: Request) -> None:
        request.setHeader("Content-Type", self._page.content_type)
        if self._page.file_name is not None:
            request.setHeader(
                "Content-Disposition", f'attachment; filename="{self._page.file_name}"'
            )

    def _answer(self, body: bytes, request: Request) -> None:
        self._set_headers(request)
        request.setHeader("Content-Length", str(len(body)))
        request.write(body)
        request.finish()

    def _fail(self, failure: Failure, request: Request) -> None:
        if failure.check(CancelledError):
            return
        self._log.failure("{path} cannot be made", failure, path=self._page.path)
        request.write(say(request, INTERNAL_SERVER_ERROR, "this failed; the log says why"))
        request.finish()


class Index(Branch):
    """Lists pages, in HTML."""

    def __init__(self, title: str, pages: Iterable[Page]) -> None:
        super().__init__()
        rows = "\n".join(_row(page) for page in pages)
        heading = html.escape(title)
        self._body = (
            f"<!DOCTYPE html>\n<html><head><title>{heading}</title></head><body>\n"
            f"<h1>{heading}</h1>\n<table>\n{rows}\n</table>\n</body></html>\n"
        ).encode()
        self.putChild(b"", self)

    def render_GET(self, request: Request) -> Any:
        """Answer with the list."""
        request.setHeader("Content-Type", "text/html; charset=utf-8")
        return self._body


def _row(page: Page) -> str:
    path, about = html.escape(page.path), html.escape(page.about)
    return f'<tr><td><a href="{path}">{path}</a></td><td>{about}</td></tr>'


def tree(title: str, pages: Iterable[Page]) -> IResource:
    """Return the root under which all pages are, with their index at `INDEX`."""
    pages = list(pages)
    root, debug = Branch(), Branch()
    index = Index(title, pages)
    root.putChild(b"debug", debug)
    debug.putChild(b"pprof", index)
    for page in pages:
        parent = index if page.path.startswith(INDEX) else debug
        parent.putChild(page.path.rpartition("/")[2].encode(), PageResource(page))
    return root
