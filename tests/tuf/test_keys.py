"""Public keys: their IDs, and which signatures are theirs."""

from __future__ import annotations

from base64 import b64decode
from functools import cache
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from notary.tuf.errors import InvalidKeyError, MalformedJSONError, TUFError
from notary.tuf.keys import PublicKey
from tests.support.forge import Key
from tests.tuf.samples import root_key
from tests.tuf.strategies import damaged, json_values, many

PAYLOAD = b'{"_type":"Targets"}'
METHODS = {
    "ecdsa": {"ecdsa"},
    "ecdsa-x509": {"ecdsa"},
    "ed25519": {"eddsa"},
    "rsa": {"rsapss", "rsapkcs1v15"},
    "rsa-x509": {"rsapss", "rsapkcs1v15"},
}
TYPES = list(METHODS)
EC_PUBLIC_KEY = bytes.fromhex("2a8648ce3d0201")
PRIME256V1 = bytes.fromhex("2a8648ce3d030107")
ALL_METHODS = ["ecdsa", "eddsa", "rsapss", "rsapkcs1v15"]


@cache
def pair(kind: str) -> Key:
    return root_key(kind=kind) if kind.endswith("-x509") else Key.generate(kind)


def public(key: Key) -> PublicKey:
    return PublicKey.from_json(key.public_json())


def signature(key: Key, method: str | None = None) -> bytes:
    return b64decode(key.sign(PAYLOAD, method)["sig"])


def spki(key: Any) -> bytes:
    encoded: bytes = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return encoded


COMPRESSED_P256 = bytes.fromhex("3039301306072a8648ce3d020106082a8648ce3d030107032200")
"""A SubjectPublicKeyInfo up to its compressed point on P-256."""


class TestIDs:
    @pytest.mark.parametrize("kind", TYPES)
    def test_agree_with_another_implementation(self, kind: str) -> None:
        key = pair(kind)
        assert public(key).key_id == key.key_id
        assert public(key).canonical_id == key.canonical_id

    @pytest.mark.parametrize("kind", ["ecdsa-x509", "rsa-x509"])
    def test_a_certificate_shares_its_canonical_id_with_the_bare_key(self, kind: str) -> None:
        key = pair(kind)
        bare = PublicKey(kind.removesuffix("-x509"), spki(key.private))
        assert public(key).canonical_id == bare.key_id == bare.canonical_id
        assert public(key).key_id != bare.key_id

    def test_the_private_member_does_not_count(self) -> None:
        value = pair("ecdsa").public_json()
        value["keyval"]["private"] = "AA=="
        assert PublicKey.from_json(value) == public(pair("ecdsa"))

    def test_the_canonical_id_is_that_of_the_leaf(self) -> None:
        key = root_key(chain=[root_key()])
        assert public(key).canonical_id == key.canonical_id

    def test_a_key_is_the_same_in_another_encoding(self) -> None:
        key = pair("ecdsa")
        assert isinstance(key.private, ec.EllipticCurvePrivateKey)
        point = key.private.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.CompressedPoint
        )
        compressed = PublicKey("ecdsa", COMPRESSED_P256 + point)
        assert compressed.key_id != key.key_id
        assert compressed.canonical_id == key.key_id

    @pytest.mark.parametrize("data", [b"", b"no certificate"])
    def test_an_unreadable_certificate_has_no_canonical_id(self, data: bytes) -> None:
        with pytest.raises(InvalidKeyError, match="a certificate cannot be read"):
            PublicKey("ecdsa-x509", data).canonical_id  # noqa: B018


