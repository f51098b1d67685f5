"""Saying where code is, without a word about the values it works on."""

from __future__ import annotations

import sys
from functools import lru_cache
from types import CodeType, FrameType


@lru_cache(maxsize=10_000)
def short_path(file_name: str) -> str:
    """Return the path of a source file below the directory that it was imported from."""
    parents = [f"{parent.rstrip('/')}/" for parent in sys.path if parent]
    longest = max((p for p in parents if file_name.startswith(p)), key=len, default="")
    return file_name[len(longest) :]


def name_of(code: CodeType) -> str:
    """Return the name of a function, with that of its class where Python knows it (3.11)."""
    return getattr(code, "co_qualname", code.co_name)


def place(code: CodeType, line: int | None = None) -> str:
    """Return ``FILE:LINE FUNCTION``; without a line that of the function's beginning."""
    return f"{short_path(code.co_filename)}:{line or code.co_firstlineno} {name_of(code)}"


def frame_place(frame: FrameType) -> str:
    """Return the place that a frame is at."""
    return place(frame.f_code, frame.f_lineno)
