"""Which tokens are believed: signatures, keys and claims."""

from __future__ import annotations

import hmac
import json
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from functools import partial
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st
from joserfc.util import urlsafe_b64encode

from notary.server.access.bundle import Bundle, SigningKey, fingerprint
from notary.server.access.errors import TokenError
from notary.server.access.interfaces import CATALOG as WHOLE_SERVER
from notary.server.access.interfaces import Scope
from notary.server.access.tokens import LEEWAY, MAX_TOKEN, Expectations, Token, verify
from tests.support.tokens import (
    ALGORITHMS,
    CATALOG,
    DAY,
    ISSUER,
    SERVICE,
    Signer,
    access,
    claims,
    x5c,
)

pytestmark = pytest.mark.filterwarnings("ignore:EdDSA is deprecated")

NOW = int(time.time())
GUN = "docker.io/library/alpine"
EXPECTED = Expectations(ISSUER, SERVICE)

AUTHORITY = Signer.make(name="authority", is_ca=True)
MIDDLE = Signer.make(issuer=AUTHORITY, name="middle", is_ca=True)
KNOWN = {kind: Signer.make(kind) for kind in sorted(set(ALGORITHMS.values()))}
"""Signers whose own certificates are in the bundle."""
EXPIRED = Signer.make(name="expired", ends=-DAY)
EXPIRED_AUTHORITY = Signer.make(name="expired authority", is_ca=True, ends=-DAY)
STRANGER = Signer.make(name="stranger", is_ca=True)
RSA = KNOWN["RSA"]
LEAF = Signer.make(issuer=AUTHORITY)


def bundle_of(*signers: Signer) -> Bundle:
    keys: dict[str, SigningKey] = {}
    for signer in signers:
        key = type(signer.key).import_key(signer.jwk)
        keys |= {fingerprint(key): key, key.thumbprint(): key}
    return Bundle([signer.certificate for signer in signers], keys)


BUNDLE = bundle_of(AUTHORITY, *KNOWN.values(), EXPIRED, EXPIRED_AUTHORITY)


def judge(raw: str | bytes, *, now: float = NOW, bundle: Bundle = BUNDLE) -> Token:
    token = raw.encode() if isinstance(raw, str) else raw
    return verify(token, bundle, EXPECTED, datetime.fromtimestamp(now, timezone.utc))


def made(**changed: Any) -> dict[str, Any]:
    return claims(access(GUN, "pull"), now=NOW, **changed)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize(
    "header", [Signer.kid, Signer.thumbprint, Signer.x5c], ids=["kid", "thumbprint", "x5c"]
)
def test_every_algorithm_with_every_way_to_name_the_key(
    algorithm: str, header: Callable[[Signer], dict[str, Any]]
) -> None:
    signer = KNOWN[ALGORITHMS[algorithm]]
    token = judge(signer.sign(made(), header(signer), algorithm))
    assert token.subject == "alice"
    assert token.allows(Scope("repository", GUN, ("pull",)))


@pytest.mark.parametrize("kind", KNOWN)
def test_a_key_in_the_header_counts_if_the_bundle_has_it(kind: str) -> None:
    signer = KNOWN[kind]
    for more in ({}, signer.kid(), signer.thumbprint()):
        assert judge(signer.sign(made(), {"jwk": {**signer.jwk, **more}}))


def signed_by(signer: Signer, header: Mapping[str, Any]) -> str:
    return signer.sign(made(), header)


BELOW = Signer.make(issuer=MIDDLE)

GOOD_CHAINS = {
    "issued by the bundle": signed_by(LEAF, LEAF.x5c()),
    "with the authority too": signed_by(
        LEAF, {"x5c": x5c([LEAF.certificate, AUTHORITY.certificate])}
    ),
    "over an intermediate": signed_by(BELOW, BELOW.x5c()),
    "with one that is of no use": signed_by(
        LEAF, {"x5c": x5c([LEAF.certificate, STRANGER.certificate])}
    ),
    "in the key": signed_by(LEAF, {"jwk": {**LEAF.jwk, **LEAF.x5c()}}),
    "the chain goes first": signed_by(LEAF, {**LEAF.x5c(), "jwk": RSA.jwk, **RSA.kid()}),
    "then the key": signed_by(RSA, {"jwk": RSA.jwk, **LEAF.kid()}),
    "the key of an expired certificate": signed_by(EXPIRED, EXPIRED.kid()),
}


@pytest.mark.parametrize("name", GOOD_CHAINS)
def test_ways_to_the_key(name: str) -> None:
    assert judge(GOOD_CHAINS[name]).subject == "alice"


def test_a_bundle_may_hold_an_intermediate_authority_alone() -> None:
    assert judge(signed_by(BELOW, BELOW.x5c()), bundle=bundle_of(MIDDLE))


