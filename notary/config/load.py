"""From a file and the environment to a checked configuration, or to all of its problems."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar

import attrs
from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from notary.config.document import read_document
from notary.config.errors import ConfigError
from notary.config.schema import KeyPath, Schema, dotted
from notary.config.sections import Config
from notary.config.values import kind_of

_SHOWN_CHARACTERS = 120

ConfigT = TypeVar("ConfigT", bound=Config)


@attrs.frozen
class Reading(Generic[ConfigT]):
    """What came of reading a configuration, for whoever wants to go on in spite of problems.

    Attributes:
        config: the configuration, None if there are problems.
        sections: the sections without problems, by name.
        sources: one line for each key that was set: its value unless secret, and the source.
        problems: as of `ConfigError`.
        warnings: likewise.
    """

    config: ConfigT | None
    sections: Mapping[str, Any]
    sources: Sequence[str]
    problems: Sequence[str]
    warnings: Sequence[str]


def load(
    model: type[ConfigT], schema: Schema, path: str | Path, environ: Mapping[str, str]
) -> ConfigT:
    """Read a JSON file, lay the environment over it and check the result.

    Args:
        model: The configuration to make.
        schema: The keys of that model.
        path: The JSON file. Relative paths in the configuration start at its directory.
        environ: Environment variables.

    Raises:
        ConfigError: with all problems at once.
    """
    reading = read(model, schema, path, environ)
    if reading.config is None:
        raise ConfigError(reading.problems, reading.warnings)
    reading.config._warnings = tuple(reading.warnings)
    return reading.config


def read(
    model: type[ConfigT], schema: Schema, path: str | Path, environ: Mapping[str, str]
) -> Reading[ConfigT]:
    """As `load`, but return problems together with whatever is in order."""
    settings = _Settings(schema, str(path))
    try:
        settings.add_document(read_document(path), ())
    except ConfigError as error:
        return Reading(None, {}, (), error.problems, error.warnings)
    settings.add_environment(environ)
    tree, context = settings.tree(), {"directory": Path(os.path.abspath(path)).parent}
    config: ConfigT | None = None
    problems = list(settings.problems)
    try:
        config = model.model_validate(tree, context=context)
        sections = {name: getattr(config, name) for name in model.model_fields}
    except ValidationError as error:
        # The original holds every value, secrets included: it must not appear in a traceback.
        problems += [settings.describe(details) for details in error.errors(include_url=False)]
        sections = dict(_valid_sections(model, tree, context))
    if problems:
        config = None
    return Reading(config, sections, settings.sources(), problems, settings.warnings)


def _valid_sections(
    model: type[Config], tree: Mapping[str, Any], context: Mapping[str, Any]
) -> Iterator[tuple[str, Any]]:
    """Validate each section without the others, and leave out what does not pass."""
    for name, field in model.model_fields.items():
        if name in tree:
            annotation: Any = Annotated[field.annotation, field]
            with suppress(ValidationError):
                yield name, TypeAdapter(annotation).validate_python(tree[name], context=context)


@attrs.frozen
class _Setting:
    value: object
    source: str


@attrs.define
class _Settings:
    """The values that were set, where they came from, and what was odd about them."""

    schema: Schema
    file: str
    values: dict[KeyPath, _Setting] = attrs.Factory(dict)
    problems: list[str] = attrs.Factory(list)
    warnings: list[str] = attrs.Factory(list)

    def add_document(self, document: Mapping[str, object], parent: KeyPath) -> None:
        for name, value in document.items():
            path = (*parent, name)
            if path in self.schema.maps and isinstance(value, dict):
                self.add_document(value, path)
            elif path in self.schema.maps or path in self.schema.keys:
                self._set(path, value, self.file)
            elif path not in self.schema.no_effect:
                nearest = self.schema.nearest(path)
                hint = f"; did you mean {dotted(nearest)}?" if nearest else ""
                self.warnings.append(f"{dotted(path)}: unknown key (in {self.file}){hint}")
            if path in self.schema.no_effect:
                self._warn_no_effect(path, f"in {self.file}")

    def add_environment(self, environ: Mapping[str, str]) -> None:
        schema = self.schema
        keys = {schema.variable(path): path for path in [*schema.keys, *schema.maps]}
        no_effect = {schema.variable(path): path for path in schema.no_effect}
        start = f"{schema.prefix}_"
        for name in sorted(name for name, value in environ.items() if value):
            path = keys.get(name)
            if path is not None and (path in schema.maps or schema.is_list(path)):
                self.problems.append(self._not_overridable(name, path))
            elif path is not None:
                self._set(path, environ[name], f"environment variable {name}")
            elif name in schema.stand_ins:
                if schema.stand_ins[name] not in self.values:
                    self._set(schema.stand_ins[name], environ[name], f"environment variable {name}")
            elif name.startswith(start) and name not in no_effect and not schema.others_allowed:
                nearest = schema.nearest_variable(name)
                hint = f"; did you mean {nearest}?" if nearest else ""
                self.warnings.append(f"unknown environment variable {_printable(name)}{hint}")
            if name in no_effect:
                self._warn_no_effect(no_effect[name], f"environment variable {name}")

    def _set(self, path: KeyPath, value: object, source: str) -> None:
        # The Go daemons take null and the empty string for "not set".
        if value is not None and value != "":
            self.values[path] = _Setting(value, source)

    def _warn_no_effect(self, path: KeyPath, source: str) -> None:
        reason = self.schema.no_effect[path]
        self.warnings.append(f"{dotted(path)}: has no effect: {reason} ({source})")

    def _not_overridable(self, name: str, path: KeyPath) -> str:
        if path in self.schema.keys:
            return (
                f"{dotted(path)}: a list cannot be overridden by an environment variable: "
                f"unset {name} and set the list in {self.file}"
            )
        scalars = ", ".join(self.schema.variable(scalar) for scalar in self.schema.scalars(path))
        return (
            f"{dotted(path)}: a map cannot be overridden by an environment variable: "
            f"unset {name} and use {scalars}"
        )

    def tree(self) -> dict[str, Any]:
        """Build what the model validates: every map is there, so that missing keys are found."""
        tree: dict[str, Any] = {}
        for path in self.schema.maps:
            _place(tree, path, {})
        for path, setting in self.values.items():
            _place(tree, path, setting.value)
        return tree

    def sources(self) -> list[str]:
        """Tell where each value came from, in the order of the keys."""
        return [
            f"{dotted(path)}: {self._shown(path, self.values[path].value)} "
            f"(from {self.values[path].source})"
            for path in self.schema.keys
            if path in self.values
        ]

    def describe(self, details: ErrorDetails) -> str:
        """Tell a problem in one line: the key, its value unless secret, the source, the rule."""
        context = details.get("ctx", {})
        steps = [step for step in details["loc"] if isinstance(step, str)]
        path: KeyPath = ()
        for step in [*steps, *_inner_key(context)]:
            # The location also holds the name of the variant that was chosen.
            if (*path, step) in self.schema.maps or (*path, step) in self.schema.keys:
                path = (*path, step)
        setting = self.values.get(path)
        text = _text(details, setting)
        if setting is None:
            return f"{dotted(path)}: {text} ({self._where_to_set(path)})"
        index = next((step for step in details["loc"] if isinstance(step, int)), None)
        name = dotted(path) if index is None else f"{dotted(path)}[{index}]"
        value = setting.value if index is None else details["input"]
        return f"{name}: {self._shown(path, value)} (from {setting.source}) {text}"

    def _where_to_set(self, path: KeyPath) -> str:
        return f"set it in {self.file} or as {self.schema.variable(path)}"

    def _shown(self, path: KeyPath, value: object) -> str:
        if path in self.schema.maps or isinstance(value, (dict, list)):
            return kind_of(value)
        return "the value" if self.schema.is_secret(path) else _printable(value)


def _place(tree: dict[str, Any], path: KeyPath, value: object) -> None:
    node = tree
    for step in path[:-1]:
        node = node[step]
        if not isinstance(node, dict):
            return
    node[path[-1]] = value


def _printable(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."


def _inner_key(context: Mapping[str, Any]) -> Iterable[str]:
    """Name the key of a map that an error at the whole map is about."""
    key = context.get("discriminator", context.get("key"))
    return [key.strip("'")] if key else []


def _text(details: ErrorDetails, setting: _Setting | None) -> str:
    context = details.get("ctx", {})
    kind = details["type"]
    if kind in ("missing", "union_tag_not_found"):
        return "is required"
    if kind in ("literal_error", "union_tag_invalid"):
        value = setting.value if setting else None
        return _choices(context.get("expected", context.get("expected_tags", "")), value)
    texts = {
        "value_error": "{error}",
        "greater_than_equal": "is less than {ge}",
        "less_than_equal": "is more than {le}",
        "string_too_long": "is longer than {max_length} characters",
        "too_long": "is longer than {max_length} characters",
        "model_type": "is not a map of keys",
        "model_attributes_type": "is not a map of keys",
        "tuple_type": "is not a list",
    }
    return texts[kind].format(**context) if kind in texts else details["msg"]


def _choices(expected: str, value: object) -> str:
    choices = re.findall(r"'([^']*)'", expected)
    nearest = difflib.get_close_matches(value, choices, n=1) if isinstance(value, str) else []
    hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
    allowed = ", ".join(repr(choice) for choice in choices)
    return f"is not one of {allowed}{hint}" if len(choices) > 1 else f"is not {allowed}{hint}"
