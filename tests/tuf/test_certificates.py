"""Certificates inside root keys."""

from __future__ import annotations

from base64 import b64encode
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtensionOID, NameOID
from hypothesis import given
from hypothesis import strategies as st

from notary.tuf.certificates import is_ca, leaf_problem, load_chain, public_key, weakness
from notary.tuf.errors import InvalidKeyError
from notary.tuf.keys import PublicKey
from tests.support.forge import DAY, Key
from tests.tuf.samples import GUN, NOW, root_key
from tests.tuf.strategies import damaged, many

SECOND = timedelta(seconds=1)
ORDER = "its chain does not begin with its only leaf certificate"
RSA_WITH = bytes.fromhex("2a864886f70d0101")
SHA256, SHA1, MD5, UNKNOWN = b"\x0b", b"\x05", b"\x04", b"\x7f"
PRIME256V1 = bytes.fromhex("2a8648ce3d030107")
EXTENDED_KEY_USAGE, BASIC_CONSTRAINTS = b"\x06\x03\x55\x1d\x25", b"\x06\x03\x55\x1d\x13"
X400_ADDRESS = bytes.fromhex("3002a300")
NAME_OF_BITS = bytes.fromhex("3011a40f300d310b3009060355040303020041")


def chain_of(key: Key) -> tuple[x509.Certificate, ...]:
    return load_chain(key.public)


def problem(key: Key, gun: str = GUN, now: datetime | None = NOW) -> str | None:
    return leaf_problem(chain_of(key), gun, now)


def der(key: Key) -> bytes:
    return chain_of(key)[0].public_bytes(Encoding.DER)


def pem(data: bytes) -> bytes:
    body = b64encode(data)
    return b"-----BEGIN CERTIFICATE-----\n" + body + b"\n-----END CERTIFICATE-----\n"


def replaced(data: bytes, old: bytes, new: bytes) -> x509.Certificate:
    """The certificate with some of its bytes replaced; its signature is wrong then."""
    assert old in data
    assert len(old) == len(new)
    return load_chain(pem(data.replace(old, new)))[0]


@cache
def rsa_der() -> bytes:
    return der(root_key(kind="rsa-x509"))


def made(private: Any = None, name: x509.Name | None = None, *extensions: Any) -> x509.Certificate:
    """A certificate with the given extensions only."""
    private = private or Key.generate().private
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "cn")]) if name is None else name
    builder = x509.CertificateBuilder(name, name, private.public_key(), 1, NOW - DAY, NOW + DAY)
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    algorithm = None if isinstance(private, ed25519.Ed25519PrivateKey) else hashes.SHA256()
    return builder.sign(private, algorithm)