def test_a_token_is_believed_no_longer_than_its_chain() -> None:
    short = Signer.make(issuer=AUTHORITY, ends=timedelta(seconds=100))
    now = time.time()
    token = judge(short.sign(claims(access(GUN, "pull"), now=now), short.x5c()), now=now)
    assert token.until == short.certificate.not_valid_after_utc.timestamp()
    assert judge(signed_by(LEAF, LEAF.x5c())).until == NOW + 300 + LEEWAY


def with_public_secret(signer: Signer) -> str:
    """Signed with the public key as the secret, which is no secret."""
    start = unsigned("HS256").rstrip(".")
    digest = hmac.digest(signer.key.as_pem(private=False), start.encode(), "sha256")
    return f"{start}.{urlsafe_b64encode(digest).decode()}"


def tampered(token: str, **changed: Any) -> str:
    header, _, signature = token.split(".")
    return (
        f"{header}.{urlsafe_b64encode(json.dumps(made(**changed)).encode()).decode()}.{signature}"
    )


def unsigned(algorithm: Any, claimed: Any = None) -> str:
    parts = ({"alg": algorithm, **RSA.kid()}, made() if claimed is None else claimed)
    return ".".join(urlsafe_b64encode(json.dumps(part).encode()).decode() for part in parts) + "."


WEAK_LEAF = Signer.make(issuer=AUTHORITY, private=rsa.generate_private_key(65537, 1024))
EXPIRED_LEAF = Signer.make(issuer=AUTHORITY, ends=-DAY)
FUTURE_LEAF = Signer.make(issuer=AUTHORITY, begins=DAY)
OF_EXPIRED = Signer.make(issuer=EXPIRED_AUTHORITY)
OF_STRANGER = Signer.make(issuer=STRANGER)
OF_LEAF = Signer.make(issuer=LEAF, name="of a leaf")
good = partial(RSA.sign, header=RSA.kid())

