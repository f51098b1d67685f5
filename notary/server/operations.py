"""What all endpoints of the API have in common: they are counted, logged and guarded."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec

from twisted.internet.defer import Deferred
from twisted.web.http import NOT_MODIFIED
from twisted.web.iweb import IRequest

from notary.server.access.interfaces import Need
from notary.sharing import shield

if TYPE_CHECKING:
    from notary.server.api import API

NEED = "need"
"""The attribute of an endpoint that says what it needs."""

OPERATION = "operation"
"""The attribute of an endpoint that says what it is counted and logged as."""

P = ParamSpec("P")
_Method = Callable[Concatenate["API", IRequest, P], Coroutine[Any, Any, bytes]]
_Endpoint = Callable[Concatenate["API", IRequest, P], Deferred[bytes]]


def operation(name: str, need: Need) -> Callable[[_Method[P]], _Endpoint[P]]:
    """Make a coroutine method a route's endpoint.

    It is counted and logged under the operation's name, refuses whoever may not do what it needs
    and then collections that this server does not hold, and goes on if its client goes away.
    """

    def decorate(method: _Method[P]) -> _Endpoint[P]:
        async def answer(self: API, request: Any, /, *args: P.args, **kwargs: P.kwargs) -> bytes:
            self.requests.in_flight += 1
            try:
                body = await method(self, request, *args, **kwargs)
            finally:
                self.requests.in_flight -= 1
            if request.code != NOT_MODIFIED:
                request.setHeader("Content-Length", str(len(body)))
            return body

        @wraps(method)
        def endpoint(
            self: API, request: Any, /, *args: P.args, **kwargs: P.kwargs
        ) -> Deferred[bytes]:
            gun = kwargs.get("gun")
            request.operation = name
            request.gun = gun
            self.admit(request, need)
            if isinstance(gun, str):
                self.check_gun(gun, writes=name == "UpdateTUF")
            return shield(Deferred.fromCoroutine(answer(self, request, *args, **kwargs)))

        setattr(endpoint, NEED, need)
        setattr(endpoint, OPERATION, name)
        return endpoint

    return decorate
