"""The command ``notary-server``, and the plugin of `twistd` of that name."""

from __future__ import annotations

from twisted.application.service import IService

from notary import command, daemon

SWITCHES = {
    "debug": "open the debug server, for this machine only, on localhost:8080 or at "
    "server.debug_addr",
    "check": "look at everything that is configured, say what is wrong, and exit",
    "bootstrap": "make or upgrade the tables of the database, and exit",
}


def main() -> None:
    """Run the metadata server in the foreground."""
    command.run("notary-server", "The metadata server of a Notary service.", SWITCHES)


class Options(daemon.Options):
    """The command line of ``twistd notary-server``."""

    optFlags = [[name, None, effect] for name, effect in SWITCHES.items()]


def makeService(options: Options) -> IService:
    """Return the metadata server that a command line asks for; see `notary.server.tap`."""
    # Not before: Klein imports the reactor, which the command line chooses.
    from notary.server import tap

    return tap.makeService(options)