WRONG: dict[str, tuple[str, str]] = {
    "nothing": ("", "it is no JSON Web Token"),
    "two parts": ("e30.e30", "it is no JSON Web Token"),
    "five parts": ("a.b.c.d.e", "it is no JSON Web Token"),
    "too long": ("." * (MAX_TOKEN + 1), "it has more than 16384 bytes"),
    "no base64": ("!.!.!", "its header is no JSON in base64"),
    "no JSON": ("AAAA.e30.AA", "its header is no JSON in base64"),
    "no object": ("W10.e30.AA", "its header is no object"),
    "deep": (urlsafe_b64encode(b"[" * 12000).decode() + ".e30.AA", "its header is no JSON"),
    "no algorithm": ("e30.e30.AA", "its algorithm None is not allowed"),
    "algorithm none": (unsigned("none"), "its algorithm 'none' is not allowed"),
    "algorithm None": (unsigned("None"), "its algorithm 'None' is not allowed"),
    "algorithm list": (unsigned(["RS256"]), "its algorithm ['RS256'] is not allowed"),
    "HMAC": (with_public_secret(RSA), "its algorithm 'HS256' is not allowed"),
    "no signature": (unsigned("RS256"), "its signature does not verify"),
    "another key's algorithm": (unsigned("ES256"), "its signature does not verify"),
    "crit": (RSA.sign(made(), {**RSA.kid(), "crit": ["exp"]}), "its header asks for extensions"),
    "b64": (RSA.sign(made(), {**RSA.kid(), "b64": False}), "its header asks for extensions"),
    "tampered": (tampered(good(made()), sub="mallory"), "its signature does not verify"),
    "no key": (RSA.sign(made(), {}), "its header names no key"),
    "unknown key": (STRANGER.sign(made(), STRANGER.kid()), "the bundle has no key with the ID"),
    "key ID is a list": (RSA.sign(made(), {"kid": ["a"]}), "the bundle has no key with the ID"),
    "another's key ID": (STRANGER.sign(made(), KNOWN["P-256"].kid()), "its signature does not"),
    "another's chain": (STRANGER.sign(made(), LEAF.x5c()), "its signature does not verify"),
    "chain of a stranger": (signed_by(OF_STRANGER, OF_STRANGER.x5c()), "does not verify: unable"),
    "expired leaf": (
        signed_by(EXPIRED_LEAF, EXPIRED_LEAF.x5c()),
        "does not verify: certificate has",
    ),
    "expired in the bundle": (
        signed_by(EXPIRED, EXPIRED.x5c()),
        "does not verify: certificate has",
    ),
    "expired authority": (signed_by(OF_EXPIRED, OF_EXPIRED.x5c()), "does not verify: certificate"),
    "not yet valid": (signed_by(FUTURE_LEAF, FUTURE_LEAF.x5c()), "does not verify: certificate is"),
    "missing intermediate": (
        signed_by(BELOW, {"x5c": x5c([BELOW.certificate])}),
        "its certificate does not verify: unable",
    ),
    "issued by a leaf": (
        signed_by(OF_LEAF, {"x5c": x5c([OF_LEAF.certificate, LEAF.certificate])}),
        "its certificate does not verify: invalid CA",
    ),
    "weak": (signed_by(WEAK_LEAF, WEAK_LEAF.x5c()), "number 1 of its chain will not do: its RSA"),
    "chain is too long": (
        signed_by(LEAF, {"x5c": x5c([LEAF.certificate] * 11)}),
        "its chain has more than 10 certificates",
    ),
    "chain is a text": (RSA.sign(made(), {"x5c": "AAAA"}), "its x5c is no list of certificates"),
    "chain of numbers": (RSA.sign(made(), {"x5c": [1]}), "a certificate in its header cannot be"),
    "chain of rubbish": (RSA.sign(made(), {"x5c": ["AAAA"]}), "a certificate in its header cannot"),
    "chain of no base64": (RSA.sign(made(), {"x5c": ["\u00e4"]}), "a certificate in its header"),
    "jwk of a stranger": (
        STRANGER.sign(made(), {"jwk": STRANGER.jwk}),
        "its jwk is not in the bundle",
    ),
    "jwk of another chain": (
        STRANGER.sign(made(), {"jwk": {**STRANGER.jwk, **LEAF.x5c()}}),
        "its jwk is not the key of the certificate in it",
    ),
    "jwk with no chain": (
        STRANGER.sign(made(), {"jwk": {**STRANGER.jwk, "x5c": []}}),
        "its x5c is no",
    ),
    "jwk is a text": (RSA.sign(made(), {"jwk": "x"}), "its jwk is no key"),
    "jwk is nothing": (RSA.sign(made(), {"jwk": {}}), "its jwk is no key"),
    "jwk without numbers": (RSA.sign(made(), {"jwk": {"kty": "EC"}}), "its jwk cannot be read"),
    "jwk of odd numbers": (
        RSA.sign(made(), {"jwk": {"kty": "RSA", "n": "AA", "e": "AA"}}),
        "its jwk cannot be read",
    ),
    "jwk is a secret": (
        RSA.sign(made(), {"jwk": {"kty": "oct", "k": "AA"}}),
        "its jwk is no public",
    ),
    "jwk is private": (RSA.sign(made(), {"jwk": {**RSA.jwk, "d": "AA"}}), "its jwk is no public"),
    "jwk with another ID": (
        RSA.sign(made(), {"jwk": {**RSA.jwk, "kid": "x"}}),
        "ID of another key",
    ),
    "claims are a list": (good([]), "its payload is no object"),
    "claims are no JSON": (good(b"\xff"), "its payload is no JSON in base64"),
    "no issuer": (good(made(iss=None)), "its issuer is None"),
    "another issuer": (good(made(iss="other")), "its issuer is 'other'"),
    "issuer is a list": (good(made(iss=[ISSUER])), "its issuer is ['auth.example.com']"),
    "no audience": (good(made(aud=None)), "it is for None"),
    "another audience": (good(made(aud="other")), "it is for 'other'"),
    "other audiences": (good(made(aud=["a", "b"])), "it is for ['a', 'b']"),
    "audience is an object": (good(made(aud={SERVICE: 1})), "it is for {"),
    "no end": (good(made(exp=None)), "it does not say when it expires"),
    "expired": (good(made(exp=NOW - LEEWAY - 1)), f"it expired at {NOW - LEEWAY - 1}"),
    "expires in parts": (good(made(exp=NOW + 0.5)), "its claim exp is no number of seconds"),
    "expires at true": (good(made(exp=True)), "its claim exp is no number of seconds"),
    "expires at a text": (good(made(exp=str(NOW))), "its claim exp is no number of seconds"),
    "expires never": (good(made(exp=2**63)), "its claim exp is no number of seconds"),
    "expires at infinity": (good(made(exp=float("inf"))), "its claim exp is no number of seconds"),
    "not yet": (good(made(nbf=NOW + 3600)), f"it is not valid before {NOW + 3600}"),
    "begins at a list": (good(made(nbf=[])), "its claim nbf is no number of seconds"),
    "subject is a number": (good(made(sub=5)), "its subject is no text"),
    "access is a text": (good(made(access="*")), "its claim access is no list"),
    "access is a number": (good(made(access=1)), "its claim access is no list"),
    "access of nothing": (good(made(access=[None])), "its claim access is no list"),
    "access without name": (good(made(access=[{"type": "x"}])), "its claim access is no list"),
    "name is a list": (good(made(access=[access([])])), "its claim access is no list"),  # type: ignore[arg-type]
    "actions are a text": (
        good(made(access=[{"type": "repository", "name": GUN, "actions": "*"}])),
        "its claim access is no list",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_everything_wrong_is_refused_for_its_own_reason(name: str) -> None:
    raw, reason = WRONG[name]
    with pytest.raises(TokenError) as caught:
        judge(raw)
    assert reason in str(caught.value)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": [SERVICE, "other"]},
        {"nbf": None},
        {"nbf": NOW + LEEWAY},
        {"exp": NOW - LEEWAY},
        {"iat": "whatever", "jti": 5},
        {"access": None},
        {"access": []},
        {"access": [{"type": "repository", "name": GUN, "actions": None}]},
    ],
    ids=str,
)
def test_claims_that_will_do(changed: dict[str, Any]) -> None:
    assert judge(good(made(**changed))).subject == "alice"


