"""The HTTP API: which path does what."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from typing import Any, TypeVar

import attrs
from klein import Klein
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure
from twisted.web.http import INTERNAL_SERVER_ERROR, SERVICE_UNAVAILABLE
from twisted.web.iweb import IRequest
from werkzeug.exceptions import HTTPException

from notary import request_id
from notary.observe.metrics import RequestMetrics
from notary.observe.pages import Page, Pages
from notary.server.access.interfaces import IAccess, Need
from notary.server.answers import render_body, render_error, render_json
from notary.server.caching import CacheControl, render_file
from notary.server.changefeed import Changefeed, page_of
from notary.server.converters import CONVERTERS
from notary.server.errors import (
    INVALID_GUN,
    METADATA_NOT_FOUND,
    APIError,
    api_error,
)
from notary.server.headers import header
from notary.server.keys import ServerKeys
from notary.server.lessons import (
    NO_COLLECTION,
    NO_ROUTE,
    Lesson,
    no_file,
    of_current,
    of_file,
    of_page,
)
from notary.server.lifetimes import Lifetimes
from notary.server.operations import operation
from notary.server.publishing import Publishing
from notary.server.reading import read_under
from notary.server.renewal import Renewal
from notary.signing.interfaces import ISigner
from notary.storage.interfaces import FileNotStoredError, IMetadataStore, StoredFile
from notary.tuf.errors import InvalidGUNError
from notary.tuf.names import SNAPSHOT, TIMESTAMP, check_gun

T = TypeVar("T")

_log = Logger()


@attrs.frozen
class Policy:
    """What an operator decides about the API.

    Attributes:
        gun_prefixes: collections must begin with one of these; none means that any name will do.
        current: how long current metadata may be kept by clients and proxies.
        consistent: the same for metadata asked for by checksum or version.
    """

    gun_prefixes: Sequence[str]
    current: CacheControl
    consistent: CacheControl


class API:
    """The routes of the metadata server.

    Args:
        store: holds the metadata.
        signer: holds the keys.
        publishing: takes in publishes.
        policy: what the operator decided.
        requests: knows how many requests are being worked upon.
        lifetimes: counts the current files that are served.
        pages: what those see who watch over the server.
        access: decides who may do what.
        clock: tells the time.

    Attributes:
        changefeed: has the pages of the changefeed.
    """

    app = Klein()
    app.url_map.converters.update(CONVERTERS)
    app.url_map.merge_slashes = False

    def __init__(
        self,
        store: IMetadataStore,
        signer: ISigner,
        publishing: Publishing,
        policy: Policy,
        requests: RequestMetrics,
        lifetimes: Lifetimes,
        pages: Pages,
        clock: IReactorTime,
        access: IAccess,
    ) -> None:
        self._store = store
        self._publishing = publishing
        self._policy = policy
        self.requests = requests
        self._lifetimes = lifetimes
        self._pages = pages
        self._access = access
        self._keys = ServerKeys(store, signer)
        self.changefeed = Changefeed(store, clock)
        self._renewal = Renewal(store, signer, clock)

    def admit(self, request: Any, need: Need) -> None:
        """Refuse a request that may not do what it needs.

        Raises:
            APIError: it may not.
        """
        scope = request.scope = need.scope(request.gun)
        if scope is not None:
            request.user = self._access.check(request, scope)

    def check_gun(self, gun: str, *, writes: bool) -> None:
        """Refuse a collection that this server does not hold.

        Raises:
            APIError: its name is none, or has none of the prefixes: an error of its own for a
                publish, and otherwise the same as for any collection that is not there.
        """
        try:
            check_gun(gun)
            if self._policy.gun_prefixes and not gun.startswith(tuple(self._policy.gun_prefixes)):
                prefixes = " ".join(self._policy.gun_prefixes)
                raise InvalidGUNError(f"Require GUNs with prefix: [{prefixes}]")
        except InvalidGUNError as error:
            if writes:
                raise APIError(INVALID_GUN, str(error)) from error
            raise APIError(METADATA_NOT_FOUND) from error

    @app.route("/v2/", methods=["GET"])
    @operation("Ping", Need.CATALOG)
    async def ping(self, request: IRequest) -> bytes:
        """Say that this is a server of this API."""
        return render_json(request, {})

    @app.route("/v2/<gun:gun>/_trust/tuf/", methods=["POST"])
    @operation("UpdateTUF", Need.PUSH)
    async def publish(self, request: IRequest, gun: str) -> bytes:
        """Take in a publish."""
        await self._publishing.publish(gun, header(request, b"Content-Type"), request.content)
        return b""

    @app.route("/v2/<gun:gun>/_trust/tuf/", methods=["DELETE"])
    @operation("DeleteTUF", Need.EVERYTHING)
    async def delete(self, request: IRequest, gun: str) -> bytes:
        """Delete a collection, if it is there."""
        await self._store.delete(gun)
        _log.info("trust data deleted for {gun}", gun=gun)
        return b""

    @app.route("/v2/<gun:gun>/_trust/tuf/<role:role>.<checksum:checksum>.json", methods=["GET"])
    @operation("GetRoleByHash", Need.PULL)
    async def file_by_checksum(self, request: Any, gun: str, role: str, checksum: str) -> bytes:
        """Serve the file of that checksum."""
        file = await _found(
            request, lambda: self._store.by_checksum(gun, role, checksum), no_file(role, checksum)
        )
        request.lesson = of_file(file)
        return render_file(request, file, self._policy.consistent)

    @app.route("/v2/<gun:gun>/_trust/tuf/<version:version>.<role:role>.json", methods=["GET"])
    @operation("GetRoleByVersion", Need.PULL)
    async def file_by_version(self, request: IRequest, gun: str, version: int, role: str) -> bytes:
        """Serve the file of that version."""
        file = await self._store.by_version(gun, role, version)
        return render_file(request, file, self._policy.consistent)

    @app.route("/v2/<gun:gun>/_trust/tuf/<role:role>.json", methods=["GET"])
    @operation("GetRole", Need.PULL)
    async def current_file(self, request: Any, gun: str, role: str) -> bytes:
        """Serve the current file of a role."""
        timestamp = await _found(request, lambda: self._store.newest(gun, TIMESTAMP), NO_COLLECTION)
        until = inf
        if role in (SNAPSHOT, TIMESTAMP):
            timestamp = await self._renewal.timestamp(gun, timestamp)
            until = self._renewal.good_until(timestamp)
        file = await read_under(self._store, gun, timestamp, role)
        request.lesson = of_current(timestamp, file, until)
        self._lifetimes.served(file)
        return render_file(request, file, self._policy.current)

    @app.route("/v2/<gun:gun>/_trust/tuf/<server_role:role>.key", methods=["GET"])
    @operation("GetKey", Need.PUSH)
    async def current_key(self, request: IRequest, gun: str, role: str) -> bytes:
        """Serve the public key that the server signs with for a role."""
        return render_json(request, (await self._keys.current(gun, role)).to_json())

    @app.route("/v2/<gun:gun>/_trust/tuf/<server_role:role>.key", methods=["POST"])
    @operation("RotateKey", Need.EVERYTHING)
    async def rotate_key(self, request: IRequest, gun: str, role: str) -> bytes:
        """Serve a new public key for the next root to name."""
        return render_json(request, (await self._keys.rotate(gun, role)).to_json())

    @app.route("/v2/<gun:gun>/_trust/changefeed", methods=["GET"])
    @operation("Changefeed", Need.PULL)
    async def changefeed_of_collection(self, request: IRequest, gun: str) -> bytes:
        """Serve the changes of one collection."""
        return await self._render_changes(request, gun)

    @app.route("/v2/_trust/changefeed", methods=["GET"])
    @operation("Changefeed", Need.CATALOG)
    async def changefeed_of_all(self, request: IRequest) -> bytes:
        """Serve the changes of all collections."""
        return await self._render_changes(request, None)

    async def _render_changes(self, request: Any, gun: str | None) -> bytes:
        page = page_of(gun, request.uri)
        body = await _asked(request, lambda: self.changefeed.body(page))
        request.lesson = of_page(page, body)
        return render_body(request, body)

    @app.route("/_notary_server/health", methods=["GET"])
    @operation("Health", Need.NOTHING)
    async def health(self, request: IRequest) -> bytes:
        """Say what the server lacks, if anything."""
        return _render_page(request, await self._pages.health())

    @app.route("/_notary_server/live", methods=["GET"])
    @operation("Live", Need.NOTHING)
    async def live(self, request: IRequest) -> bytes:
        """Say that the server runs."""
        return _render_page(request, await self._pages.live())

    @app.route("/_notary_server/ready", methods=["GET"])
    @operation("Ready", Need.NOTHING)
    async def ready(self, request: IRequest) -> bytes:
        """Say whether the server should get requests."""
        return _render_page(request, await self._pages.ready())

    @app.route("/metrics", methods=["GET"])
    @operation("Metrics", Need.NOTHING)
    async def metrics(self, request: IRequest) -> bytes:
        """Serve the metrics."""
        return _render_page(request, await self._pages.metrics())

    @app.handle_errors(HTTPException)
    def no_such_route(self, request: Any, failure: Failure) -> bytes:
        """Answer what no route is for; even that is not for everybody to know."""
        self.admit(request, Need.CATALOG)
        request.lesson = NO_ROUTE
        return render_error(request, APIError(METADATA_NOT_FOUND))

    @app.handle_errors(Exception)
    def failed(self, request: Any, failure: Failure) -> bytes:
        """Answer a request that something was wrong with."""
        error = api_error(failure.value or failure)
        request.reason = failure.getErrorMessage()
        with request_id.serving(request.request_id):
            _log_failure(request, failure, error.code.status)
        return render_error(request, error)


async def _found(
    request: Any, ask: Callable[[], Deferred[StoredFile]], if_missing: Lesson
) -> StoredFile:
    try:
        return await _asked(request, ask)
    except FileNotStoredError:
        request.lesson = if_missing
        raise


async def _asked(request: Any, ask: Callable[[], Deferred[T]]) -> T:
    """Return what the store is asked for, unless it was asked already for this request."""
    if request.found is not None:
        found: T = request.found()
        return found
    return await ask()


def _render_page(request: IRequest, page: Page) -> bytes:
    request.setResponseCode(page.status)
    request.setHeader("Content-Type", page.content_type)
    return page.body


def _log_failure(request: Any, failure: Failure, status: int) -> None:
    if status == INTERNAL_SERVER_ERROR:
        uri = request.uri.decode(errors="replace")
        _log.failure("{uri} failed", failure, LogLevel.error, uri=uri)
    elif status == SERVICE_UNAVAILABLE:
        _log.error("{reason}", reason=failure.getErrorMessage())
    else:
        _log.info("{reason}", reason=failure.getErrorMessage())
