"""Reading the body of a publish: which files came for which roles."""

from __future__ import annotations

import re
from collections.abc import Mapping
from io import SEEK_END
from typing import BinaryIO

from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from notary.server.errors import (
    INVALID_ROLE,
    MALFORMED_UPLOAD,
    NO_FILENAME,
    APIError,
)
from notary.tuf.errors import MalformedJSONError, ValidationError
from notary.tuf.metadata import Metadata
from notary.tuf.names import is_role

MAX_FILES = 1000
"""Files in one upload: a delegation tree far larger than any seen."""

_FILENAME = re.compile(r";\s*filename\*?\s*=", re.IGNORECASE)
_MAX_PART_HEADER = 16 * 1024
_CHUNK = 1 << 20


def body_size(body: BinaryIO) -> int:
    """Return the number of bytes in a body, leaving it at its beginning."""
    size = body.seek(0, SEEK_END)
    body.seek(0)
    return size


def read_upload(content_type: str, body: BinaryIO) -> Mapping[str, Metadata]:
    """Return the uploaded files, taken apart, by role.

    Args:
        content_type: the header of that name.
        body: the request's body, at its beginning.

    Raises:
        APIError: the body is not ``multipart/form-data``, or a part has no role, or one that
            cannot be.
        MalformedJSONError: a file is not metadata.
        ValidationError: two parts are for the same role.
    """
    files: dict[str, Metadata] = {}
    for part, data in _parts(content_type, body):
        role = _role(part)
        try:
            metadata = Metadata.parse(data)
        except MalformedJSONError as error:
            raise MalformedJSONError(f"{role}: {error}") from error
        if role in files:
            raise ValidationError(f"{role} was uploaded twice")
        files[role] = metadata
    return files


def _role(part: MultipartSegment) -> str:
    if len(_FILENAME.findall(part.header("Content-Disposition", ""))) > 1:
        raise APIError(NO_FILENAME, "a part has more than one file name")
    role = (part.filename or "").removesuffix(".json")
    if not role:
        raise APIError(NO_FILENAME)
    if not is_role(role):
        raise APIError(INVALID_ROLE, role)
    return role


def _parts(content_type: str, body: BinaryIO) -> list[tuple[MultipartSegment, bytes]]:
    kind, options = parse_options_header(content_type)
    boundary = options.get("boundary")
    if kind != "multipart/form-data" or not boundary:
        raise APIError(MALFORMED_UPLOAD, "the body must be multipart/form-data with a boundary")
    size = body_size(body)
    parts: list[tuple[MultipartSegment, bytes]] = []
    chunks: list[bytes] = []
    try:
        with PushMultipartParser(
            boundary,
            content_length=size,
            max_header_size=_MAX_PART_HEADER,
            max_segment_count=MAX_FILES,
        ) as parser:
            for event in parser.parse_blocking(body.read, _CHUNK):
                if isinstance(event, MultipartSegment):
                    segment = event
                elif event:
                    chunks.append(bytes(event))
                else:
                    parts.append((segment, b"".join(chunks)))
                    chunks.clear()
    except MultipartError as error:
        raise APIError(MALFORMED_UPLOAD, str(error)) from error
    return parts