class TestLoadChain:
    def test_keeps_the_order(self) -> None:
        issuer = root_key()
        leaf = root_key()
        both = Key(leaf.kind, leaf.private, leaf.public + issuer.public)
        assert chain_of(both) == chain_of(leaf) + chain_of(issuer)

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"text",
            pem(b""),
            pem(b"\x30\x00"),
            b"-----BEGIN CERTIFICATE-----\nAAAA\n",
            b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        ],
    )
    def test_refuses_what_is_no_chain(self, data: bytes) -> None:
        with pytest.raises(InvalidKeyError, match="a certificate cannot be read"):
            load_chain(data)

    def test_refuses_an_unreadable_issuer(self) -> None:
        with pytest.raises(InvalidKeyError, match="a certificate cannot be read"):
            load_chain(root_key().public + pem(b"\x30\x00"))

    def test_refuses_der(self) -> None:
        with pytest.raises(InvalidKeyError, match="a certificate cannot be read"):
            load_chain(der(root_key()))

    def test_refuses_an_unknown_version(self) -> None:
        with pytest.raises(InvalidKeyError, match="a certificate cannot be read"):
            replaced(der(root_key()), b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x09")


class TestPublicKey:
    def test_is_that_of_the_certificate(self) -> None:
        key = root_key()
        assert public_key(chain_of(key)[0]) == key.private.public_key()

    def test_refuses_an_unknown_curve(self) -> None:
        certificate = replaced(der(root_key()), PRIME256V1, PRIME256V1[:-1] + b"\x7f")
        with pytest.raises(InvalidKeyError, match="public key cannot be read"):
            public_key(certificate)

    def test_refuses_a_point_off_the_curve(self) -> None:
        data = der(root_key())
        place = data.index(b"\x03\x42\x00\x04") + 4
        with pytest.raises(InvalidKeyError, match="public key cannot be read"):
            public_key(replaced(data, data[place : place + 64], b"\1" * 64))


class TestName:
    @pytest.mark.filterwarnings("ignore:Attribute's length must be")
    @pytest.mark.parametrize(
        ("name", "gun"),
        [
            (GUN, GUN),
            ("x" * 200, "x" * 200),
            ("docker.io/*", "docker.io/library/alpine"),
            ("docker.io/lib*", "docker.io/library/alpine"),
            ("docker.io/library/alpine*", "docker.io/library/alpine"),
            ("docker.io/**", "docker.io/a"),
            ("*", GUN),
            ("caf\u00e9", "caf\u00e9"),
        ],
    )
    def test_covers(self, name: str, gun: str) -> None:
        assert problem(root_key(cn=name), gun) is None

    @pytest.mark.parametrize(
        ("name", "gun"),
        [
            ("docker.io/library/alpine", "docker.io/library/alpine2"),
            ("docker.io/library/alpine2", "docker.io/library/alpine"),
            ("docker.io/library/Alpine", "docker.io/library/alpine"),
            ("docker.io/", "docker.io/library/alpine"),
            ("docker.io/*", "docker.com/library/alpine"),
            ("docker.io/*/alpine", "docker.io/library/alpine"),
            ("*alpine", "docker.io/library/alpine"),
            ("docker.io/?", "docker.io/a"),
            (".*x", "docker.io/a"),
            ("", GUN),
        ],
    )
    def test_does_not_cover(self, name: str, gun: str) -> None:
        expected = f"its common name {name!r} does not cover the GUN {gun!r}"
        certificate = made(None, x509.Name([])) if not name else chain_of(root_key(cn=name))[0]
        assert leaf_problem([certificate], gun, NOW) == expected

    def test_of_several_the_last_counts(self) -> None:
        names = [x509.NameAttribute(NameOID.COMMON_NAME, name) for name in ("first", "last")]
        certificate = made(None, x509.Name(names))
        assert leaf_problem([certificate], "last", NOW) is None
        assert "'last' does not cover the GUN 'first'" in str(
            leaf_problem([certificate], "first", NOW)
        )

    @pytest.mark.parametrize("new", [b"\x03\x03\x00cn", b"\x0c\x03\xffcn"])
    def test_an_unreadable_one_covers_nothing(self, new: bytes) -> None:
        certificate = replaced(der(root_key(cn="\x00cn")), b"\x0c\x03\x00cn", new)
        assert leaf_problem([certificate], "cn", NOW) == (
            "its common name '' does not cover the GUN 'cn'"
        )


class TestChain:
    def test_leaf_and_issuers(self) -> None:
        authority = root_key("authority", is_ca=True)
        above = root_key("above", is_ca=True)
        assert problem(root_key(issuer=authority, chain=[authority])) is None
        assert problem(root_key(issuer=authority, chain=[authority, above])) is None

    def test_an_issuer_is_no_leaf(self) -> None:
        assert problem(root_key(is_ca=True)) == ORDER

    def test_the_leaf_comes_first(self) -> None:
        assert problem(root_key(is_ca=True, chain=[root_key()])) == ORDER

    def test_there_is_one_leaf(self) -> None:
        assert problem(root_key(chain=[root_key()])) == ORDER
        assert problem(root_key(chain=[root_key(is_ca=True), root_key()])) == ORDER

    def test_who_is_an_issuer(self) -> None:
        assert is_ca(chain_of(root_key(is_ca=True))[0])
        assert not is_ca(chain_of(root_key())[0])
        assert not is_ca(made())

    @pytest.mark.parametrize(
        "raw", [X400_ADDRESS, NAME_OF_BITS, b"\xff"], ids=["x400", "bits", "garbage"]
    )
    def test_unreadable_extensions_make_no_leaf(self, raw: bytes) -> None:
        names = x509.UnrecognizedExtension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, raw)
        certificate = made(None, None, x509.BasicConstraints(False, None), names)
        assert is_ca(certificate)
        assert leaf_problem([certificate], GUN, NOW) == ORDER

    def test_an_extension_that_stands_twice_makes_no_leaf(self) -> None:
        data = der(root_key())
        assert is_ca(replaced(data, EXTENDED_KEY_USAGE, BASIC_CONSTRAINTS))


