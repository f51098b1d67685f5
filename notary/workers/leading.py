"""Making a daemon the parent of workers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from typing import Any

from notary.config.sections import TlsServer
from notary.daemon import Daemon, Options, end_in_vain
from notary.observe.logs import descriptor_of
from notary.workers.parent import Workers
from notary.workers.plan import Plan, SharedDoor


def lead_workers(
    daemon: Daemon,
    options: Options,
    reactor: Any,
    name: str,
    server: TlsServer,
    doors: Sequence[SharedDoor],
) -> None:
    """Have a daemon start workers and watch over them, and do nothing else.

    Args:
        daemon: is to be their parent.
        options: its command line, which is theirs too.
        reactor: runs it.
        name: of the daemon's package, ``server`` or ``signer``.
        server: says how many there are.
        doors: where they listen.
    """

    def write_log(lines: str) -> None:
        daemon.log.write(lines)
        daemon.log.flush()

    plan = Plan(
        f"notary.{name}.main",
        [
            f"-config={os.path.abspath(options['config'])}",
            f"-logf={options['logf']}",
            *(["-debug"] if options["debug"] else []),
        ],
        server.workers,
        doors,
        server.reuse_port,
        f"notary_{name}",
        descriptor_of(daemon.log),
        write_log,
    )
    threshold = daemon.log_level
    give_up = partial(end_in_vain, reactor)
    daemon.lead(Workers(reactor, plan, lambda: threshold.level, give_up))
