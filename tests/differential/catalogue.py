"""All cases; importing the modules registers theirs."""

from __future__ import annotations

from tests.differential import (
    cases_certificates,
    cases_changefeed,
    cases_delegations,
    cases_guns,
    cases_json,
    cases_reads,
    cases_root,
    cases_rotations,
    cases_routes,
    cases_snapshots,
    cases_targets,
    cases_tokens,
    cases_uploads,
)
from tests.differential.harness import CASES

__all__ = [
    "CASES",
    "cases_certificates",
    "cases_changefeed",
    "cases_delegations",
    "cases_guns",
    "cases_json",
    "cases_reads",
    "cases_root",
    "cases_rotations",
    "cases_routes",
    "cases_snapshots",
    "cases_targets",
    "cases_tokens",
    "cases_uploads",
]