class TestWeakness:
    def test_good_ones_have_none(self) -> None:
        assert weakness(chain_of(root_key())[0]) is None
        assert weakness(load_chain(pem(rsa_der()))[0]) is None
        assert weakness(made(ed25519.Ed25519PrivateKey.generate())) is None

    @pytest.mark.parametrize(
        ("algorithm", "expected"),
        [
            (SHA1, "it is signed with SHA1"),
            (MD5, "it is signed with MD5"),
            (UNKNOWN, "it uses an unknown algorithm"),
        ],
    )
    def test_signature_algorithms(self, algorithm: bytes, expected: str) -> None:
        certificate = replaced(rsa_der(), RSA_WITH + SHA256, RSA_WITH + algorithm)
        assert weakness(certificate) == expected
        assert leaf_problem([certificate], GUN, None) == expected

    def test_a_real_sha1_signature(self) -> None:
        assert problem(Key.sha1_certificate(GUN)) == "it is signed with SHA1"

    def test_an_unknown_key(self) -> None:
        certificate = replaced(der(root_key()), PRIME256V1, PRIME256V1[:-1] + b"\x7f")
        assert weakness(certificate) == "it uses an unknown algorithm"

    @pytest.mark.parametrize(
        ("bits", "expected"), [(2047, "its RSA key has less than 2048 bits"), (2048, None)]
    )
    def test_rsa_keys(self, bits: int, expected: str | None) -> None:
        key = root_key(kind="rsa-x509", key=Key.generate("rsa", bits=bits))
        assert problem(key) == expected
        assert weakness(chain_of(key)[0]) == expected


class TestValidity:
    BEGIN = NOW - 30 * DAY
    END = NOW + 3650 * DAY

    @pytest.mark.parametrize("now", [BEGIN - DAY, BEGIN, NOW, END])
    def test_valid(self, now: datetime) -> None:
        assert problem(root_key(), now=now) is None

    @pytest.mark.parametrize(
        ("now", "expected"),
        [
            (BEGIN - DAY - SECOND, f"it is not valid before {BEGIN:%Y-%m-%d}"),
            (END + SECOND, f"it expired on {END:%Y-%m-%d}"),
        ],
    )
    def test_not_valid(self, now: datetime, expected: str) -> None:
        assert problem(root_key(), now=now) == expected

    @pytest.mark.parametrize("over", [{"not_after": NOW - DAY}, {"not_before": NOW + 9 * DAY}])
    def test_may_be_let_pass(self, over: dict[str, Any]) -> None:
        key = root_key(**over)
        assert problem(key) is not None
        assert problem(key, now=None) is None

    def test_dates_that_no_calendar_has(self) -> None:
        data = der(root_key(not_after=datetime(9999, 12, 31, 23, 59, 59)))
        certificate = replaced(data, b"99991231235959Z", b"00000101000000Z")
        assert leaf_problem([certificate], GUN, NOW) == "its dates cannot be read"
        assert leaf_problem([certificate], GUN, None) is None


def judge_any(data: bytes) -> None:
    """Raises nothing but InvalidKeyError, whatever the bytes."""
    try:
        chain = load_chain(data)
        leaf_problem(chain, GUN, NOW)
        leaf_problem(chain, GUN, None)
        PublicKey("ecdsa-x509", data).canonical_id  # noqa: B018
    except InvalidKeyError:
        pass
    for kind, method in (("ecdsa-x509", "ecdsa"), ("rsa-x509", "rsapss")):
        assert PublicKey(kind, data).verifies(method, b"\1" * 64, b"") is False


ORIGINALS = [der(root_key()), rsa_der(), der(root_key(cn="a*", is_ca=True))]


@many
@given(st.binary())
def test_any_bytes_are_a_chain_or_invalid(data: bytes) -> None:
    judge_any(data)
    judge_any(pem(data))


@many
@given(st.one_of([damaged(original) for original in ORIGINALS]))
def test_any_damaged_certificate_is_judged_or_invalid(data: bytes) -> None:
    judge_any(pem(data))


@many
@given(damaged(root_key().public))
def test_any_damaged_pem_is_judged_or_invalid(data: bytes) -> None:
    judge_any(data)
