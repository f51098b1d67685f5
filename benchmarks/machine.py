"""What the figures were measured on, and with."""

from __future__ import annotations

import os
import platform
import re
import ssl
import subprocess
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from benchmarks.contenders import OURS, Contender
from tests.support.commands import PROJECT
from tests.support.daemons import REFERENCE_SERVER
from tests.support.mariadb import MariaDB


def describe(mariadb: MariaDB, pairs: Sequence[Contender]) -> Mapping[str, str]:
    """Return names and values."""
    (ours,) = (each for each in pairs if each.name == OURS)
    ((database,),) = mariadb.execute("SELECT VERSION()")
    return {
        "Processor": f"{_processor()}, {os.cpu_count()} cores",
        "Memory": f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB",
        "System": f"{_pretty_name()}, Linux {platform.release()}",
        "Load before": f"{os.getloadavg()[0]:.1f}",
        "Ours": f"{_said('git', '-C', str(PROJECT), 'describe', '--always', '--dirty')}, "
        f"reactor {ours.reactor}",
        "Python": f"{platform.python_version()}, Twisted {version('twisted')}, "
        f"{ssl.OPENSSL_VERSION}",
        "Go": f"notary {_said('dpkg-query', '-W', '-f=${Version}', 'notary')}, "
        f"{_said(str(REFERENCE_SERVER), '-version').rpartition(' ')[2]}",
        "MariaDB": database,
        "wrk": _said("wrk", "--version").split()[1],
    }


def _processor() -> str:
    names = re.findall(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return names[0] if names else platform.machine()


def _pretty_name() -> str:
    return platform.freedesktop_os_release()["PRETTY_NAME"]


def _said(*command: str) -> str:
    """What a command says of itself, on whichever output and with whichever status."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=10
        )
    except OSError:
        return "unknown"
    return (done.stdout or done.stderr).strip() or "unknown"
