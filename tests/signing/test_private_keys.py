"""Private keys: the signatures they make, and their bytes as the Go signer keeps them."""

from __future__ import annotations

import base64
import re

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from notary.signing.private_keys import ALGORITHMS, RSA_BITS, PrivateKey
from notary.tuf.errors import InvalidKeyError
from notary.tuf.keys import ECDSA, ED25519, RSA

PAYLOAD = b'{"_type":"Timestamp"}'
KEYS = {algorithm: PrivateKey.generate(algorithm) for algorithm in ALGORITHMS}
METHODS = {ECDSA: "ecdsa", ED25519: "eddsa", RSA: "rsapss"}

MANY_SIGNATURES = 20_000
"""So many that each half of one of them is short: one in 256 is."""

EC_SEED = bytes.fromhex("c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721")
EC_POINT = bytes.fromhex(
    "04"
    "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
    "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
)
"""The key of RFC 6979, A.2.5."""

ED_SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
ED_PUBLIC = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
ED_SIGNATURE = bytes.fromhex(
    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555"
    "fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
)
"""The key of RFC 8032, 7.1, and its signature over nothing."""


def der(key: object, *, encryption: KeySerializationEncryption | None = None) -> bytes:
    """The DER that is usual for a key of any kind."""
    assert hasattr(key, "private_bytes")
    how = encryption or NoEncryption()
    data = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, how)
    assert isinstance(data, bytes)
    return data


class TestSignatures:
    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    def test_the_public_half_verifies_them(self, algorithm: str) -> None:
        key = PrivateKey.generate(algorithm)
        for payload in (PAYLOAD, b"", b"x" * 100_000):
            made = key.sign(payload)
            assert made.method == METHODS[algorithm]
            assert key.public.verifies(made.method, made.signature, payload)
            assert not key.public.verifies(made.method, made.signature, payload + b" ")

    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    def test_each_key_is_another(self, algorithm: str) -> None:
        key = PrivateKey.generate(algorithm)
        made = key.sign(PAYLOAD)
        assert not KEYS[algorithm].public.verifies(made.method, made.signature, PAYLOAD)

    def test_ecdsa_signatures_are_64_bytes_whatever_the_numbers(self) -> None:
        short_halves: set[int] = set()
        for _ in range(MANY_SIGNATURES):
            signature = KEYS[ECDSA].sign(PAYLOAD).signature
            assert len(signature) == 64
            short = {half for half, first in enumerate((signature[0], signature[32])) if not first}
            if short - short_halves:
                assert KEYS[ECDSA].public.verifies("ecdsa", signature, PAYLOAD)
                short_halves |= short
            if short_halves == {0, 1}:
                return
        pytest.fail("no signature had a short half")

    def test_ed25519_signatures_are_those_of_the_standard(self) -> None:
        key = PrivateKey.from_bytes(ED25519, ED_PUBLIC + ED_SEED + ED_PUBLIC)
        assert key.sign(b"").signature == ED_SIGNATURE

    def test_rsa_keys_are_as_long_as_verifiers_demand(self) -> None:
        assert len(KEYS[RSA].sign(PAYLOAD).signature) * 8 == RSA_BITS == 2048


class TestBytes:
    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    def test_a_key_comes_back(self, algorithm: str) -> None:
        data = KEYS[algorithm].to_bytes()
        again = PrivateKey.from_bytes(algorithm, data)
        assert again.public == KEYS[algorithm].public
        assert again.to_bytes() == data
        made = again.sign(PAYLOAD)
        assert KEYS[algorithm].public.verifies(made.method, made.signature, PAYLOAD)

    @pytest.mark.parametrize(
        ("algorithm", "label"), [(ECDSA, "EC PRIVATE KEY"), (RSA, "RSA PRIVATE KEY")]
    )
    def test_the_der_is_what_openssl_calls_traditional(self, algorithm: str, label: str) -> None:
        body = base64.encodebytes(KEYS[algorithm].to_bytes()).decode()
        pem = f"-----BEGIN {label}-----\n{body}-----END {label}-----\n".encode()
        loaded = load_pem_private_key(pem, None)
        assert der(loaded) == der(KEYS[algorithm]._signer)

    def test_ecdsa_is_sec_1_on_p_256(self) -> None:
        """As Go's x509.MarshalECPrivateKey: version 1, the number, the curve's name, the point."""
        data = bytes.fromhex("307702010104 20") + EC_SEED
        data += bytes.fromhex("a00a 0608 2a8648ce3d030107 a144 034200") + EC_POINT
        key = PrivateKey.from_bytes(ECDSA, data)
        assert key.to_bytes() == data
        assert key.public.public.endswith(EC_POINT)

    def test_rsa_is_pkcs_1(self) -> None:
        """As Go's x509.MarshalPKCS1PrivateKey: version 0, modulus, the exponent 65537."""
        data = KEYS[RSA].to_bytes()
        assert re.match(rb"\x30\x82..\x02\x01\x00\x02\x82\x01\x01\x00", data, re.DOTALL)
        assert data[12 + 256 :].startswith(b"\x02\x03\x01\x00\x01")

    def test_ed25519_is_the_public_half_around_the_seed(self) -> None:
        data = ED_PUBLIC + ED_SEED + ED_PUBLIC
        key = PrivateKey.from_bytes(ED25519, data)
        assert key.public.public == ED_PUBLIC
        assert key.to_bytes() == data
        assert len(KEYS[ED25519].to_bytes()) == 96


