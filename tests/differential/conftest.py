"""The servers that all cases share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.differential.servers import Pairs, pairs


@pytest.fixture(scope="session", params=[1, 2], ids=["alone", "workers"])
def server_pairs(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pairs]:
    """Pairs of servers by setting, started when first asked for; ours of so many processes."""
    with pairs(tmp_path_factory.mktemp("differential"), request.param) as running:
        yield running
