"""Tests for `notary.collector`, in a process of its own, since what it does cannot be undone."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

PROGRAM = """\
import gc
import json

from notary.collector import spare_what_is_there


class Thing:
    pass


kept, lost = Thing(), Thing()
lost.itself = lost
del lost
spare_what_is_there()
later = Thing()
print(json.dumps({
    "things": sum(type(each) is Thing for each in gc.get_objects()),
    "spared": gc.get_freeze_count(),
    "thresholds": gc.get_threshold(),
    "enabled": gc.isenabled(),
}))
"""


def findings() -> dict[str, Any]:
    done = subprocess.run([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, check=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_what_is_there_is_not_looked_at_again() -> None:
    found = findings()
    assert found["things"] == 1
    assert found["spared"] > 1000
    assert found["thresholds"] == [5000, 10, 10]
    assert found["enabled"]
