"""Tests for `notary.allocator`."""

from __future__ import annotations

import subprocess
import sys

MEGABYTE = 1 << 20
BLOCKS = 64

PROGRAM = f"""\
from pathlib import Path

from notary.allocator import give_back_big_blocks


def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


SETTING
bytearray(8 * {MEGABYTE})  # raises what glibc counts as big
before = resident()
pairs = [[bytearray({MEGABYTE}), bytearray(4096)] for _ in range({BLOCKS})]
for big, _ in pairs:
    big[:] = b"x" * {MEGABYTE}
del big
for pair in pairs:
    del pair[0]
print(resident() - before)
"""


def left_behind(setting: str) -> int:
    """Bytes that stay in memory when big blocks were freed that have small ones between them."""
    program = PROGRAM.replace("SETTING", setting)
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, check=True)
    return int(done.stdout)


def test_big_blocks_are_given_back() -> None:
    assert left_behind("give_back_big_blocks()") < BLOCKS * MEGABYTE // 8
