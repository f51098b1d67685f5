"""What findings come to."""

from __future__ import annotations

import pytest

from notary.check.findings import Finding, error, exit_status, ok, warning


@pytest.mark.parametrize(
    ("findings", "status"),
    [
        ([], 0),
        ([ok("a", "b")], 0),
        ([warning("a", "b"), ok("a", "b")], 1),
        ([error("a", "b"), warning("a", "b")], 2),
    ],
)
def test_the_worst_is_the_exit_status(findings: list[Finding], status: int) -> None:
    assert exit_status(findings) == status


def test_each_is_one_line() -> None:
    assert str(ok("server.http_addr", "fine")) == "ok      server.http_addr: fine"
    assert str(error("a", "/odd\nname\x1b[2J")) == "error   a: /odd\\nname\\x1b[2J"
