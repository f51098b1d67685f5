"""The command ``notary-signer``."""

from __future__ import annotations

from notary import command

SWITCHES = {
    "debug": "let debuggers and core dumps at the memory of the process, and so at the keys",
    "check": "look at everything that is configured, say what is wrong, and exit",
    "bootstrap": "make or upgrade the table of the database, and exit",
}


def main() -> None:
    """Run the signer in the foreground."""
    command.run("notary-signer", "The signer of a Notary service.", SWITCHES)
