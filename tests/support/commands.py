"""Runs the daemons' commands to their end, and keeps what they say."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from tests.support.daemons import FIXTURES, START_SECONDS

PROJECT = FIXTURES.parent


def start(
    *arguments: str | Path, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[str]:
    """Start a command in the directory of the project."""
    return subprocess.Popen(
        [os.fspath(argument) for argument in arguments],
        cwd=PROJECT,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@attrs.frozen
class Run:
    """How a command ended.

    Attributes:
        status: its exit status; negative for a signal.
        out: what it wrote to standard output.
        err: what it wrote to standard error.
    """

    status: int
    out: str
    err: str


def end_of(process: subprocess.Popen[str], seconds: float = START_SECONDS) -> Run:
    """Wait until a command has ended; one that takes longer is killed."""
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    return Run(process.returncode, out, err)


@attrs.frozen
class Refusal:
    """A command that ends at once, and why.

    Attributes:
        message: what it says about it.
        config: what is in the configuration file, None for a file that is missing.
        flags: given on the command line.
        environment: variables that are set.
        status: how it ends.
    """

    message: str
    config: Mapping[str, Any] | None = None
    flags: tuple[str, ...] = ()
    environment: Mapping[str, str] = attrs.field(factory=dict)
    status: int = 1