def test_the_leeway_is_exact() -> None:
    token = good(made(nbf=NOW, exp=NOW))
    for now in (NOW - LEEWAY, NOW + LEEWAY):
        assert judge(token, now=now)
    for late in (NOW - LEEWAY - 0.1, NOW + LEEWAY + 0.1):
        with pytest.raises(TokenError):
            judge(token, now=late)


@pytest.mark.parametrize("subject", [None, ""])
def test_nobody_may_have_a_token(subject: str | None) -> None:
    assert judge(good(made(sub=subject))).subject == ""


def test_subjects_can_be_written_down() -> None:
    assert judge(good(made(sub="a\ud800b"))).subject == "a?b"


@pytest.mark.parametrize(
    ("granted", "allowed"),
    [
        ([access(GUN, "pull", "push")], {"pull", "push,pull"}),
        ([access(GUN, "pull"), access(GUN, "push")], {"pull", "push,pull"}),
        ([access(GUN, "pull")], {"pull"}),
        ([access(GUN, "push")], set()),
        ([access(GUN, "*")], {"pull", "push,pull", "*"}),
        ([access(GUN)], set()),
        ([access(GUN.upper(), "*"), access(f"{GUN}/x", "*"), access(GUN, "*", kind="x")], set()),
        ([access("*", "*")], set()),
        ([CATALOG], {"catalog"}),
        ([], set()),
    ],
)
def test_what_is_granted(granted: list[Any], allowed: set[str]) -> None:
    token = judge(good(claims(*granted, now=NOW)))
    wanted = {
        text: Scope("repository", GUN, text.split(",")) for text in ("pull", "push,pull", "*")
    }
    wanted["catalog"] = WHOLE_SERVER
    assert {text for text, scope in wanted.items() if token.allows(scope)} == allowed


TEXT = st.text("ab*\x00\u00e4\ud800", max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
SIGNER = KNOWN["Ed25519"]


@given(st.dictionaries(st.sampled_from(["iss", "sub", "aud", "exp", "nbf", "access"]), JSON))
def test_no_claim_does_more_than_be_refused(changed: dict[str, Any]) -> None:
    signed = SIGNER.sign({**made(), **changed}, SIGNER.kid())
    try:
        token = judge(signed)
    except TokenError:
        return
    assert token.subject.isprintable() or token.subject.encode()


@given(st.lists(st.fixed_dictionaries({"type": JSON, "name": JSON, "actions": JSON}), max_size=2))
def test_no_access_does_more_than_be_refused(granted: list[Any]) -> None:
    try:
        judge(SIGNER.sign(made(access=granted), SIGNER.kid()))
    except TokenError:
        return


@given(
    st.dictionaries(
        st.sampled_from(["alg", "kid", "jwk", "x5c", "typ", "crit", "jku", "x5t", "b64", "cty"]),
        JSON,
    )
)
def test_no_header_does_more_than_be_refused(header: dict[str, Any]) -> None:
    try:
        judge(SIGNER.sign(made(), {**SIGNER.kid(), **header}))
    except TokenError:
        return


@given(
    st.sampled_from(["EC", "RSA", "OKP"]),
    st.dictionaries(
        st.sampled_from(["crv", "x", "y", "n", "e", "use", "key_ops", "kid", "alg", "x5c"]), JSON
    ),
)
def test_no_key_does_more_than_be_refused(kind: str, members: dict[str, Any]) -> None:
    base = SIGNER.jwk if kind == "OKP" else {}
    try:
        judge(SIGNER.sign(made(), {"jwk": {**base, "kty": kind, **members}}))
    except TokenError:
        return


@given(st.binary(max_size=60) | st.text("eyJ0.=-_", max_size=60).map(str.encode))
def test_no_bytes_do_more_than_be_refused(raw: bytes) -> None:
    with pytest.raises(TokenError):
        judge(raw)
