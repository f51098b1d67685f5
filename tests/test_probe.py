"""The command ``notary-health``: what counts as healthy, and what is said of the rest."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_twisted import ensureDeferred
from twisted.internet import reactor
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from notary.probe import SHOWN_BYTES, UnhealthyError, ask
from notary.tls import KeyPair, ServerContext
from tests.support.authority import Identity, make_identity
from tests.support.commands import Run, end_of, start
from tests.support.daemons import FIXTURES, OUR_SERVER, ROOT_CA, free_port

NET: Any = reactor


class Page(Resource):
    """Answers with whatever a test wants."""

    isLeaf = True
    status = 200
    body = b"{}"
    location: str | None = None
    silent = False

    def render_GET(self, request: Request) -> bytes | int:
        if self.silent:
            return NOT_DONE_YET
        request.setResponseCode(self.status)
        if self.location:
            request.setHeader("Location", self.location)
        return self.body


@pytest.fixture
def page() -> Page:
    return Page()


@pytest.fixture
def ports(page: Page) -> Iterator[tuple[int, int]]:
    """Where the page is, without TLS and with it."""
    site = Site(page)
    pair = KeyPair(FIXTURES / "notary-server.crt", FIXTURES / "notary-server.key")
    listeners: list[Any] = [
        NET.listenTCP(0, site, interface="127.0.0.1"),
        NET.listenSSL(0, site, ServerContext(pair, None), interface="127.0.0.1"),
    ]
    plain, encrypted = (listener.getHost().port for listener in listeners)
    yield plain, encrypted
    for listener in listeners:
        listener.stopListening()


async def refusal(url: str, ca_file: Path | None = None, seconds: float = 20.0) -> str:
    with pytest.raises(UnhealthyError) as caught:
        await ask(NET, url, ca_file, seconds)
    return str(caught.value)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
@ensureDeferred
async def test_well(ports: tuple[int, int], host: str) -> None:
    await ask(NET, f"http://{host}:{ports[0]}/live", None, 20.0)
    await ask(NET, f"https://{host}:{ports[1]}/live", ROOT_CA, 20.0)


@ensureDeferred
async def test_not_well(page: Page, ports: tuple[int, int]) -> None:
    page.status, page.body = 503, b'{"DB operational":"it is\x1b[2J away"}\n'
    assert await refusal(f"http://localhost:{ports[0]}/ready") == (
        'the answer is 503: {"DB operational":"it is [2J away"}'
    )
    page.body = b""
    assert await refusal(f"http://localhost:{ports[0]}/ready") == "the answer is 503"


@ensureDeferred
async def test_a_long_answer_is_cut_off(page: Page, ports: tuple[int, int]) -> None:
    page.status, page.body = 500, b"x" * 1_000_000
    told = await refusal(f"http://localhost:{ports[0]}/ready")
    assert told == f"the answer is 500: {'x' * SHOWN_BYTES}"


@ensureDeferred
async def test_redirects_are_not_followed(page: Page, ports: tuple[int, int]) -> None:
    page.status, page.body, page.location = 302, b"", f"http://localhost:{ports[0]}/"
    assert await refusal(f"http://localhost:{ports[0]}/ready") == "the answer is 302"


@ensureDeferred
async def test_silence(page: Page, ports: tuple[int, int]) -> None:
    page.silent = True
    began = time.monotonic()
    told = await refusal(f"https://localhost:{ports[1]}/ready", ROOT_CA, 0.2)
    assert told == "no answer within 0.2 seconds"
    assert time.monotonic() - began < 5


@ensureDeferred
async def test_nobody_there() -> None:
    assert "refused" in await refusal(f"http://127.0.0.1:{free_port()}/live")


@pytest.fixture
def stranger(tmp_path: Path) -> Identity:
    return make_identity(tmp_path, "stranger", is_ca=True)


@ensureDeferred
async def test_a_certificate_that_is_not_trusted(
    ports: tuple[int, int], stranger: Identity
) -> None:
    url = f"https://localhost:{ports[1]}/live"
    for ca_file in (stranger.certificate_file, None):
        told = await refusal(url, ca_file)
        assert told.endswith("is signed by an authority that is not trusted here")


@ensureDeferred
async def test_a_certificate_of_another_host(ports: tuple[int, int]) -> None:
    told = await refusal(f"https://127.0.0.2:{ports[1]}/live", ROOT_CA)
    assert "refused" in told or "not for 127.0.0.2" in told


@ensureDeferred
async def test_no_authorities(ports: tuple[int, int], tmp_path: Path) -> None:
    told = await refusal(f"https://localhost:{ports[1]}/live", tmp_path / "missing.crt")
    assert "missing.crt" in told


def run(*arguments: str) -> Run:
    return end_of(start(OUR_SERVER.with_name("notary-health"), *arguments))


def test_the_command_says_what_is_wrong() -> None:
    url = f"http://127.0.0.1:{free_port()}/live"
    ended = run(url)
    assert (ended.status, ended.out) == (1, "")
    assert ended.err.startswith(f"notary-health: {url}: ")
    assert "Traceback" not in ended.err
    assert len(ended.err.splitlines()) == 1


def test_the_command_gives_up_on_silence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/live"
        ended = run("--seconds=0.2", url)
    assert (ended.status, ended.err) == (
        1,
        f"notary-health: {url}: no answer within 0.2 seconds\n",
    )


@pytest.mark.parametrize("url", ["localhost:4443", "ftp://localhost/", "http:///x", "http://[/"])
def test_the_command_wants_a_url(url: str) -> None:
    ended = run(url)
    assert ended.status == 2
    assert "is not of the form https://HOST:PORT/PATH" in ended.err
