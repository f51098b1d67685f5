"""Publishes as the tests of their rules make them."""

from __future__ import annotations

from collections.abc import Mapping

from notary.tuf.files import Snapshot
from notary.tuf.names import SNAPSHOT
from notary.tuf.publish import Accepted, Stored, judge
from tests.tuf.samples import GUN, NOW, parse

MAX_STEP = 10


def stored(files: Mapping[str, bytes], **versions: int) -> Stored:
    """A collection with these current files, and maybe other newest versions."""
    metadata = parse(files)
    newest = {role: each.version for role, each in metadata.items()}
    named = Snapshot.read(metadata[SNAPSHOT]).meta if SNAPSHOT in metadata else {}
    return Stored(metadata, named, {**newest, **versions})


def publish(files: Mapping[str, bytes], before: Stored | None = None) -> Accepted:
    """Judge an upload to `GUN` at `NOW`."""
    return judge(GUN, parse(files), before or Stored(), NOW, MAX_STEP)
