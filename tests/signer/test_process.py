"""The memory of the process is nobody else's business."""

from __future__ import annotations

import errno
import subprocess
import sys
import textwrap
from types import SimpleNamespace

import pytest

from notary.signer import process
from notary.signer.process import ProtectionError, protect_memory
from tests.signer.processes import WITHOUT_RIGHTS, dumpable

PROGRAM = """
    import os
    from notary.signer.process import protect_memory
    from tests.signer.processes import dumpable, open_to_others

    print(dumpable(), open_to_others(os.getpid()))
    protect_memory()
    print(dumpable(), open_to_others(os.getpid()))
"""


def test_nobody_may_look_inside_afterwards() -> None:
    command = [*WITHOUT_RIGHTS, sys.executable, "-c", textwrap.dedent(PROGRAM)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["True True", "False False"]


def test_other_systems_have_no_such_thing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(ProtectionError, match=r"^there is no way to do that on darwin$"):
        protect_memory()
    assert dumpable()


def test_a_refusal_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    libc = SimpleNamespace(prctl=lambda *arguments: -1)
    refusing = SimpleNamespace(CDLL=lambda *_, **__: libc, get_errno=lambda: errno.EPERM)
    monkeypatch.setattr(process, "ctypes", refusing)
    with pytest.raises(ProtectionError, match=r"^Operation not permitted$"):
        protect_memory()