class TestJSON:
    @pytest.mark.parametrize("kind", TYPES)
    def test_reads_what_it_writes(self, kind: str) -> None:
        value = pair(kind).public_json()
        assert PublicKey.from_json(value).to_json() == value

    @pytest.mark.parametrize(
        "value",
        [
            None,
            7,
            "ecdsa",
            [],
            {},
            {"keytype": "ecdsa"},
            {"keyval": {"public": "AA=="}},
            {"keytype": "ecdsa", "keyval": None},
            {"keytype": "ecdsa", "keyval": "public"},
            {"keytype": "ecdsa", "keyval": {}},
        ],
    )
    def test_refuses_another_shape(self, value: Any) -> None:
        with pytest.raises(InvalidKeyError, match="must have a keytype and a keyval with public"):
            PublicKey.from_json(value)

    @pytest.mark.parametrize(
        ("key_type", "data"), [(1, "AA=="), (None, "AA=="), ("rsa", None), ("rsa", 1), ("rsa", [])]
    )
    def test_refuses_other_kinds_of_values(self, key_type: Any, data: Any) -> None:
        with pytest.raises(InvalidKeyError, match="keytype and public must be strings"):
            PublicKey.from_json({"keytype": key_type, "keyval": {"public": data}})

    @pytest.mark.parametrize("text", ["A", "AA", "AA=", "A A=", "AA==\n", "_-==", "\u00e9", "@"])
    def test_refuses_what_is_not_base64(self, text: str) -> None:
        with pytest.raises(InvalidKeyError, match="public part is not base64"):
            PublicKey.from_json({"keytype": "rsa", "keyval": {"public": text}})

    @pytest.mark.parametrize(
        "value",
        [
            {"keytype": "rsa", "KeyType": "ecdsa", "keyval": {"public": ""}},
            {"keytype": "rsa", "keyval": {"public": "", "Public": "AA=="}},
            {"keytype": "rsa", "keyval": {"public": "", "PRIVATE": "AA=="}},
        ],
    )
    def test_refuses_another_spelling(self, value: Any) -> None:
        with pytest.raises(MalformedJSONError, match="must be written"):
            PublicKey.from_json(value)

    @many
    @given(json_values)
    def test_any_value_is_a_key_or_invalid(self, value: Any) -> None:
        for candidate in (value, {"keytype": value, "keyval": value}):
            try:
                PublicKey.from_json(candidate)
            except TUFError:
                continue


class TestCertificateChain:
    def test_is_in_the_order_of_the_file(self) -> None:
        issuer = root_key()
        chain = public(root_key(chain=[issuer])).certificate_chain
        assert len(chain) == 2
        assert chain[1:] == public(issuer).certificate_chain

    @pytest.mark.parametrize("kind", ["ecdsa", "rsa", "ed25519"])
    def test_a_bare_key_has_none(self, kind: str) -> None:
        assert not public(pair(kind)).has_certificate
        with pytest.raises(InvalidKeyError, match=f"a key of type {kind} has no certificate"):
            public(pair(kind)).certificate_chain  # noqa: B018

    @pytest.mark.parametrize("kind", ["ecdsa-x509", "rsa-x509"])
    def test_an_x509_key_has_one(self, kind: str) -> None:
        assert public(pair(kind)).has_certificate
        assert len(public(pair(kind)).certificate_chain) == 1


