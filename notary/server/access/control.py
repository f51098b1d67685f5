"""The two ways of access: everybody may do everything, or what a token grants."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from cachetools import TLRUCache
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.web.iweb import IRequest
from zope.interface import implementer

from notary.server.access.bundle import load_bundle
from notary.server.access.challenge import INSUFFICIENT_SCOPE, INVALID_TOKEN, Challenge
from notary.server.access.errors import TokenError
from notary.server.access.interfaces import Grant, IAccess, Scope
from notary.server.access.tokens import Expectations, Token, verify
from notary.server.errors import UNAUTHORIZED, APIError
from notary.server.times import utc_now

MAX_REMEMBERED = 1024
"""Tokens that are not verified again when they are shown again: every client shows one often."""


_TO_EVERYBODY = Grant(None)


@implementer(IAccess)
class OpenAccess:
    """Everybody may do everything."""

    def believes(self, request: Any) -> bool:
        """Believe everybody."""
        return True

    def grant(self, token: bytes | None, scope: Scope) -> Grant | None:
        """Let every request pass."""
        return _TO_EVERYBODY

    def check(self, request: Any, scope: Scope) -> str | None:
        """Let every request pass."""
        return None


@implementer(IAccess)
class TokenAccess:
    """Whoever shows a token may do what it grants. Is `notary.reloading.Reloadable`.

    Args:
        bundle_file: the certificates that vouch for tokens.
        expected: what a token has to say.
        challenge: what who is refused is told.
        clock: tells the time.

    Raises:
        BundleError: the file will not do.
    """

    _log = Logger()

    def __init__(
        self,
        bundle_file: Path,
        expected: Expectations,
        challenge: Challenge,
        clock: IReactorTime,
    ) -> None:
        self._file = bundle_file
        self._expected = expected
        self._challenge = challenge
        self._clock = clock
        self._remembered: TLRUCache[bytes, Token] = TLRUCache(
            MAX_REMEMBERED, lambda _digest, token, _now: token.until, clock.seconds
        )
        self.reload()

    @property
    def files(self) -> Sequence[Path]:
        """The file of the bundle."""
        return [self._file]

    def reload(self) -> None:
        """Take in the bundle as it is now.

        Raises:
            BundleError: it will not do; the former one stays in use.
        """
        self._bundle = load_bundle(self._file)
        self._remembered.clear()
        for certificate in self._bundle.expired(self._now()):
            self._log.warn(
                "{file}: the certificate of {subject} has expired: tokens that come with a chain "
                "to it are refused, those that its own key signed are not",
                file=str(self._file),
                subject=certificate.subject.rfc4514_string(),
            )

    def believes(self, request: Any) -> bool:
        """Tell whether a request shows a token that is to be believed."""
        raw = bearer_token(request)
        try:
            return raw is not None and self._token(raw) is not None
        except TokenError:
            return False

    def grant(self, token: bytes | None, scope: Scope) -> Grant | None:
        """See `IAccess.grant`."""
        try:
            known = None if token is None else self._token(token)
        except TokenError:
            return None
        if known is None or not known.allows(scope):
            return None
        return Grant(known.subject or None)

    def check(self, request: Any, scope: Scope) -> str | None:
        """Let a request pass whose token grants what it needs."""
        raw = bearer_token(request)
        if raw is None:
            raise self._refusal(request, scope, None, "it shows no token")
        try:
            token = self._token(raw)
        except TokenError as error:
            reason = f"its token is not to be believed: {error}"
            raise self._refusal(request, scope, INVALID_TOKEN, reason) from error
        if not token.allows(scope):
            reason = f"its token, of {token.subject or 'nobody'}, does not grant that"
            raise self._refusal(request, scope, INSUFFICIENT_SCOPE, reason)
        return token.subject or None

    def _token(self, raw: bytes) -> Token:
        digest = hashlib.sha256(raw).digest()
        token = self._remembered.get(digest)
        if token is None:
            token = verify(raw, self._bundle, self._expected, self._now())
            self._remembered[digest] = token
        return token

    def _refusal(self, request: IRequest, scope: Scope, error: str | None, reason: str) -> APIError:
        header = self._challenge.header(request, scope, error)
        request.setHeader("WWW-Authenticate", header)
        detail = [
            {"Type": scope.kind, "Class": "", "Name": scope.name, "Action": action}
            for action in scope.actions
        ]
        return APIError(UNAUTHORIZED, detail, f"a request that needs {scope} is refused: {reason}")

    def _now(self) -> datetime:
        return utc_now(self._clock)


def bearer_token(request: Any) -> bytes | None:
    """Return the token that a request shows; None if there is none, or more than one."""
    headers = request.requestHeaders.getRawHeaders(b"Authorization", [])
    if len(headers) != 1:
        return None
    scheme, _, token = headers[0].partition(b" ")
    return token if scheme.lower() == b"bearer" and token and b" " not in token else None
