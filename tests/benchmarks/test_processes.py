"""What processes take."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from benchmarks.processes import cpu_seconds, has_loaded, is_alive, resident_bytes

BUSY = """
import time
end = time.process_time() + 0.3
while time.process_time() < end:
    pass
print(flush=True)
time.sleep(60)
"""
PARENT = f"""
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", {BUSY!r}])
try:
    time.sleep(60)
finally:
    child.kill()
"""


def test_children_count() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE)
    try:
        assert parent.stdout is not None
        parent.stdout.readline()
        assert cpu_seconds(parent.pid) >= 0.3
        assert resident_bytes(parent.pid) > 2**20
    finally:
        parent.send_signal(2)
        parent.wait()


def test_who_has_ended_is_not_alive() -> None:
    process = subprocess.Popen(["true"])
    deadline = time.monotonic() + 10
    while is_alive(process.pid):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.wait()
    assert not is_alive(process.pid)
    assert is_alive(os.getpid())


@pytest.mark.parametrize(("library", "found"), [("libc.so", True), ("no-such-library", False)])
def test_libraries(library: str, found: bool) -> None:
    assert has_loaded(os.getpid(), library) == found