class TestVerifies:
    @pytest.mark.parametrize(
        ("kind", "method"), [(kind, method) for kind in TYPES for method in METHODS[kind]]
    )
    def test_its_own_signature_and_no_other(self, kind: str, method: str) -> None:
        key = pair(kind)
        good = signature(key, method)
        assert public(key).verifies(method, good, PAYLOAD)
        assert not public(key).verifies(method, good, PAYLOAD + b" ")
        assert not public(key).verifies(method, good, b"")
        assert not public(key).verifies(method, good[:-1] + bytes([good[-1] ^ 1]), PAYLOAD)
        assert not public(key).verifies(method, good[:-1], PAYLOAD)
        assert not public(key).verifies(method, good + b"\0", PAYLOAD)
        assert not public(key).verifies(method, b"\0" + good, PAYLOAD)
        assert not public(key).verifies(method, b"\0" * len(good), PAYLOAD)
        assert not public(key).verifies(method, b"", PAYLOAD)
        assert public(key).verifies(method, good, PAYLOAD)

    def test_not_that_of_another_key(self) -> None:
        other = Key.generate()
        assert not public(pair("ecdsa")).verifies("ecdsa", signature(other), PAYLOAD)

    @pytest.mark.parametrize("kind", TYPES)
    @pytest.mark.parametrize("method", [*ALL_METHODS, "", "ECDSA", "none", "hmac"])
    def test_the_method_must_fit_the_type(self, kind: str, method: str) -> None:
        """However good the signature is: the bytes are those of a method that fits."""
        key = pair(kind)
        for made_by in METHODS[kind]:
            expected = method == made_by
            assert public(key).verifies(method, signature(key, made_by), PAYLOAD) is expected

    @pytest.mark.parametrize("claimed", [*TYPES, "ecdsa-x509 ", "x509", ""])
    @pytest.mark.parametrize("kind", TYPES)
    def test_the_type_must_fit_the_bytes(self, kind: str, claimed: str) -> None:
        key = pair(kind)
        liar = PublicKey(claimed, key.public)
        for method in METHODS[kind]:
            assert liar.verifies(method, signature(key, method), PAYLOAD) is (claimed == kind)

    @pytest.mark.parametrize("method", ALL_METHODS)
    @pytest.mark.parametrize("kind", ["ecdsa", "rsa", "ed25519"])
    @pytest.mark.parametrize("claimed", ["ecdsa", "rsa"])
    def test_a_readable_key_of_another_kind(self, claimed: str, kind: str, method: str) -> None:
        key = pair(kind)
        liar = PublicKey(claimed, spki(key.private))
        good = [signature(key, made_by) for made_by in METHODS[kind]]
        expected = claimed == kind and method in METHODS[kind]
        assert any(liar.verifies(method, each, PAYLOAD) for each in good) is expected

    @pytest.mark.parametrize("method", ALL_METHODS)
    def test_a_readable_key_of_a_kind_that_never_signs_here(self, method: str) -> None:
        private = dsa.generate_private_key(1024)
        made = private.sign(PAYLOAD, hashes.SHA256())
        for claimed in ("ecdsa", "rsa", "ed25519", "dsa"):
            assert not PublicKey(claimed, spki(private)).verifies(method, made, PAYLOAD)

    @pytest.mark.parametrize(
        ("curve", "size"), [(ec.SECP256R1(), 64), (ec.SECP384R1(), 96), (ec.SECP521R1(), 132)]
    )
    def test_curves(self, curve: ec.EllipticCurve, size: int) -> None:
        key = Key.generate(curve=curve)
        good = signature(key)
        assert len(good) == size
        assert public(key).verifies("ecdsa", good, PAYLOAD)
        assert not public(key).verifies("ecdsa", good[: size // 2], PAYLOAD)
        assert not public(key).verifies("ecdsa", b"\xff" * size, PAYLOAD)

    @pytest.mark.parametrize("curve", [ec.SECP256K1(), ec.SECP224R1(), ec.BrainpoolP256R1()])
    def test_other_curves(self, curve: ec.EllipticCurve) -> None:
        key = Key.generate(curve=curve)
        assert not public(key).verifies("ecdsa", signature(key), PAYLOAD)

    def test_ecdsa_signatures_are_not_der(self) -> None:
        key = pair("ecdsa")
        assert isinstance(key.private, ec.EllipticCurvePrivateKey)
        made = key.private.sign(PAYLOAD, ec.ECDSA(hashes.SHA256()))
        assert not public(key).verifies("ecdsa", made, PAYLOAD)

    def test_ecdsa_signatures_have_one_width(self) -> None:
        key = pair("ecdsa")
        good = signature(key)
        for padded in (good[:32] + b"\0" + good[32:], b"\0" + good[:32] + b"\0" + good[32:]):
            assert not public(key).verifies("ecdsa", padded, PAYLOAD)

    def test_ecdsa_hashes_with_sha256(self) -> None:
        key = Key.generate(curve=ec.SECP384R1())
        assert isinstance(key.private, ec.EllipticCurvePrivateKey)
        r, s = decode_dss_signature(key.private.sign(PAYLOAD, ec.ECDSA(hashes.SHA384())))
        made = r.to_bytes(48, "big") + s.to_bytes(48, "big")
        assert not public(key).verifies("ecdsa", made, PAYLOAD)

    @pytest.mark.parametrize(
        ("salt", "hash_algorithm", "expected"),
        [
            (32, hashes.SHA256(), True),
            (0, hashes.SHA256(), False),
            (20, hashes.SHA256(), False),
            (222, hashes.SHA256(), False),
            (32, hashes.SHA512(), False),
        ],
    )
    def test_pss_salt_and_hash(
        self, salt: int, hash_algorithm: hashes.HashAlgorithm, expected: bool
    ) -> None:
        key = pair("rsa")
        assert isinstance(key.private, rsa.RSAPrivateKey)
        pss = padding.PSS(padding.MGF1(hash_algorithm), salt)
        made = key.private.sign(PAYLOAD, pss, hash_algorithm)
        assert public(key).verifies("rsapss", made, PAYLOAD) is expected

    @pytest.mark.parametrize(("bits", "expected"), [(1024, False), (2047, False), (2048, True)])
    @pytest.mark.parametrize("method", ["rsapss", "rsapkcs1v15"])
    def test_small_rsa_keys(self, bits: int, expected: bool, method: str) -> None:
        key = Key.generate("rsa", bits=bits)
        assert public(key).verifies(method, signature(key, method), PAYLOAD) is expected

    @pytest.mark.parametrize("method", ALL_METHODS)
    @pytest.mark.parametrize("kind", TYPES)
    def test_unreadable_keys(self, kind: str, method: str) -> None:
        for data in (b"", b"\0" * 32, b"\xff" * 91, pair(kind).public[:-30]):
            assert not PublicKey(kind, data).verifies(method, b"\1" * 64, PAYLOAD)

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            (PRIME256V1, PRIME256V1[:-1] + b"\x7f"),
            (EC_PUBLIC_KEY, EC_PUBLIC_KEY[:-1] + b"\x7f"),
        ],
        ids=["curve", "algorithm"],
    )
    def test_unknown_algorithms(self, old: bytes, new: bytes) -> None:
        assert old in pair("ecdsa").public
        key = PublicKey("ecdsa", pair("ecdsa").public.replace(old, new))
        assert not key.verifies("ecdsa", signature(pair("ecdsa")), PAYLOAD)

    @many
    @given(
        st.sampled_from(TYPES) | st.text(),
        st.binary(max_size=200),
        st.sampled_from(ALL_METHODS) | st.text(),
        st.binary(max_size=300),
        st.binary(),
    )
    def test_any_bytes_verify_nothing(
        self, kind: str, data: bytes, method: str, made: bytes, payload: bytes
    ) -> None:
        assert PublicKey(kind, data).verifies(method, made, payload) is False

    @many
    @given(st.data())
    def test_a_damaged_key_verifies_nothing_of_anybody(self, data: st.DataObject) -> None:
        kind = data.draw(st.sampled_from(["ecdsa", "rsa"]))
        key = PublicKey(kind, data.draw(damaged(pair(kind).public)))
        for method in METHODS[kind]:
            made = data.draw(st.binary(min_size=64, max_size=64) | st.just(b"\1" * 256))
            assert key.verifies(method, made, PAYLOAD) is False

    @many
    @given(st.data())
    def test_a_damaged_signature_is_nobodys(self, data: st.DataObject) -> None:
        key = pair(data.draw(st.sampled_from(TYPES)))
        for method in METHODS[key.kind]:
            good = signature(key, method)
            made = data.draw(damaged(good))
            assert public(key).verifies(method, made, PAYLOAD) is (made == good)
