"""Which path leads where, and which collections this server holds."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.server.harness import GUN, Service, base, log_lines
from tests.support.forge import multipart

NOT_FOUND = (404, "METADATA_NOT_FOUND")


def test_ping(service: Service) -> None:
    answer = service.get("/v2/")
    assert (answer.status, answer.body) == (200, b"{}")
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/v2"),
        ("GET", "/v1/"),
        ("GET", "/v2/x"),
        ("GET", base()),
        ("GET", base().rstrip("/")),
        ("POST", base().rstrip("/")),
        ("PUT", base()),
        ("DELETE", f"{base()}root.json"),
        ("POST", f"{base()}root.json"),
        ("POST", "/v2/"),
        ("OPTIONS", "/v2/"),
        ("BREW", "/v2/"),
        ("GET", f"{base()}other.json"),
        ("GET", f"{base()}root"),
        ("GET", f"{base()}root.json/"),
        ("GET", f"{base()}root.JSON"),
        ("GET", f"{base()}targets/.json"),
        ("GET", f"{base()}targets//a.json"),
        ("GET", f"{base()}targets/a b.json"),
        ("GET", f"{base()}targets/a%0Ab.json"),
        ("GET", f"{base()}targetsa.json"),
        ("GET", f"{base()}root/a.json"),
        ("GET", f"{base()}-1.root.json"),
        ("GET", f"{base()}+1.root.json"),
        ("GET", f"{base()}1.5.root.json"),
        ("GET", f"{base()}12345678901.root.json"),
        ("GET", f"{base()}%D9%A1.root.json"),
        ("GET", f"{base()}root.{'g' * 64}.json"),
        ("GET", f"{base()}root.{'0' * 63}.json"),
        ("GET", "/v2//_trust/tuf/root.json"),
        ("GET", "/v2/_trust/tuf/root.json"),
        ("GET", "/v2/_trust/changefeed/"),
        ("POST", "/v2/_trust/changefeed?records=1"),
        ("GET", "/_notary_server/"),
        ("POST", "/_notary_server/health"),
        ("GET", "/metrics/"),
        ("POST", "/metrics"),
    ],
)
def test_all_else_is_not_there(service: Service, method: str, path: str) -> None:
    service.published()
    answer = service.ask(method, path.replace(" ", "%20"), b"" if method != "GET" else None)
    assert (answer.status, answer.error["code"]) == NOT_FOUND


@pytest.mark.parametrize(
    "path",
    [
        "/v2/",
        f"{base()}root.json",
        f"{base()}timestamp.json",
        f"{base()}1.root.json",
        f"{base()}timestamp.key",
        f"{base()}9.root.json",
        "/v2/_trust/changefeed?records=1",
        "/_notary_server/health",
        "/nowhere",
    ],
)
def test_head_is_get_without_a_body(service: Service, path: str) -> None:
    service.published()
    full = service.get(path, X_Request_ID="a")
    head = service.ask("HEAD", path, X_Request_ID="a")
    assert head.body == b""
    assert head.status == full.status
    del head.headers["Date"], full.headers["Date"]
    assert head.headers.items() == full.headers.items()
    assert head.headers["Content-Length"] == str(len(full.body))


@pytest.mark.parametrize(
    "gun",
    [
        "alpine",
        "localhost:5000/app",
        "a/b/c/d.e_f-g",
        "UPPER/case",
        "with space",
        "a/_trust/tuf/b",
        "_trust",
        "a/_trust/changefeed",
        "1.root.json",
        "root.json",
        "caf\u00e9",
        "a%2Fb",
        "a+b",
        "a?b#c&d=e",
        "g" * 255,
    ],
)
def test_names_of_collections_are_exact(service: Service, gun: str) -> None:
    """What a client has percent-encoded is what counts."""
    quoted = quote(gun, safe="/")
    collection = service.collection(gun)
    files = collection.first()
    content_type, body = multipart(files)
    assert service.ask("POST", base(quoted), body, Content_Type=content_type).status == 200
    assert service.get(f"{base(quoted)}root.json").body == files["root"]
    (change,) = service.get(f"/v2/{quoted}/_trust/changefeed?records=5").json["records"]
    assert change["GUN"] == gun
    assert service.get(f"{base(quoted + 'x')}root.json").status == 404


BAD_NAMES = [
    "g" * 256,
    " a",
    "a ",
    "a\n",
    "a\0b",
    "a//b",
    "a/../b",
    "./a",
    "\u200bb",
    "a\U0001f433",
]


@pytest.mark.parametrize("gun", BAD_NAMES)
def test_names_that_no_store_could_hold(service: Service, gun: str) -> None:
    quoted = quote(gun)
    answer = service.ask("POST", base(quoted), b"")
    assert (answer.status, answer.error["code"]) == (400, "INVALID_GUN")
    for method, path in [
        ("GET", f"{base(quoted)}root.json"),
        ("GET", f"{base(quoted)}timestamp.key"),
        ("POST", f"{base(quoted)}timestamp.key"),
        ("DELETE", base(quoted)),
        ("GET", f"/v2/{quoted}/_trust/changefeed?records=1"),
    ]:
        answer = service.ask(method, path)
        assert (answer.status, answer.error["code"]) == NOT_FOUND
    assert service.store.asked == []
    assert service.signer.asked == []


@pytest.mark.parametrize("gun", ["a*", "*", "a/*/b"])
def test_an_asterisk_is_in_no_path(service: Service, gun: str) -> None:
    assert service.ask("POST", base(gun), b"").error["code"] == "METADATA_NOT_FOUND"


@pytest.mark.parametrize("path", ["/v2/%ff", "/v2/%zz/_trust/tuf/root.json", "/v2/a%4", "/%"])
def test_a_path_that_is_no_text(service: Service, path: str) -> None:
    answer = service.get(path)
    assert (answer.status, answer.error["code"]) == (400, "INVALID_GUN")
    assert "percent encoding" in answer.error["detail"]


@pytest.mark.parametrize("origin", ["http://localhost", "HTTPS://example.com:4443"])
def test_a_path_behind_the_address_of_a_server(service: Service, origin: str) -> None:
    service.published()
    assert service.get(f"{origin}{base()}root.json").status == 200
    assert service.get(f"{origin}/v2/").status == 200
    assert service.get(origin).status == 404


class TestPrefixes:
    @pytest.fixture
    def service(self) -> Service:
        return Service.make(gun_prefixes=("docker.io/", "example.com/team/"))

    @pytest.mark.parametrize("gun", ["docker.io/library/alpine", "example.com/team/app"])
    def test_lets_collections_in(self, service: Service, gun: str) -> None:
        service.published(gun)
        assert service.get(f"{base(gun)}root.json").status == 200
        assert service.get(f"/v2/{gun}/_trust/changefeed?records=1").json["count"] == 1

    @pytest.mark.parametrize("gun", ["other/app", "docker.iox/app", "docker.io", "Docker.io/app"])
    def test_keeps_others_out(self, service: Service, gun: str) -> None:
        with log_lines() as lines:
            answer = service.ask("POST", base(gun), b"")
        assert (answer.status, answer.error["code"]) == (400, "INVALID_GUN")
        reason = "Require GUNs with prefix: [docker.io/ example.com/team/]"
        assert answer.error["detail"] == reason
        assert any(reason in line for line in lines)
        for method, path in [
            ("GET", f"{base(gun)}root.json"),
            ("GET", f"{base(gun)}snapshot.key"),
            ("POST", f"{base(gun)}snapshot.key"),
            ("DELETE", base(gun)),
            ("GET", f"/v2/{gun}/_trust/changefeed?records=1"),
        ]:
            answer = service.ask(method, path)
            assert (answer.status, answer.error["code"]) == NOT_FOUND
        assert service.store.asked == []

    def test_does_not_hide_the_whole_changefeed(self, service: Service) -> None:
        assert service.get("/v2/_trust/changefeed?records=1").status == 200


class TestHealth:
    PATH = "/_notary_server/health"

    def test_all_is_well(self, service: Service) -> None:
        answer = service.get(self.PATH)
        assert (answer.status, answer.json) == (200, {})
        assert answer.headers["Content-Type"] == "application/json; charset=utf-8"

    def test_names_what_is_missing(self, service: Service) -> None:
        service.store.go_away()
        answer = service.get(self.PATH)
        assert (answer.status, answer.json) == (503, {"DB operational": "the database is away"})
        service.signer.away = True
        assert service.get(self.PATH).json == {
            "DB operational": "the database is away",
            "Trust operational": "the signer is away",
        }

    def test_does_not_wait_for_ever(self, service: Service) -> None:
        service.store.hangs = True
        connection = service.start("GET", self.PATH)
        service.clock.advance(4.9)
        assert connection.answers() == []
        service.clock.advance(0.2)
        assert connection.answer.status == 503
        assert connection.answer.json == {"DB operational": "no answer within 5 seconds"}


def test_metrics(service: Service) -> None:
    service.published()
    service.get(f"{base()}root.json")
    answer = service.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    assert b'requests_total{code="200",method="get",operation="GetRole"} 1.0' in answer.body
    assert b'requests_total{code="200",method="post",operation="UpdateTUF"} 1.0' in answer.body
    assert GUN.encode() not in answer.body
