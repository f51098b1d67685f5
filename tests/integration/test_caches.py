"""The samples for nginx and Varnish, in front of a server: what is kept, and what never is."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.support.api_client import ApiClient, Reply
from tests.support.daemons import (
    FIXTURES,
    OUR_SERVER,
    Server,
    find_program,
    free_port,
    listens,
    running,
    server_config,
    write_config,
)
from tests.support.forge import Collection
from tests.support.notary_client import NotaryClient
from tests.support.tokens import Signer, access, auth_section, claims, write_bundle

pytestmark = pytest.mark.integration

CONF = FIXTURES.parent / "conf"
GUN = "registry.example.com/cached"
BASE = f"/v2/{GUN}/_trust/tuf/"
NGINX = """\
daemon off;
{user}
pid {directory}/nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {directory}/bodies;
    proxy_temp_path {directory}/proxied;
    include {directory}/notary.conf;
}}
"""


def replaced(text: str, changes: Mapping[str, str]) -> str:
    """A sample, changed for a test; everything that is to be changed is in it."""
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    return text


@contextmanager
def nginx(directory: Path, server: int, port: int) -> Iterator[int]:
    program = find_program("nginx", "nginx")
    changes = {
        "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
        "    listen [::]:443 ssl;\n": "",
        "127.0.0.1:4443": f"127.0.0.1:{server}",
        "/etc/notary/": f"{FIXTURES}/",
        "/var/cache/nginx/notary": f"{directory}/cache",
    }
    sample = (CONF / "nginx.conf").read_text()
    (directory / "notary.conf").write_text(replaced(sample, changes))
    user = "user root;" if os.geteuid() == 0 else ""
    main = directory / "nginx.conf"
    main.write_text(NGINX.format(directory=directory, user=user))
    command: list[str | Path] = [program, "-p", directory, "-e", "stderr", "-c", main]
    with running(command, directory / "nginx.log", lambda: listens(port)) as pid:
        yield pid


@contextmanager
def varnish(directory: Path, server: int, port: int) -> Iterator[int]:
    program = find_program("varnishd", "varnish")
    sample = (CONF / "varnish.vcl").read_text()
    file = directory / "varnish.vcl"
    file.write_text(replaced(sample, {'"4480"': f'"{server}"'}))
    options: list[str | Path] = [
        "-F",
        "-j",
        "none",
        "-n",
        directory / "varnish",
        "-s",
        "malloc,64m",
    ]
    command: list[str | Path] = [program, *options, "-a", f"127.0.0.1:{port}", "-f", file]
    with running(command, directory / "varnish.log", lambda: listens(port)) as pid:
        yield pid


PROXIES = {"nginx": (nginx, True), "varnish": (varnish, False)}
"""How each is run, and whether it and the server behind it speak TLS."""


@attrs.frozen
class Cached:
    """A server and the cache before it, and clients of both.

    Attributes:
        proxy: the cache; the log is the server's.
        log: the server's, too.
    """

    direct: ApiClient
    cached: ApiClient
    proxy: Server
    log: Path

    def get(self, name: str, headers: Mapping[str, str] | None = None) -> Reply:
        """Ask the cache for a file."""
        return self.cached.ask("GET", f"{BASE}{name}", headers=headers or {})

    def seen(self, name: str) -> int:
        """How often the server itself was asked for a file."""
        return self.log.read_text().count(f'"http.request.uri": "{BASE}{name}"')


@contextmanager
def cached_server(
    directory: Path, kind: str, section: Mapping[str, Any] | None = None
) -> Iterator[Cached]:
    run, secure = PROXIES[kind]
    config = server_config(port := free_port(), {"backend": "memory"})
    if not secure:
        for name in ("tls_cert_file", "tls_key_file"):
            del config["server"][name]
    if section is not None:
        config["auth"] = section
    log = directory / "server.log"
    command: list[str | Path] = [OUR_SERVER, f"-config={write_config(directory, config)}"]
    proxy_port = free_port()
    with (
        running(command, log, lambda: listens(port)) as pid,
        run(directory, port, proxy_port),
        closing(ApiClient(port, secure=secure)) as direct,
        closing(ApiClient(proxy_port, secure=secure)) as cached,
    ):
        yield Cached(direct, cached, Server(proxy_port, log, pid), log)


@pytest.fixture(params=sorted(PROXIES))
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def both(kind: str, tmp_path: Path) -> Iterator[Cached]:
    with cached_server(tmp_path, kind) as both:
        yield both


def begin(both: Cached) -> Collection:
    """Publish a collection through the cache."""
    keys = {role: both.get(f"{role}.key") for role in ("timestamp", "snapshot")}
    collection = Collection(GUN, *(json.loads(reply.body) for reply in keys.values()))
    assert both.cached.publish(GUN, collection.first()).status == 200
    return collection


def named_by_checksum(role: str, data: bytes) -> str:
    return f"{role}.{hashlib.sha256(data).hexdigest()}.json"


def test_files_that_cannot_change_are_kept(both: Cached) -> None:
    begin(both)
    root = both.direct.get(GUN, "root.json").body
    for name in (named_by_checksum("root", root), "1.root.json"):
        first = both.get(name, {"X-Request-ID": "first"})
        second = both.get(name, {"X-Request-ID": "second"})
        assert (first.status, first.body) == (200, root)
        assert (second.status, second.body) == (200, root)
        assert first.headers["X-Cache"] == "MISS"
        assert second.headers["X-Cache"] == "HIT"
        assert first.headers["X-Request-ID"] == "first"
        assert second.headers["X-Request-ID"] in (None, "second")
        assert second.headers["ETag"] == first.headers["ETag"]
        assert both.seen(name) == 1
        known = both.get(name, {"If-None-Match": first.headers["ETag"]})
        assert known.status == 304
        assert both.cached.ask("HEAD", f"{BASE}{name}").headers["X-Cache"] == "HIT"
        assert both.seen(name) == 1


def test_current_files_follow_a_publish_at_once(both: Cached) -> None:
    collection = begin(both)
    for version in range(2, 6):
        assert both.get(f"{version}.targets.json").status == 404
        files = {"targets": collection.targets(version), "root": collection.root(version)}
        assert both.cached.publish(GUN, files).status == 200
        for role in ("root", "timestamp", "snapshot", "targets"):
            reply = both.get(f"{role}.json")
            assert json.loads(reply.body)["signed"]["version"] == version
            assert reply.body == both.direct.get(GUN, f"{role}.json").body
            assert reply.headers["X-Cache"] == "MISS"
        assert both.get(f"{version}.targets.json").body == files["targets"]


def test_nothing_else_is_kept(both: Cached) -> None:
    begin(both)
    for path in ("/v2/", f"/v2/{GUN}/_trust/changefeed?records=1", f"{BASE}timestamp.key"):
        for _ in range(2):
            reply = both.cached.ask("GET", path)
            assert (reply.status, reply.headers["X-Cache"]) == (200, "MISS"), path
    for path in ("/metrics", "/_notary_server/health", "/v2/../metrics", "/"):
        assert both.cached.ask("GET", path).status == 404, path
    assert both.cached.ask("DELETE", BASE).status == 200
    assert both.get("root.json").status == 404


def test_requests_with_credentials_pass_through(both: Cached) -> None:
    """Also where the server does not ask for any."""
    begin(both)
    for times in (1, 2):
        assert both.get("1.root.json", {"Authorization": "Bearer x"}).status == 200
        assert both.seen("1.root.json") == times
    assert both.get("1.root.json").headers["X-Cache"] == "MISS"
    assert both.get("1.root.json").headers["X-Cache"] == "HIT"
    assert both.get("1.root.json", {"Authorization": "Bearer x"}).headers["X-Cache"] != "HIT"


def test_what_needs_a_token_is_never_given_without(kind: str, tmp_path: Path) -> None:
    signer = Signer.make()
    bundle = write_bundle(tmp_path / "bundle.crt", signer.certificate)
    token = signer.sign(claims(access(GUN, "*", "push", "pull")), signer.kid())
    permission = {"Authorization": f"Bearer {token}"}
    with cached_server(tmp_path, kind, auth_section(bundle)) as both:
        assert both.get("timestamp.key").status == 401
        keys = [both.get(f"{role}.key", permission) for role in ("timestamp", "snapshot")]
        collection = Collection(GUN, *(json.loads(reply.body) for reply in keys))
        reply = both.cached.publish(GUN, collection.first(), permission)
        assert reply.status == 200
        name = named_by_checksum("root", both.get("root.json", permission).body)
        for _ in range(2):
            for each in (name, "1.root.json", "root.json"):
                granted = both.get(each, permission)
                assert granted.status == 200
                assert granted.headers["Cache-Control"].startswith("private, max-age=")
                refused = both.get(each)
                assert refused.status == 401
                assert "WWW-Authenticate" in refused.headers


def test_real_client_behind_the_cache(tmp_path: Path) -> None:
    with cached_server(tmp_path, "nginx") as both:
        publisher = NotaryClient(both.proxy, tmp_path / "publisher")
        publisher.run("init", "-p", GUN)
        publisher.run("key", "rotate", GUN, "snapshot", "-r")
        for version in ("v1", "v2", "v3"):
            publisher.run("add", "-p", GUN, version, FIXTURES / "README.rst")
            reader = NotaryClient(both.proxy, tmp_path / f"reader-{version}")
            assert version in reader.targets(GUN)
        assert reader.targets(GUN).keys() == {"v1", "v2", "v3"}
