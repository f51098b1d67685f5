"""The names of collections and roles."""

from __future__ import annotations

import re

from notary.tuf.errors import InvalidGUNError

ROOT = "root"
TARGETS = "targets"
SNAPSHOT = "snapshot"
TIMESTAMP = "timestamp"
BASE_ROLES = (ROOT, TARGETS, SNAPSHOT, TIMESTAMP)

MAX_NAME_LENGTH = 255
"""Characters of a GUN or a role: the width of their database columns."""

_DELEGATION = re.compile(r"targets(/[-a-z0-9_]+)+", re.ASCII)
_LAST_BMP_CHARACTER = "\uffff"


def is_delegation(role: str) -> bool:
    """Tell whether a name is that of a delegated targets role, such as ``targets/releases``."""
    return len(role) <= MAX_NAME_LENGTH and _DELEGATION.fullmatch(role) is not None


def is_role(role: str) -> bool:
    """Tell whether a name is that of any role."""
    return role in BASE_ROLES or is_delegation(role)


def parent(role: str) -> str:
    """Return the role that delegates to this delegation."""
    return role.rpartition("/")[0]


def ancestors(role: str) -> list[str]:
    """Return the roles above a delegation, ``targets`` first; none for ``targets`` itself."""
    parts = role.split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts))]


def check_gun(gun: str) -> None:
    """Refuse a name that no store could hold exactly.

    Names of collections are exact. Databases with the original schema keep 255 characters of the
    Basic Multilingual Plane and do not tell trailing blanks apart.

    Raises:
        InvalidGUNError: the name is too long, starts or ends with white space, has a part between
            slashes that is empty, ``.`` or ``..``, or holds a character that is unprintable,
            outside that plane, or ``*``.
    """
    if len(gun) > MAX_NAME_LENGTH:
        raise InvalidGUNError(f"the name has more than {MAX_NAME_LENGTH} characters")
    if gun != gun.strip():
        raise InvalidGUNError("the name starts or ends with white space")
    if not {"", ".", ".."}.isdisjoint(gun.split("/")):
        raise InvalidGUNError("the name holds an empty part, or one that is . or ..")
    if not gun.isprintable() or "*" in gun or max(gun) > _LAST_BMP_CHARACTER:
        raise InvalidGUNError("the name holds a character that is not allowed")
