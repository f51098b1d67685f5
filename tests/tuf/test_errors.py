"""What can be wrong with metadata."""

from __future__ import annotations

from notary.tuf.errors import BadHierarchyError, PublishError


def test_a_bad_hierarchy_says_what_is_missing() -> None:
    error = BadHierarchyError("no snapshot was uploaded", missing="snapshot")
    assert isinstance(error, PublishError)
    assert (str(error), error.missing) == ("no snapshot was uploaded", "snapshot")
