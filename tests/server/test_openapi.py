"""The description of the HTTP API has every route, method, name and error that there is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import schemathesis

from notary.server import errors
from notary.server.api import API
from notary.server.operations import OPERATION
from tests.support.documents import DESCRIPTION, description

_METHODS = {"get", "post", "put", "patch", "delete", "options", "head", "trace"}
_FILES = re.compile(r"\{(?:role|version)\}(?:\.\{(?:role|checksum)\})?\.json$")
_CODES = {
    each.name: each.status for each in vars(errors).values() if isinstance(each, errors.ErrorCode)
}


def operations() -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """The path, the method and the description of each operation."""
    for path, item in description()["paths"].items():
        for method in _METHODS & item.keys():
            yield path, method.upper(), item[method]


def routes() -> Iterator[tuple[str, str, str]]:
    """The path as the description has it, the method and the name of each route but HEAD's.

    The forms that the name of a file may have are one path there: OpenAPI takes paths that differ
    by the names of their parameters alone for the same.
    """
    for rule in API.app.url_map.iter_rules():
        name = getattr(API.app.endpoints[rule.endpoint], OPERATION)
        path = _FILES.sub("{file}.json", re.sub(r"<\w+:(\w+)>", r"{\1}", rule.rule))
        assert rule.methods is not None
        for method in rule.methods - {"HEAD"}:
            yield path, method, name


def test_is_an_openapi_description() -> None:
    schemathesis.openapi.from_path(DESCRIPTION).validate()


def test_every_route_is_described_and_no_other() -> None:
    described = [
        (path, method, name) for path, method, each in operations() for name in each["x-operations"]
    ]
    assert sorted(described) == sorted(routes())


def test_head_is_taken_wherever_get_is() -> None:
    for rule in API.app.url_map.iter_rules():
        assert rule.methods is not None
        assert ("GET" in rule.methods) == ("HEAD" in rule.methods)


def test_operations_have_names_of_their_own() -> None:
    ids = [each["operationId"] for _, _, each in operations()]
    assert len(ids) == len(set(ids))


def test_every_error_is_described_with_its_status_and_no_other() -> None:
    responses = description()["components"]["responses"]
    described: dict[str, int] = {}
    for _, _, operation in operations():
        for status, response in operation["responses"].items():
            _, _, name = response.get("$ref", "").rpartition("/")
            for content in responses.get(name, {}).get("content", {}).values():
                item = content["schema"]["properties"]["errors"]["items"]
                for code in item["properties"]["code"]["enum"]:
                    assert described.setdefault(code, int(status)) == int(status)
    assert described == _CODES


@pytest.mark.parametrize("code", _CODES)
def test_every_error_is_in_the_table_of_the_page(code: str) -> None:
    rows = re.findall(r"(?m)^([A-Z_]+) +(\d{3}) ", DESCRIPTION.with_name("api.rst").read_text())
    assert (code, str(_CODES[code])) in rows
    assert len(rows) == len(_CODES)
