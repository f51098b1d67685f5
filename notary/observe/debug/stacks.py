"""Where every thread is."""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping
from types import FrameType

from notary.observe.debug.places import frame_place

MAX_FRAMES = 200


def thread_stacks() -> str:
    """Return the stack of each thread but the calling one, innermost function first."""
    threads = {thread.ident: thread for thread in threading.enumerate()}
    frames = sys._current_frames()
    del frames[threading.get_ident()]
    parts = []
    for ident, frame in sorted(frames.items(), key=lambda item: _order(threads, item[0])):
        thread = threads.get(ident)
        name = "unknown to Python" if thread is None else f"{thread.name} {thread.native_id}"
        parts.append("\n  ".join([f"thread {name}", *_places(frame)]))
    return f"threads: {len(parts)}\n\n" + "\n\n".join(parts) + "\n"


def _order(threads: Mapping[int | None, threading.Thread], ident: int) -> tuple[bool, str]:
    thread = threads.get(ident)
    return thread is not threading.main_thread(), "" if thread is None else thread.name


def _places(frame: FrameType | None) -> list[str]:
    places: list[str] = []
    while frame is not None and len(places) < MAX_FRAMES:
        places.append(frame_place(frame))
        frame = frame.f_back
    return places
