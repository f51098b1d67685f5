"""What clients are told: the table of codes, in the shape that the Go client decodes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from notary.server import errors
from notary.server.errors import APIError, ErrorCode, api_error
from notary.server.reading import DamagedFileError
from notary.signing.interfaces import KeyNotHeldError, SignerUnavailableError
from notary.storage.interfaces import (
    ConflictError,
    FileNotStoredError,
    StoreUnavailableError,
    UnstorableError,
)
from notary.tuf import errors as tuf
from tests.server.harness import Service, base, log_lines
from tests.support.forge import Key

CODES = {
    "NO_FILENAME": (400, "No file/role name provided."),
    "INVALID_ROLE": (400, "The role you are attempting to operate on is invalid."),
    "MALFORMED_JSON": (400, "JSON sent by the client could not be parsed by the server"),
    "UPDATING": (500, "An error has occurred while updating the TUF repository."),
    "VERSION": (400, "A newer version of metadata is already available."),
    "METADATA_NOT_FOUND": (404, "You have requested metadata that does not exist."),
    "INVALID_UPDATE": (400, "Update sent by the client is invalid."),
    "MALFORMED_UPLOAD": (400, "The body of your request is malformed."),
    "INVALID_GUN": (400, "The server does not support actions on images of this name."),
    "INVALID_PARAMETERS": (400, "The parameters provided are not valid."),
    "UNAUTHORIZED": (401, "authentication required"),
    "UNKNOWN": (500, "unknown error"),
    "UPLOAD_TOO_LARGE": (413, "The upload is larger than this server takes."),
    "STORE_UNAVAILABLE": (503, "The server's database cannot be used at the moment."),
    "SIGNER_UNAVAILABLE": (503, "The server's signing service cannot be used at the moment."),
}

DEFINED = {value.name: value for value in vars(errors).values() if isinstance(value, ErrorCode)}


def test_every_code_has_its_status_and_message() -> None:
    assert {name: (code.status, code.message) for name, code in DEFINED.items()} == CODES


@pytest.mark.parametrize("name", CODES)
@pytest.mark.parametrize("detail", [None, "why", "", {"Name": "ErrValidation"}, ["\u00e4\n"]])
def test_body(name: str, detail: Any) -> None:
    body = APIError(DEFINED[name], detail).body
    assert body.endswith(b"}\n")
    expected = {"code": name, "message": CODES[name][1]}
    if detail is not None:
        expected["detail"] = detail
    assert json.loads(body) == {"errors": [expected]}


def test_an_error_explains_itself() -> None:
    assert str(APIError(errors.INVALID_ROLE, "x")) == (
        "INVALID_ROLE: The role you are attempting to operate on is invalid. x"
    )
    assert str(APIError(errors.UNKNOWN)) == "UNKNOWN: unknown error"


@pytest.mark.parametrize(
    ("error", "code", "detail"),
    [
        (APIError(errors.NO_FILENAME), "NO_FILENAME", None),
        (tuf.InvalidGUNError("why"), "INVALID_GUN", "why"),
        (tuf.MalformedJSONError("why"), "MALFORMED_JSON", "why"),
        (tuf.StaleVersionError("why"), "VERSION", None),
        (FileNotStoredError("why"), "METADATA_NOT_FOUND", None),
        (StoreUnavailableError("why"), "STORE_UNAVAILABLE", None),
        (SignerUnavailableError("why"), "SIGNER_UNAVAILABLE", None),
        (ConflictError("why"), "UNKNOWN", None),
        (KeyNotHeldError("why"), "UNKNOWN", None),
        (DamagedFileError("why"), "UNKNOWN", None),
        (tuf.SignatureError("why"), "UNKNOWN", None),
        (ZeroDivisionError("why"), "UNKNOWN", None),
        (KeyboardInterrupt(), "UNKNOWN", None),
    ],
)
def test_exceptions(error: BaseException, code: str, detail: str | None) -> None:
    told = api_error(error)
    assert (told.code.name, told.detail) == (code, detail)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (tuf.ValidationError, "ErrValidation"),
        (tuf.BadRootError, "ErrBadRoot"),
        (tuf.BadTargetsError, "ErrBadTargets"),
        (tuf.BadSnapshotError, "ErrBadSnapshot"),
    ],
)
def test_broken_rules_of_a_publish(kind: type[tuf.PublishError], name: str) -> None:
    told = api_error(kind("why"))
    assert told.code.name == "INVALID_UPDATE"
    assert told.detail == {"Name": name, "Error": {"Msg": "why"}}


def test_a_missing_file_of_a_publish_is_named() -> None:
    told = api_error(tuf.BadHierarchyError("why", missing="targets/a"))
    assert told.detail == {
        "Name": "ErrBadHierarchy",
        "Error": {"Msg": "why", "Missing": "targets/a"},
    }


def test_every_broken_rule_has_a_name() -> None:
    named = {"ErrValidation", "ErrBadHierarchy", "ErrBadRoot", "ErrBadTargets", "ErrBadSnapshot"}
    assert len(tuf.PublishError.__subclasses__()) == len(named)


def test_a_database_that_cannot_hold_something_is_not_described() -> None:
    told = api_error(UnstorableError("column secret_column of table x"))
    assert told.detail["Name"] == "ErrValidation"
    assert b"secret_column" not in told.body


def test_an_error_of_the_client_is_logged_in_one_line(service: Service) -> None:
    with log_lines() as lines:
        service.get(f"{base()}root.json")
    assert [line for line in lines if not line.startswith("response completed")] == [
        "docker.io/library/alpine has no file of role timestamp"
    ]


def test_an_unexpected_error_is_logged_with_its_path_and_not_told(service: Service) -> None:
    service.store.failure = ZeroDivisionError("a secret")
    with log_lines() as lines:
        answer = service.get(f"{base()}root.json")
    assert (answer.status, answer.error["code"]) == (500, "UNKNOWN")
    assert b"secret" not in answer.body
    assert f"{base()}root.json failed a secret" in lines


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"{base()}root.json"),
        ("GET", f"{base()}timestamp.json"),
        ("GET", f"{base()}1.root.json"),
        ("GET", f"{base()}root.{'0' * 64}.json"),
        ("GET", f"{base()}timestamp.key"),
        ("DELETE", base()),
        ("GET", "/v2/_trust/changefeed?records=1"),
    ],
)
def test_an_outage_asks_to_come_back_later(service: Service, method: str, path: str) -> None:
    service.store.go_away()
    answer = service.ask(method, path)
    assert (answer.status, answer.error["code"]) == (503, "STORE_UNAVAILABLE")
    assert answer.headers["Retry-After"] == "5"


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"root": {"version": 7}}, "ErrBadRoot"),
        ({"root": {"signers": [Key.generate()]}}, "ErrBadRoot"),
        ({"targets": {"signers": [Key.generate()]}}, "ErrBadTargets"),
        ({"snapshot": {"meta": {}}}, "ErrBadSnapshot"),
    ],
)
def test_broken_rules_over_http(
    service: Service, changes: dict[str, dict[str, Any]], name: str
) -> None:
    collection = service.collection(server_snapshot=False)
    files = {
        "root": collection.root(**changes.get("root", {})),
        "targets": collection.targets(**changes.get("targets", {})),
    }
    files["snapshot"] = collection.snapshot(meta_of=files, **changes.get("snapshot", {}))
    answer = service.publish(files)
    assert answer.status == 400
    assert answer.error["detail"]["Name"] == name
    assert "Retry-After" not in answer.headers


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"": b"{}"}, "NO_FILENAME"),
        ({"other": b"{}"}, "INVALID_ROLE"),
        ({"root": b"x"}, "MALFORMED_JSON"),
    ],
)
def test_refused_uploads_over_http(service: Service, files: dict[str, bytes], code: str) -> None:
    answer = service.publish(files)
    assert (answer.status, answer.error["code"]) == (CODES[code][0], code)
