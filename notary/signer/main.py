"""The command ``notary-signer``, and the plugin of `twistd` of that name."""

from __future__ import annotations

from twisted.application.service import IService

from notary import command, daemon

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


class Options(daemon.Options):
    """The command line of ``twistd notary-signer``."""

    optFlags = [[name, None, effect] for name, effect in SWITCHES.items()]


def makeService(options: Options) -> IService:
    """Return the signer that a command line asks for; see `notary.signer.tap`."""
    # Not before: it may import the reactor, which the command line chooses.
    from notary.signer import tap

    return tap.makeService(options)
