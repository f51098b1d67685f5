"""The command ``notary-server``, with the flags of the original one."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from twisted import plugins
from twisted.scripts import twistd

import notary
from notary.config.values import flag

_SWITCHES = {
    "debug": "accepted for compatibility; this version has no debug server",
    "bootstrap": "make or upgrade the tables of the database, and exit",
}


def twistd_arguments(arguments: Sequence[str]) -> list[str]:
    """Return the arguments for `twistd` that do what our own ask for.

    Flags may have one dash or two.

    Raises:
        SystemExit: they only ask for help or the version, or cannot be understood.
    """
    parser = argparse.ArgumentParser(
        prog="notary-server", description="The metadata server of a Notary service."
    )
    parser.add_argument(
        "-config", "--config", required=True, metavar="FILE", help="path to the configuration file"
    )
    parser.add_argument(
        "-logf",
        "--logf",
        choices=("json", "logfmt"),
        default="json",
        help="format of the log (default: json)",
    )
    for name, purpose in _SWITCHES.items():
        parser.add_argument(
            f"-{name}",
            f"--{name}",
            nargs="?",
            type=flag,
            const=True,
            default=False,
            metavar="BOOL",
            help=purpose,
        )
    parser.add_argument(
        "-version", "--version", action="version", version=f"notary-server {notary.__version__}"
    )
    given = parser.parse_args(arguments)
    flags = [f"--{name}" for name in _SWITCHES if getattr(given, name)]
    return [
        "--nodaemon",
        "--pidfile=",
        "notary-server",
        f"--config={given.config}",
        f"--logf={given.logf}",
        *flags,
    ]


def main() -> None:
    """Run the metadata server in the foreground."""
    # An editable installation has the plugin beside the package, where Twisted does not look.
    plugins.__path__.append(str(Path(notary.__file__).parent.parent / "twisted" / "plugins"))
    sys.argv[1:] = twistd_arguments(sys.argv[1:])
    twistd.run()
