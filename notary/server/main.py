"""The command ``notary-server``."""

from __future__ import annotations

from notary import command

SWITCHES = {
    "debug": "accepted for compatibility; this version has no debug server",
    "check": "look at everything that is configured, say what is wrong, and exit",
    "bootstrap": "make or upgrade the tables of the database, and exit",
}


def main() -> None:
    """Run the metadata server in the foreground."""
    command.run("notary-server", "The metadata server of a Notary service.", SWITCHES)