ED = KEYS[ED25519].to_bytes()
DAMAGED = {
    "ed25519, other first half": (ED25519, bytes(32) + ED[32:]),
    "ed25519, other seed": (ED25519, ED[:32] + bytes(32) + ED[64:]),
    "ed25519, other last half": (ED25519, ED[:64] + bytes(32)),
    "ed25519, seed alone": (ED25519, ED[32:64]),
    "ed25519, Go's form": (ED25519, ED[32:]),
    "ed25519, PKCS #8": (ED25519, der(KEYS[ED25519]._signer)),
    **{
        f"{algorithm}, {damage}": (algorithm, data)
        for algorithm, key in KEYS.items()
        for damage, data in {
            "nothing": b"",
            "text": b"no key at all",
            "cut short": key.to_bytes()[:-1],
            "too long": key.to_bytes() + b"\0",
        }.items()
    },
    **{
        f"{other} as {algorithm}": (algorithm, key.to_bytes())
        for algorithm in ALGORITHMS
        for other, key in KEYS.items()
        if other != algorithm
    },
    "ed25519 in DER as ecdsa": (ECDSA, der(KEYS[ED25519]._signer)),
    "P-384": (ECDSA, der(ec.generate_private_key(ec.SECP384R1()))),
    "secp256k1": (ECDSA, der(ec.generate_private_key(ec.SECP256K1()))),
    "X25519": (ECDSA, der(x25519.X25519PrivateKey.generate())),
    "Ed448": (ECDSA, der(ed448.Ed448PrivateKey.generate())),
    "DSA": (RSA, der(dsa.generate_private_key(1024))),
    "encrypted": (
        RSA,
        der(
            rsa.generate_private_key(public_exponent=65537, key_size=2048),
            encryption=BestAvailableEncryption(b"secret"),
        ),
    ),
}


class TestTrouble:
    @pytest.mark.parametrize(("algorithm", "data"), DAMAGED.values(), ids=DAMAGED)
    def test_other_bytes_are_no_key(self, algorithm: str, data: bytes) -> None:
        """What is said of them holds none of them: it is logged."""
        with pytest.raises(InvalidKeyError) as caught:
            PrivateKey.from_bytes(algorithm, data)
        assert str(caught.value) == f"this is no private key for {algorithm}"

    @pytest.mark.parametrize("algorithm", ["", "dsa", "ECDSA", "ecdsa-x509", "x" * 5000])
    def test_there_are_no_other_algorithms(self, algorithm: str) -> None:
        with pytest.raises(InvalidKeyError, match=r"only ecdsa, ed25519, rsa$") as caught:
            PrivateKey.generate(algorithm)
        assert len(str(caught.value)) < 120
        with pytest.raises(InvalidKeyError, match="there is no key algorithm"):
            PrivateKey.from_bytes(algorithm, KEYS[ECDSA].to_bytes())

    @pytest.mark.parametrize("algorithm", ALGORITHMS)
    def test_nothing_secret_is_shown(self, algorithm: str) -> None:
        key = KEYS[algorithm]
        shown = f"{key!r} {key} {key.sign(PAYLOAD)!r}"
        assert shown == (
            f"PrivateKey(public=PublicKey(type={algorithm!r})) "
            f"PrivateKey(public=PublicKey(type={algorithm!r})) "
            f"RawSignature(method={METHODS[algorithm]!r})"
        )
