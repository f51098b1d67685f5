"""What requests need, and who decides whether they have it."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Any

import attrs
from zope.interface import Interface


@attrs.frozen
class Scope:
    """Actions upon something, as the Docker registry writes them.

    Attributes:
        kind: the type of the thing: ``repository`` or ``registry``.
        name: which one.
        actions: what is done; ``*`` is everything.
    """

    kind: str
    name: str
    actions: Sequence[str]

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}:{','.join(self.actions)}"


CATALOG = Scope("registry", "catalog", ("*",))
"""The whole server, which is not about one collection."""


class Need(Enum):
    """What an operation needs; its value are the actions upon the collection."""

    NOTHING = None
    PULL = ("pull",)
    PUSH = ("push", "pull")
    EVERYTHING = ("*",)
    CATALOG = "catalog"

    def scope(self, gun: str | None) -> Scope | None:
        """Return what a request about a collection needs; None if anybody may."""
        if self is Need.NOTHING:
            return None
        if gun is None or self is Need.CATALOG:
            return CATALOG
        return Scope("repository", gun, self.value)


@attrs.frozen
class Grant:
    """That a request may do what it asks for.

    Attributes:
        user: who makes it; None if that is not known.
    """

    user: str | None


class IAccess(Interface):
    """Decides who may do what."""

    def believes(request: Any) -> bool:
        """Tell whether a request, of which the headers are there, may do anything that is guarded.

        Args:
            request: the `IRequest`.
        """

    def grant(token: bytes | None, scope: Scope) -> Grant | None:
        """Return what `check` would let pass, None if it would refuse that.

        Args:
            token: that of the request, as `notary.server.access.control.bearer_token` finds it.
            scope: what the request needs.
        """

    def check(request: Any, scope: Scope) -> str | None:
        """Let a request pass, or not; it must be fast, since it runs in the reactor's thread.

        Args:
            request: the `IRequest`. Of a refusal the headers that go with it are set.
            scope: what the request needs.

        Returns:
            Who makes the request; None if that is not known.

        Raises:
            APIError: the request may not do that: UNAUTHORIZED. Its text, for the log, says why.
        """
