"""The servers that all cases share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.differential.servers import Pairs, pairs


@pytest.fixture(scope="session")
def server_pairs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pairs]:
    """Pairs of servers by setting, started when first asked for."""
    with pairs(tmp_path_factory.mktemp("differential")) as running:
        yield running
