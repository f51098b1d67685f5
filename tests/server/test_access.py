"""What requests may do with which tokens, from the wire to the log."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
from twisted.internet.interfaces import IReactorTime
from zope.interface.verify import verifyObject

from notary.server.access.bundle import BundleError
from notary.server.access.challenge import Challenge
from notary.server.access.control import OpenAccess, TokenAccess
from notary.server.access.interfaces import IAccess, Need, Scope
from notary.server.access.tokens import LEEWAY, Expectations
from notary.server.api import API
from notary.server.operations import NEED
from tests.server.access import test_tokens as tokens
from tests.server.harness import GUN, Answer, Service, base, log_lines
from tests.support.forge import multipart
from tests.support.tokens import (
    DAY,
    ISSUER,
    REALM,
    SERVICE,
    Signer,
    access,
    claims,
    write_bundle,
)

SIGNER = Signer.make()
NO_HEADER = {"nothing", "too long", "deep"}
"""Tokens that are none on the wire: empty, or longer than headers may be."""


@attrs.define
class Guarded:
    """A server that wants tokens.

    Attributes:
        access: what decides.
        file: the bundle.
    """

    service: Service
    access: TokenAccess
    file: Path

    def token(self, *granted: Any, signer: Signer = SIGNER, **changed: Any) -> str:
        now = self.service.clock.seconds()
        return signer.sign(claims(*granted, now=now, **changed), signer.kid())

    def ask(
        self, method: str, path: str, token: str | None = None, data: bytes | None = None, **h: Any
    ) -> Answer:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return self.service.ask(method, path, data, **headers, **h)


@pytest.fixture
def guarded(tmp_path: Path) -> Guarded:
    file = write_bundle(
        tmp_path / "bundle.crt",
        SIGNER.certificate,
        *tokens.BUNDLE.certificates,
    )
    made: list[TokenAccess] = []

    def make(clock: IReactorTime) -> IAccess:
        made.append(
            TokenAccess(file, Expectations(ISSUER, SERVICE), Challenge(REALM, SERVICE), clock)
        )
        found: IAccess = made[0]
        return found

    service = Service.make(make_access=make, gun_prefixes=["docker.io/"])
    return Guarded(service, made[0], file)


OPERATIONS = [
    ("GET", "/v2/", "registry:catalog:*"),
    ("HEAD", "/v2/", "registry:catalog:*"),
    ("POST", base(), f"repository:{GUN}:push,pull"),
    ("DELETE", base(), f"repository:{GUN}:*"),
    ("GET", f"{base()}root.{'0' * 64}.json", f"repository:{GUN}:pull"),
    ("GET", f"{base()}1.root.json", f"repository:{GUN}:pull"),
    ("GET", f"{base()}root.json", f"repository:{GUN}:pull"),
    ("HEAD", f"{base()}timestamp.json", f"repository:{GUN}:pull"),
    ("GET", f"{base()}timestamp.key", f"repository:{GUN}:push,pull"),
    ("HEAD", f"{base()}snapshot.key", f"repository:{GUN}:push,pull"),
    ("POST", f"{base()}timestamp.key", f"repository:{GUN}:*"),
    ("GET", f"/v2/{GUN}/_trust/changefeed", f"repository:{GUN}:pull"),
    ("GET", "/v2/_trust/changefeed", "registry:catalog:*"),
    ("GET", "/", "registry:catalog:*"),
    ("PUT", base(), "registry:catalog:*"),
    ("OPTIONS", "/v2/", "registry:catalog:*"),
    ("POST", "/_notary_server/health", "registry:catalog:*"),
    ("GET", f"{base()}other.json", "registry:catalog:*"),
    ("GET", base("elsewhere/x") + "root.json", "repository:elsewhere/x:pull"),
]


@pytest.mark.parametrize(("method", "path", "scope"), OPERATIONS)
def test_what_each_operation_needs(guarded: Guarded, method: str, path: str, scope: str) -> None:
    kind, name, actions = scope.split(":")
    challenge = f'Bearer realm="{REALM}",service="{SERVICE}",scope="{scope}"'
    for token, error in [
        (None, ""),
        (guarded.token(), ',error="insufficient_scope"'),
        (guarded.token(iss="other"), ',error="invalid_token"'),
        (guarded.token(access(name, "*", kind="x")), ',error="insufficient_scope"'),
    ]:
        answer = guarded.ask(method, path, token, b"" if method == "POST" else None)
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"] == challenge + error
        if method == "HEAD":
            continue
        assert answer.error == {
            "code": "UNAUTHORIZED",
            "message": "authentication required",
            "detail": [
                {"Type": kind, "Class": "", "Name": name, "Action": action}
                for action in actions.split(",")
            ],
        }
    enough = guarded.token(access(name, *actions.split(","), kind=kind))
    answer = guarded.ask(method, path, enough, b"" if method == "POST" else None)
    assert answer.status != 401
    assert "WWW-Authenticate" not in answer.headers


@pytest.mark.parametrize("path", ["/_notary_server/health", "/metrics"])
def test_what_everybody_may_see(guarded: Guarded, path: str) -> None:
    assert guarded.ask("GET", path).status == 200
    assert guarded.ask("HEAD", path).status == 200


def test_every_route_says_what_it_needs() -> None:
    needs = {
        rule.rule: getattr(API.app.endpoints[rule.endpoint], NEED, None)
        for rule in API.app.url_map.iter_rules()
    }
    assert len(needs) > 8
    assert all(isinstance(need, Need) for need in needs.values())


def test_publishing_and_reading(guarded: Guarded) -> None:
    collection = guarded.service.collection()
    content_type, body = multipart(collection.first())
    send = {"Content_Type": content_type}
    pull, push = guarded.token(access(GUN, "pull")), guarded.token(access(GUN, "push", "pull"))
    assert guarded.ask("POST", base(), pull, body, **send).status == 401
    assert guarded.ask("GET", f"{base()}root.json", pull).status == 404
    assert guarded.ask("POST", base(), push, body, **send).status == 200
    assert guarded.ask("GET", f"{base()}root.json", pull).status == 200
    assert guarded.ask("DELETE", base(), push).status == 401
    assert guarded.ask("DELETE", base(), guarded.token(access(GUN, "*"))).status == 200


def test_nothing_is_kept_of_what_strangers_upload(guarded: Guarded) -> None:
    kept = {}
    for name, token in {
        "stranger": None,
        "forger": guarded.token(access(GUN, "push", "pull"), iss="other"),
        "friend": guarded.token(access(GUN, "push", "pull")),
    }.items():
        connection = guarded.service.connect()
        lines = [f"POST {base()} HTTP/1.1", "Host: localhost", "Content-Length: 20000"]
        lines += [] if token is None else [f"Authorization: Bearer {token}"]
        connection.send("\r\n".join([*lines, "", ""]).encode() + b"x" * 19999)
        (request,) = connection.requests
        kept[name] = len(request.content.getvalue())
        connection.send(b"x")
        assert connection.answer.status == (400 if name == "friend" else 401)
    assert kept == {"stranger": 0, "forger": 0, "friend": 19999}


@pytest.mark.parametrize("name", [name for name in tokens.WRONG if name not in NO_HEADER])
def test_wrong_tokens_on_the_wire(guarded: Guarded, name: str) -> None:
    raw, reason = tokens.WRONG[name]
    guarded.service.clock.rightNow = tokens.NOW
    with log_lines() as lines:
        answer = guarded.ask("GET", f"{base()}root.json", raw)
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].endswith(',error="invalid_token"')
    (line,) = [line for line in lines if "is refused" in line]
    assert f"a request that needs repository:{GUN}:pull is refused: its token is not" in line
    assert reason in line
    assert raw not in line
    assert reason not in answer.body.decode()


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("bearer {}", 404),
        ("BEARER {}", 404),
        ("Bearer {} ", 404),
        ("Bearer  {}", 401),
        ("Bearer {} x", 401),
        ("Bearer", 401),
        ("Bearer ", 401),
        ("Basic {}", 401),
        ("{}", 401),
        ("", 401),
        ("Bearer {}\r\nAuthorization: Bearer x", 401),
        ("Bearer {0}\r\nAuthorization: Bearer {0}", 401),
    ],
)
def test_how_a_token_is_shown(guarded: Guarded, header: str, status: int) -> None:
    shown = header.format(guarded.token(access(GUN, "pull")))
    answer = guarded.service.get(f"{base()}root.json", Authorization=shown)
    assert answer.status == status
    assert "error=" not in answer.headers.get("WWW-Authenticate", "")


def test_the_log_knows_who_and_why_but_no_token(guarded: Guarded) -> None:
    token = guarded.token(access(GUN, "pull"))
    with log_lines() as lines:
        guarded.ask("DELETE", base(), token)
        guarded.ask("DELETE", base())
        guarded.ask("GET", f"{base()}root.json", token)
    text = "\n".join(lines)
    needs = f"a request that needs repository:{GUN}:* is refused"
    assert f"{needs}: its token, of alice, does not grant that" in text
    assert f"{needs}: it shows no token" in text
    assert not any(part in text for part in token.split("."))


def test_the_request_knows_its_user(guarded: Guarded) -> None:
    users: list[str | None] = []
    guarded.service.site.log = lambda request: users.append(request.user)  # type: ignore[method-assign]
    guarded.ask("GET", f"{base()}root.json", guarded.token(access(GUN, "pull")))
    guarded.ask("GET", f"{base()}root.json", guarded.token(access(GUN, "pull"), sub=None))
    guarded.ask("GET", f"{base()}root.json")
    assert users == ["alice", None, None]


def test_collections_of_others_are_told_only_to_who_may_see_them(guarded: Guarded) -> None:
    path = base("elsewhere/x")
    assert guarded.ask("GET", f"{path}root.json").status == 401
    token = guarded.token(access("elsewhere/x", "push", "pull"))
    assert guarded.ask("GET", f"{path}root.json", token).status == 404
    assert guarded.ask("POST", path, token, b"").error["code"] == "INVALID_GUN"


def test_a_token_is_believed_until_it_expires(guarded: Guarded) -> None:
    token = guarded.token(access(GUN, "pull"))
    for seconds, status in [
        (0, 404),
        (300 + LEEWAY - 1, 404),
        (2, 401),
        (DAY.total_seconds(), 401),
    ]:
        guarded.service.clock.advance(seconds)
        assert guarded.ask("GET", f"{base()}root.json", token).status == status


def test_a_token_is_verified_once(guarded: Guarded, monkeypatch: pytest.MonkeyPatch) -> None:
    token = guarded.token(access(GUN, "pull"))
    guarded.ask("GET", f"{base()}root.json", token)
    monkeypatch.setattr("notary.server.access.control.verify", None)
    assert guarded.ask("GET", f"{base()}root.json", token).status == 404
    assert guarded.ask("DELETE", base(), token).status == 401


def test_another_bundle(guarded: Guarded) -> None:
    other = Signer.make()
    old, new = (guarded.token(access(GUN, "pull"), signer=each) for each in (SIGNER, other))

    def statuses() -> list[int]:
        return [guarded.ask("GET", f"{base()}root.json", each).status for each in (old, new)]

    assert statuses() == [404, 401]
    write_bundle(guarded.file, other.certificate)
    assert list(guarded.access.files) == [guarded.file]
    guarded.access.reload()
    assert statuses() == [401, 404]
    guarded.file.write_text("nothing")
    with pytest.raises(BundleError, match=r"bundle\.crt"):
        guarded.access.reload()
    assert statuses() == [401, 404]


def test_an_expired_bundle_is_warned_of(guarded: Guarded) -> None:
    with log_lines() as lines:
        guarded.access.reload()
    assert [line for line in lines if "the certificate of CN=expired has expired" in line]
    with log_lines() as lines:
        write_bundle(guarded.file, SIGNER.certificate)
        guarded.access.reload()
    assert lines == []


@pytest.mark.parametrize("make", [lambda guarded: guarded.access, lambda _: OpenAccess()])
def test_interface(guarded: Guarded, make: Callable[[Guarded], object]) -> None:
    verifyObject(IAccess, make(guarded))


def test_without_access_control_everybody_may_do_everything(service: Service) -> None:
    assert service.get("/v2/").status == 200
    assert OpenAccess().check(None, Scope("repository", GUN, ("*",))) is None
