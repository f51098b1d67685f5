"""The command ``notary-health``: asks a daemon how it is, and says so by its exit status.

For those who watch over containers, in whose images there is nothing else that speaks HTTP.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import attrs
from OpenSSL import SSL
from treq.client import HTTPClient
from treq.content import collect
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.task import react
from twisted.python.failure import Failure
from twisted.web.client import Agent
from twisted.web.iweb import IPolicyForHTTPS
from zope.interface import implementer

from notary.tls import ClientContext, TLSError
from notary.tls.handshakes import troubles

SECONDS = 5.0
"""How long an answer may take, unless told otherwise."""

SHOWN_BYTES = 1024
"""How much of an answer that is not 200 is shown."""


class UnhealthyError(Exception):
    """The daemon is not well, or did not say so; the message tells what it did."""


def main() -> None:
    """Ask, and exit with 0 if the answer is 200, else with 1 and a message."""
    options = _parser().parse_args(sys.argv[1:])

    async def check(reactor: Any) -> None:
        try:
            await ask(reactor, options.url, options.ca, options.seconds)
        except UnhealthyError as error:
            raise SystemExit(f"notary-health: {options.url}: {error}") from None

    react(lambda reactor: Deferred.fromCoroutine(check(reactor)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="notary-health",
        description="Ask a daemon how it is. The exit status is 0 if it answers with 200, else 1.",
    )
    parser.add_argument(
        "url", type=_url, help="such as https://localhost:4443/_notary_server/ready"
    )
    parser.add_argument(
        "-ca",
        "--ca",
        type=Path,
        metavar="FILE",
        help="certificate authorities in PEM that the daemon's certificate is checked against "
        "(default: those of the operating system)",
    )
    parser.add_argument(
        "-seconds",
        "--seconds",
        type=float,
        default=SECONDS,
        help="how long the answer may take (default: %(default)g)",
    )
    return parser


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        valid = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form https://HOST:PORT/PATH")
    return text


async def ask(reactor: Any, url: str, ca_file: Path | None, seconds: float) -> None:
    """Ask a daemon how it is.

    Args:
        reactor: makes the connection.
        url: where to ask; the certificate has to be for its host.
        ca_file: authorities in PEM, None for those of the operating system.
        seconds: until it counts as silent.

    Raises:
        UnhealthyError: the answer is not 200, or there is none.
    """
    trust = _Trust(ca_file)
    client = HTTPClient(Agent(reactor, trust))
    answer = Deferred.fromCoroutine(_ask(client, url))
    try:
        await answer.addTimeout(seconds, reactor, _silence)
    except UnhealthyError:
        raise
    except TLSError as error:
        raise UnhealthyError(str(error)) from None
    except Exception as error:
        raise UnhealthyError(trust.trouble() or _reason(error)) from None


def _silence(_: object, seconds: float) -> None:
    raise UnhealthyError(f"no answer within {seconds:g} seconds")


async def _ask(client: HTTPClient, url: str) -> None:
    response = await client.get(url, allow_redirects=False, unbuffered=True)
    if response.code == 200:
        return
    shown = bytearray()
    await collect(response, lambda data: shown.extend(data[: SHOWN_BYTES - len(shown)]))
    text = shown.decode(errors="replace")
    # What a daemon, or whoever answers in its place, says must not get control of a terminal.
    printable = "".join(sign if sign.isprintable() else " " for sign in text).strip()
    raise UnhealthyError(f"the answer is {response.code}{printable and ': '}{printable}")


@implementer(IPolicyForHTTPS)
@attrs.frozen
class _Trust:
    """Which certificates are trusted, and what was wrong with one that was not."""

    _ca_file: Path | None
    _connections: list[SSL.Connection] = attrs.Factory(list)

    def creatorForNetloc(self, hostname: bytes, port: int) -> _Creator:
        context = ClientContext(hostname.decode("ascii"), self._ca_file, None, [b"http/1.1"])
        return _Creator(context, self._connections)

    def trouble(self) -> str | None:
        return next((troubles[made] for made in self._connections if made in troubles), None)


@implementer(IOpenSSLClientConnectionCreator)
@attrs.frozen
class _Creator:
    """Makes connections and keeps them, since `troubles` has what was wrong by connection."""

    _context: ClientContext
    _made: list[SSL.Connection]

    def clientConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        connection = self._context.clientConnectionForTLS(protocol)
        self._made.append(connection)
        return connection


def _reason(error: BaseException | None) -> str:
    """Say what is behind an error of the HTTP client, which may wrap several."""
    wrapped: Sequence[Failure] = getattr(error, "reasons", ())
    if wrapped:
        return _reason(wrapped[0].value)
    return f"{type(error).__name__}: {error}".rstrip(": ")
