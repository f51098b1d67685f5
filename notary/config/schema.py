"""Which keys a configuration has, taken from its typed sections."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin

import attrs
from pydantic import BaseModel
from pydantic.fields import FieldInfo

KeyPath = tuple[str, ...]

_ALIKE = 0.6
_PLAIN = re.compile(r"[A-Za-z0-9_]+")


def dotted(path: KeyPath) -> str:
    """Write a key path as messages show it; parts with odd characters are quoted."""
    return ".".join(part if _PLAIN.fullmatch(part) else json.dumps(part) for part in path)


@attrs.frozen
class Schema:
    """The keys of one daemon.

    Attributes:
        prefix: What its environment variables start with, without the last underscore.
        maps: Paths of the maps, parents before children.
        keys: The values that can be set, by path.
        no_effect: Why keys that are known have no effect, by path.
        stand_ins: Variables that stand in for a key which is not set otherwise.
        others_allowed: Whether other variables with the prefix are fine, since they may hold
            something else, such as passphrases.
    """

    prefix: str
    maps: tuple[KeyPath, ...]
    keys: Mapping[KeyPath, FieldInfo]
    no_effect: Mapping[KeyPath, str]
    stand_ins: Mapping[str, KeyPath] = attrs.Factory(dict)
    others_allowed: bool = False

    @classmethod
    def of(
        cls,
        model: type[BaseModel],
        prefix: str,
        no_effect: Mapping[KeyPath, str],
        **variables: Any,
    ) -> Schema:
        """Collect the keys of a model and of the models in it."""
        maps: dict[KeyPath, None] = {}
        keys: dict[KeyPath, FieldInfo] = {}
        for path, field in _walk(model, ()):
            if field is None:
                maps[path] = None
            else:
                keys[path] = field
        return cls(prefix, tuple(maps), keys, no_effect, **variables)

    def variable(self, path: KeyPath) -> str:
        """Name the environment variable of a key."""
        return "_".join([self.prefix, *path]).upper()

    def is_list(self, path: KeyPath) -> bool:
        """Tell whether a key holds a list, which no environment variable can override."""
        return get_origin(self.keys[path].annotation) is tuple

    def is_secret(self, path: KeyPath) -> bool:
        """Tell whether the value of a key must not be shown."""
        return not self.keys[path].repr

    def scalars(self, parent: KeyPath = ()) -> list[KeyPath]:
        """List the keys under a map that environment variables override."""
        depth = len(parent)
        return [path for path in self.keys if path[:depth] == parent and not self.is_list(path)]

    def nearest(self, path: KeyPath) -> KeyPath | None:
        """Find the known key that an unknown one was most likely meant to be."""

        def likeness(known: KeyPath) -> tuple[float, bool]:
            names = difflib.SequenceMatcher(None, path[-1], known[-1])
            return names.ratio(), known[:-1] == path[:-1]

        best = max([*self.keys, *self.maps, *self.no_effect], key=likeness)
        alike = likeness(best)[0] >= _ALIKE
        return best if alike and best not in self.no_effect else None

    def nearest_variable(self, name: str) -> str | None:
        """Find the known variable that an unknown one was most likely meant to be."""
        known = [self.variable(path) for path in self.scalars()]
        return next(iter(difflib.get_close_matches(name, known, n=1)), None)


def _walk(model: type[BaseModel], parent: KeyPath) -> Iterator[tuple[KeyPath, FieldInfo | None]]:
    for name, field in model.model_fields.items():
        path = (*parent, name)
        candidates = (field.annotation, *get_args(field.annotation))
        sections = [
            candidate
            for candidate in candidates
            if isinstance(candidate, type) and issubclass(candidate, BaseModel)
        ]
        yield path, None if sections else field
        for section in sections:
            yield from _walk(section, path)
