"""The reference page of the documentation agrees with the keys that there are."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from notary.config.schema import KeyPath, dotted
from notary.config.server import SERVER_SCHEMA, ServerConfig

PAGE = Path(__file__).parents[2] / "docs" / "configuration.rst"


def entries() -> dict[str, str]:
    """The definition of each key on the page, by key path."""
    pattern = re.compile(r"^``([a-z0-9_.]+)``\n((?:    .*\n|\n)+)", re.MULTILINE)
    return dict(pattern.findall(PAGE.read_text(encoding="utf-8")))


def field(entry: str, name: str) -> str:
    found = re.search(rf"^    :{name}: (.+)$", entry, re.MULTILINE)
    assert found is not None, f"no field {name}"
    return found[1]


def test_the_page_lists_the_keys_that_there_are() -> None:
    assert set(entries()) == {dotted(path) for path in SERVER_SCHEMA.keys}


@pytest.mark.parametrize("path", SERVER_SCHEMA.keys, ids=dotted)
def test_entry(path: KeyPath) -> None:
    entry = entries()[dotted(path)]
    declared = SERVER_SCHEMA.keys[path]
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
    if SERVER_SCHEMA.is_list(path):
        assert field(entry, "Variable").startswith("none")
    else:
        assert field(entry, "Variable") == f"``{SERVER_SCHEMA.variable(path)}``"


def test_the_example_of_the_page_is_valid() -> None:
    page = PAGE.read_text(encoding="utf-8")
    (example,) = re.findall(r"\.\. code-block:: json\n\n((?:    .*\n)+)", page)
    config = ServerConfig.model_validate(json.loads(example), context={"directory": PAGE.parent})
    assert config.server.http_addr.port == 4443
