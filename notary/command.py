"""The daemons as commands in the foreground, with the flags of the original ones."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from twisted import plugins
from twisted.scripts import twistd

import notary
from notary.config.values import flag


def run(daemon: str, purpose: str, switches: Mapping[str, str]) -> None:
    """Run a daemon in the foreground.

    Args:
        daemon: its name, also that of the plugin.
        purpose: what it is, for the help.
        switches: flags that are either there or not, with their purposes.
    """
    # An editable installation has the plugin beside the package, where Twisted does not look.
    plugins.__path__.append(str(Path(notary.__file__).parent.parent / "twisted" / "plugins"))
    sys.argv[1:] = twistd_arguments(daemon, purpose, switches, sys.argv[1:])
    twistd.run()


def twistd_arguments(
    daemon: str, purpose: str, switches: Mapping[str, str], arguments: Sequence[str]
) -> list[str]:
    """Return the arguments for `twistd` that do what our own ask for.

    Flags may have one dash or two.

    Raises:
        SystemExit: they only ask for help or the version, or cannot be understood.
    """
    parser = argparse.ArgumentParser(prog=daemon, description=purpose)
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
    for name, effect in switches.items():
        parser.add_argument(
            f"-{name}",
            f"--{name}",
            nargs="?",
            type=flag,
            const=True,
            default=False,
            metavar="BOOL",
            help=effect,
        )
    parser.add_argument(
        "-version", "--version", action="version", version=f"{daemon} {notary.__version__}"
    )
    given = parser.parse_args(arguments)
    flags = [f"--{name}" for name in switches if getattr(given, name)]
    return [
        "--nodaemon",
        "--pidfile=",
        daemon,
        f"--config={given.config}",
        f"--logf={given.logf}",
        *flags,
    ]
