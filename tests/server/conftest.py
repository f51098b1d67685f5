"""A metadata server with nothing in it."""

from __future__ import annotations

import pytest

from tests.server.harness import Service


@pytest.fixture
def service() -> Service:
    return Service.make()
