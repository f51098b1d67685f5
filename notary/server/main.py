"""The command ``notary-server``."""

from __future__ import annotations

from notary import command

SWITCHES = {
    "debug": "open the debug server, for this machine only, on localhost:8080 or at "
    "server.debug_addr",
    "check": "look at everything that is configured, say what is wrong, and exit",
    "bootstrap": "make or upgrade the tables of the database, and exit",
}


def main() -> None:
    """Run the metadata server in the foreground."""
    command.run("notary-server", "The metadata server of a Notary service.", SWITCHES)
