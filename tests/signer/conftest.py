"""A signer that holds no keys yet."""

from __future__ import annotations

import pytest

from tests.signer.harness import Signer


@pytest.fixture
def signer() -> Signer:
    return Signer.make()
