"""What a client is told when something is wrong: the one table of codes and statuses."""

from __future__ import annotations

import json
from typing import Any

import attrs

from notary.signing.interfaces import SignerUnavailableError, UnsignableError
from notary.storage.interfaces import (
    FileNotStoredError,
    StoreUnavailableError,
    UnstorableError,
)
from notary.tuf import errors as tuf


@attrs.frozen
class ErrorCode:
    """A kind of error.

    Attributes:
        name: what programs go by.
        status: the HTTP status that goes with it.
        message: what clients print.
    """

    name: str
    status: int
    message: str


NO_FILENAME = ErrorCode("NO_FILENAME", 400, "No file/role name provided.")
INVALID_ROLE = ErrorCode(
    "INVALID_ROLE", 400, "The role you are attempting to operate on is invalid."
)
MALFORMED_JSON = ErrorCode(
    "MALFORMED_JSON", 400, "JSON sent by the client could not be parsed by the server"
)
UPDATING = ErrorCode("UPDATING", 500, "An error has occurred while updating the TUF repository.")
VERSION = ErrorCode("VERSION", 400, "A newer version of metadata is already available.")
METADATA_NOT_FOUND = ErrorCode(
    "METADATA_NOT_FOUND", 404, "You have requested metadata that does not exist."
)
INVALID_UPDATE = ErrorCode("INVALID_UPDATE", 400, "Update sent by the client is invalid.")
MALFORMED_UPLOAD = ErrorCode("MALFORMED_UPLOAD", 400, "The body of your request is malformed.")
INVALID_GUN = ErrorCode(
    "INVALID_GUN", 400, "The server does not support actions on images of this name."
)
INVALID_PARAMETERS = ErrorCode("INVALID_PARAMETERS", 400, "The parameters provided are not valid.")
UNAUTHORIZED = ErrorCode("UNAUTHORIZED", 401, "authentication required")
UNKNOWN = ErrorCode("UNKNOWN", 500, "unknown error")
UPLOAD_TOO_LARGE = ErrorCode(
    "UPLOAD_TOO_LARGE", 413, "The upload is larger than this server takes."
)
STORE_UNAVAILABLE = ErrorCode(
    "STORE_UNAVAILABLE", 503, "The server's database cannot be used at the moment."
)
SIGNER_UNAVAILABLE = ErrorCode(
    "SIGNER_UNAVAILABLE", 503, "The server's signing service cannot be used at the moment."
)

_PUBLISH_ERROR_NAMES = {
    tuf.ValidationError: "ErrValidation",
    tuf.BadHierarchyError: "ErrBadHierarchy",
    tuf.BadRootError: "ErrBadRoot",
    tuf.BadTargetsError: "ErrBadTargets",
    tuf.BadSnapshotError: "ErrBadSnapshot",
}
_CODES: dict[type[Exception], ErrorCode] = {
    FileNotStoredError: METADATA_NOT_FOUND,
    StoreUnavailableError: STORE_UNAVAILABLE,
    SignerUnavailableError: SIGNER_UNAVAILABLE,
    tuf.StaleVersionError: VERSION,
}
_CODES_WITH_REASON: dict[type[Exception], ErrorCode] = {
    tuf.InvalidGUNError: INVALID_GUN,
    tuf.MalformedJSONError: MALFORMED_JSON,
}


class APIError(Exception):
    """An error as a client gets it.

    Attributes:
        code: its kind.
        detail: more about it in JSON, None for nothing.

    Args:
        reason: what the log says in place of what the client is told.
    """

    def __init__(self, code: ErrorCode, detail: Any = None, reason: str | None = None) -> None:
        told = f"{code.message} {detail or ''}".rstrip()
        super().__init__(f"{code.name}: {reason or told}")
        self.code = code
        self.detail = detail

    @property
    def body(self) -> bytes:
        """The answer's body."""
        error = {"code": self.code.name, "message": self.code.message}
        if self.detail is not None:
            error["detail"] = self.detail
        return json.dumps({"errors": [error]}).encode() + b"\n"


def api_error(error: BaseException) -> APIError:
    """Return what a client is told about an exception; nothing of one that is not expected."""
    if isinstance(error, APIError):
        return error
    if isinstance(error, UnstorableError):
        # Its own message may tell more about the database than a client should know.
        error = tuf.ValidationError("the server's database cannot hold these names or files")
    if isinstance(error, UnsignableError):
        error = tuf.ValidationError(str(error))
    if isinstance(error, tuf.PublishError):
        return APIError(INVALID_UPDATE, _publish_error(error))
    for kind, code in _CODES.items():
        if isinstance(error, kind):
            return APIError(code)
    for kind, code in _CODES_WITH_REASON.items():
        if isinstance(error, kind):
            return APIError(code, str(error))
    return APIError(UNKNOWN)


def _publish_error(error: tuf.PublishError) -> dict[str, Any]:
    inner = {"Msg": str(error)}
    if isinstance(error, tuf.BadHierarchyError):
        inner["Missing"] = error.missing
    return {"Name": _PUBLISH_ERROR_NAMES[type(error)], "Error": inner}
