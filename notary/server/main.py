"""The command ``notary-server``, with the flags of the original one."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from twisted.application import app
from twisted.scripts._twistd_unix import ServerOptions, UnixApplicationRunner

from notary import __version__


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
    parser.add_argument("-debug", "--debug", action="store_true", help="accepted for compatibility")
    parser.add_argument(
        "-bootstrap",
        "--bootstrap",
        action="store_true",
        help="make or upgrade the tables of the database, and exit",
    )
    parser.add_argument(
        "-version", "--version", action="version", version=f"notary-server {__version__}"
    )
    given = parser.parse_args(arguments)
    flags = [f"--{flag}" for flag in ("debug", "bootstrap") if getattr(given, flag)]
    return [
        "--nodaemon",
        "--pidfile=",
        "notary-server",
        f"--config={given.config}",
        f"--logf={given.logf}",
        *flags,
    ]


def main() -> None:
    """Run the metadata server in the foreground, as `twistd` does.

    Unlike `twistd`, a process that a signal told to stop ends with status 0.
    """
    sys.argv[1:] = twistd_arguments(sys.argv[1:])
    app.run(lambda config: UnixApplicationRunner(config).run(), ServerOptions)
