"""What every store refuses, so that a collection may move from one to another."""

from __future__ import annotations

from collections.abc import Iterable

from notary.storage.interfaces import NewFile, UnstorableError
from notary.tuf.names import MAX_NAME_LENGTH

HIGHEST_VERSION = 2**31 - 1
"""What a signed 32-bit column holds."""


def refuse_unstorable(gun: str, files: Iterable[NewFile]) -> None:
    """Raise `UnstorableError` unless any store can hold these files and give them back exactly."""
    refuse_unstorable_name("GUN", gun)
    for file in files:
        refuse_unstorable_name("role", file.role)
        if file.version > HIGHEST_VERSION:
            raise UnstorableError(
                f"version {file.version} of role {file.role!r} cannot be stored: "
                f"the highest possible one is {HIGHEST_VERSION}"
            )


def refuse_unstorable_name(kind: str, name: str) -> None:
    """Raise `UnstorableError` unless any store can hold this GUN or role exactly."""
    if len(name) > MAX_NAME_LENGTH:
        raise UnstorableError(
            f"the {kind} {name[:40]!r}... cannot be stored: "
            f"it has {len(name)} characters, at most {MAX_NAME_LENGTH} are possible"
        )
    if name.endswith(" "):
        # To MySQL, names that differ in trailing spaces alone are equal.
        raise UnstorableError(f"the {kind} {name!r} cannot be stored: it ends with a space")
