"""The server does what the description of its API says: requests made from it, good and bad."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import checks
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.support.api_client import ApiClient
from tests.support.daemons import OUR_SERVER, ROOT_CA, free_port, server_config, serving_config
from tests.support.documents import DESCRIPTION
from tests.support.forge import Collection
from tests.support.tokens import Signer, auth_section, write_bundle

pytestmark = pytest.mark.integration

Operation: TypeAlias = schemathesis.APIOperation[Any, Any, Any, Any]
Case: TypeAlias = schemathesis.Case[Any]

GUN = "example.com/hello"
"""The collection of the description's examples."""
REQUESTS = 40
"""Requests for each operation, besides those that try the ends of what it allows."""
SECONDS = 20
CHECKS = [
    checks.not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]

description: Any = schemathesis.openapi.from_path(
    DESCRIPTION,
    config=schemathesis.Config.from_dict({"generation": {"deterministic": True}}),
)


OPERATIONS = [result.ok() for result in description.get_all_operations()]
PUBLISH = description.find_operation_by_id("UpdateTUF")


def label(operation: Operation) -> str:
    name: str = operation.label
    return name


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Where a server listens that keeps everything in memory."""
    with serving_memory(tmp_path_factory.mktemp("open")) as port:
        yield port


@pytest.fixture(scope="module")
def guarded_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Where such a server listens that wants tokens."""
    directory = tmp_path_factory.mktemp("guarded")
    bundle = write_bundle(directory / "bundle.crt", Signer.make().certificate)
    with serving_memory(directory, auth=auth_section(bundle)) as port:
        yield port


@contextmanager
def serving_memory(directory: Path, **sections: Any) -> Iterator[int]:
    port = free_port()
    config = {**server_config(port, {"backend": "memory"}), **sections}
    with serving_config(OUR_SERVER, directory, config, port):
        yield port


@pytest.fixture
def published(port: int) -> Mapping[str, bytes]:
    """The collection of the examples, as that server holds it."""
    with closing(ApiClient(port)) as client:
        roles = ("timestamp", "snapshot")
        keys = [json.loads(client.get(GUN, f"{role}.key").body) for role in roles]
        client.ask("DELETE", f"/v2/{GUN}/_trust/tuf/")
        files = Collection(GUN, *keys).first()
        reply = client.publish(GUN, files)
        assert reply.status == HTTPStatus.OK, reply
    return files


@pytest.mark.usefixtures("published")
@description.parametrize()
@settings(max_examples=REQUESTS, deadline=None, suppress_health_check=list(HealthCheck))
def test_requests_made_from_the_description(port: int, case: Case) -> None:
    case.call_and_validate(
        base_url=url_of(port), verify=str(ROOT_CA), timeout=SECONDS, checks=CHECKS
    )


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize(
    "operation", [each for each in OPERATIONS if each.label != PUBLISH.label], ids=label
)
def test_good_requests_are_served(port: int, operation: Operation) -> None:
    assert ask(operation, port).status_code == HTTPStatus.OK


def test_a_file_has_three_names(port: int, published: Mapping[str, bytes]) -> None:
    for name in ("root", "1.root", f"root.{sha256(published['root']).hexdigest()}"):
        response = ask(description.find_operation_by_id("GetRole"), port, file=name)
        assert response.content == published["root"]


def test_a_publish_is_served(port: int, published: Mapping[str, bytes]) -> None:
    ask(description.find_operation_by_id("DeleteTUF"), port)
    files = [("files", (role, data)) for role, data in published.items()]
    assert ask(PUBLISH, port, files=files).status_code == HTTPStatus.OK


@pytest.mark.parametrize("operation", OPERATIONS, ids=label)
def test_what_needs_a_token_is_described(guarded_port: int, operation: Operation) -> None:
    response = ask(operation, guarded_port)
    needs_token = list(operation.security.iter_parameters()) != []
    assert (response.status_code == HTTPStatus.UNAUTHORIZED) == needs_token


def ask(
    operation: Operation, port: int, *, file: str = "timestamp", **sent: Any
) -> schemathesis.Response:
    """Make a request that is good, and check that the answer is as described."""
    values = {"gun": GUN, "file": file, "role": "timestamp"}
    case = operation.Case(
        path_parameters={each.name: values[each.name] for each in operation.path_parameters},
        query={each.name: 0 for each in operation.query},
    )
    response = case.call(url_of(port), verify=str(ROOT_CA), timeout=SECONDS, **sent)
    case.validate_response(response, checks=CHECKS)
    return response


def url_of(port: int) -> str:
    return f"https://localhost:{port}"
