"""The command ``notary-signer``."""

from __future__ import annotations

from notary import command

SWITCHES = {
    "debug": "open the debug server, for this machine only, on localhost:8080 or at "
    "server.debug_addr, and let debuggers and core dumps at the memory of the process, and so at "
    "the keys",
    "check": "look at everything that is configured, say what is wrong, and exit",
    "bootstrap": "make or upgrade the table of the database, and exit",
}


def main() -> None:
    """Run the signer in the foreground."""
    command.run("notary-signer", "The signer of a Notary service.", SWITCHES)
