"""Access tokens on the short way: looked at each time, whatever was known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from twisted.internet.interfaces import IReactorTime

from notary.server.access.challenge import Challenge
from notary.server.access.control import OpenAccess, TokenAccess
from notary.server.access.interfaces import CATALOG, IAccess
from notary.server.access.tokens import LEEWAY, Expectations
from tests.server.harness import GUN, Service, base
from tests.server.two_ways import CURRENT, PROXY, Case, both_ways, look
from tests.support.forge import multipart
from tests.support.tokens import ISSUER, REALM, SERVICE, Signer, access, claims, write_bundle

SIGNER = Signer.make()
STRANGER = Signer.make()


class TestTokens:
    @pytest.fixture
    def service(self, tmp_path: Path) -> Service:
        self.bundle = write_bundle(tmp_path / "bundle.crt", SIGNER.certificate)

        def make(clock: IReactorTime) -> IAccess:
            expected = Expectations(ISSUER, SERVICE)
            self.access = TokenAccess(self.bundle, expected, Challenge(REALM, SERVICE), clock)
            return self.access

        service = Service.make(make_access=make)
        everything = self.token(service, access(GUN, "*"))
        collection = service.collection()
        content_type, body = multipart(collection.first())
        published = service.ask(
            "POST",
            base(),
            body,
            Content_Type=content_type,
            Authorization=f"Bearer {everything}",
        )
        assert published.status == 200
        return service

    def token(self, service: Service, *granted: Any, **changed: Any) -> str:
        now = service.clock.seconds()
        return SIGNER.sign(claims(*granted, now=now, **changed), SIGNER.kid())

    @pytest.mark.parametrize(
        ("granted", "is_short"),
        [((GUN, "pull"), True), ((GUN, "*"), True), ((GUN, "push"), False), (("o", "*"), False)],
    )
    def test_both_ways_are_the_same(
        self, service: Service, granted: tuple[str, str], is_short: bool
    ) -> None:
        token = self.token(service, access(*granted))
        ordinary, other = both_ways(service, Case(CURRENT), Authorization=f"Bearer {token}")
        assert other == ordinary
        assert other.is_short is is_short
        assert (b" 200 OK" in other.answer) is is_short

    @pytest.mark.parametrize("name", ["", "Bearer", "Bearer x", "Basic eDp5", "Bearer a b"])
    def test_what_is_refused_is_refused_again(self, service: Service, name: str) -> None:
        token = self.token(service, access(GUN, "pull"))
        both_ways(service, Case(CURRENT), Authorization=f"Bearer {token}")
        headers = {"Authorization": name} if name else {}
        ordinary, other = both_ways(service, Case(CURRENT), **headers)
        assert other == ordinary
        assert b" 401 " in other.answer
        assert not other.is_short

    def test_a_known_token_is_refused_when_it_has_expired(self, service: Service) -> None:
        token = self.token(service, access(GUN, "pull"))
        _, known = both_ways(service, Case(CURRENT), Authorization=f"Bearer {token}")
        assert known.is_short
        service.clock.advance(10 * 60 + 2 * LEEWAY)
        refused = look(
            service, service.connect(PROXY), Case(CURRENT), Authorization=f"Bearer {token}"
        )
        assert b" 401 " in refused.answer
        assert not refused.is_short

    def test_a_known_token_is_refused_when_nobody_vouches_for_it(self, service: Service) -> None:
        token = self.token(service, access(GUN, "pull"))
        _, known = both_ways(service, Case(CURRENT), Authorization=f"Bearer {token}")
        assert known.is_short
        write_bundle(self.bundle, STRANGER.certificate)
        self.access.reload()
        refused = look(
            service, service.connect(PROXY), Case(CURRENT), Authorization=f"Bearer {token}"
        )
        assert b" 401 " in refused.answer

    def test_a_token_opens_no_other_line(self, service: Service) -> None:
        token = self.token(service, access(GUN, "pull"))
        _, known = both_ways(service, Case(CURRENT), Authorization=f"Bearer {token}")
        assert known.is_short
        other = look(
            service, service.connect(PROXY), Case("/v2/nothing"), Authorization=f"Bearer {token}"
        )
        assert b" 401 " in other.answer


def test_everybody_is_granted_everything_without_tokens() -> None:
    grant = OpenAccess().grant(None, CATALOG)
    assert grant is not None
    assert grant.user is None
