"""The reference page of the documentation agrees with the keys that there are."""

from __future__ import annotations

import json
import re
from pathlib import Path

import attrs
import pytest

from notary.config import ServerConfig, SignerConfig
from notary.config.schema import KeyPath, Schema, dotted
from notary.config.sections import Config
from notary.config.server import SERVER_SCHEMA
from notary.config.signer import SIGNER_SCHEMA

PAGE = Path(__file__).parents[2] / "docs" / "configuration.rst"
TEXT = PAGE.read_text(encoding="utf-8")
ENTRY = re.compile(r"^``([a-z0-9_.]+)``\n((?:    .*\n|\n)+)", re.MULTILINE)


@attrs.frozen
class Daemon:
    """A daemon, whose name is the heading of a part of the page."""

    name: str
    schema: Schema
    model: type[Config]

    def part(self) -> str:
        """The text of the part."""
        _, *found = re.split(r"^(.+)\n-+\n", TEXT, flags=re.MULTILINE)
        (part,) = (
            text for title, text in zip(found[::2], found[1::2], strict=True) if title == self.name
        )
        return part

    def entries(self) -> list[tuple[str, str]]:
        """The keys of the part with their definitions."""
        return ENTRY.findall(self.part())


SERVER = Daemon("notary-server", SERVER_SCHEMA, ServerConfig)
SIGNER = Daemon("notary-signer", SIGNER_SCHEMA, SignerConfig)
DAEMONS = pytest.mark.parametrize("daemon", [SERVER, SIGNER], ids=lambda daemon: daemon.name)


def field(entry: str, name: str) -> str:
    found = re.search(rf"^    :{name}: (.+)$", entry, re.MULTILINE)
    assert found is not None, f"no field {name}"
    return found[1]


@DAEMONS
def test_each_part_lists_the_keys_that_there_are(daemon: Daemon) -> None:
    listed = [key for key, _ in daemon.entries()]
    assert sorted(listed) == sorted(dotted(path) for path in daemon.schema.keys)


def test_no_key_is_listed_outside_of_the_parts() -> None:
    assert ENTRY.findall(TEXT) == [*SERVER.entries(), *SIGNER.entries()]


@pytest.mark.parametrize(
    ("daemon", "path"),
    [
        pytest.param(daemon, path, id=f"{daemon.name}-{dotted(path)}")
        for daemon in (SERVER, SIGNER)
        for path in daemon.schema.keys
    ],
)
def test_entry(daemon: Daemon, path: KeyPath) -> None:
    entry = dict(daemon.entries())[dotted(path)]
    declared = daemon.schema.keys[path]
    description = entry.partition(":Type:")[0]
    assert " ".join(description.split()) == declared.description
    assert field(entry, "Type")
    assert declared.examples is not None
    assert field(entry, "Example") == f"``{json.dumps(declared.examples[0])}``"
    default = field(entry, "Default")
    if declared.is_required():
        assert default.startswith("required")
    elif declared.default in (None, ""):
        assert default == "none"
    else:
        assert default == f"``{json.dumps(declared.default)}``"
    if daemon.schema.is_list(path):
        assert field(entry, "Variable").startswith("none")
    else:
        assert field(entry, "Variable") == f"``{daemon.schema.variable(path)}``"


@DAEMONS
def test_variables_that_stand_in_are_told(daemon: Daemon) -> None:
    for variable in daemon.schema.stand_ins:
        assert f"``{variable}``" in daemon.part()


@DAEMONS
def test_the_example_is_valid(daemon: Daemon) -> None:
    (example,) = re.findall(r"\.\. code-block:: json\n\n((?:    .*\n)+)", daemon.part())
    document = json.loads(example)
    config = daemon.model.model_validate(document, context={"directory": PAGE.parent})
    assert {*document} <= config.model_fields_set
