"""How private keys are encrypted: as the Go signer does it, and open to nothing else."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from hashlib import pbkdf2_hmac
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import aes_key_unwrap, aes_key_wrap
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwe
from joserfc.jwk import OctKey

from notary.signer.envelope import EnvelopeError, seal, unseal
from tests.tuf.strategies import damaged, many, mutated

CONTENT = b"\x30\x77 a private key"
PASSPHRASE = "correct horse battery"
HEADER = {
    "alg": "PBES2-HS256+A128KW",
    "enc": "A256GCM",
    "p2c": 8192,
    "p2s": "AAECAwQFBgcICQoL",
}
ODD: dict[str, list[Any]] = {
    "alg": [None, 5, [], {}, "", "none"],
    "enc": [None, 5, [], {}, "", "none"],
    "p2s": [None, 5, [], "", "\xff", "="],
    "p2c": [None, 0, -1, -(2**70), 2**70, True, 1e4, "1"],
    "crit": [5, [], ["exp"]],
}
PEM = """-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE
-----END PUBLIC KEY-----"""
PASSPHRASES = ["x", "   ", PASSPHRASE, "Füße \U0001f511", PEM, "p" * 4096]

OPENING = "the passphrase is wrong, or the encrypted key is damaged"
DAMAGED = "the encrypted key is damaged"


def encoded(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def decoded(segment: bytes | str) -> bytes:
    raw = segment if isinstance(segment, bytes) else segment.encode()
    return base64.urlsafe_b64decode(raw + b"=" * (-len(raw) % 4))


def header_of(envelope: bytes) -> dict[str, Any]:
    header: dict[str, Any] = json.loads(decoded(envelope.split(b".")[0]))
    return header


def with_header(header: Any) -> bytes:
    """A good envelope with another header, for which it was not made."""
    return b".".join([encoded(json.dumps(header).encode()), *GOOD.split(b".")[1:]])


def wrapping_key(header: dict[str, Any], passphrase: bytes) -> bytes:
    """The key that a passphrase gives (RFC 7518, 4.8.1.1)."""
    salt = header["alg"].encode() + b"\x00" + decoded(header["p2s"])
    return pbkdf2_hmac("sha256", passphrase, salt, header["p2c"], 16)


def go_seal(content: bytes, passphrase: bytes, **over: Any) -> bytes:
    """An envelope made by hand, step by step as RFC 7516 (5.1) has it."""
    header = {**HEADER, **over}
    content_key, nonce = bytes(range(32)), bytes(range(12))
    wrapped = aes_key_wrap(wrapping_key(header, passphrase), content_key)
    protected = encoded(json.dumps(header, separators=(",", ":")).encode())
    sealed = AESGCM(content_key).encrypt(nonce, content, protected)
    parts = [wrapped, nonce, sealed[:-16], sealed[-16:]]
    return b".".join([protected, *map(encoded, parts)])


def go_unseal(envelope: bytes, passphrase: bytes) -> bytes:
    protected, *segments = envelope.split(b".")
    wrapped, nonce, sealed, tag = map(decoded, segments)
    content_key = aes_key_unwrap(wrapping_key(header_of(envelope), passphrase), wrapped)
    return AESGCM(content_key).decrypt(nonce, sealed + tag, protected)


def foreign(alg: str, enc: str, passphrase: str = PASSPHRASE, **header: Any) -> bytes:
    """A whole envelope of other algorithms, which the passphrase would open."""
    raw = passphrase.encode()
    names = [alg, enc, "DEF"]
    protected = {"alg": alg, "enc": enc, **header}
    return jwe.encrypt_compact(protected, CONTENT, OctKey(raw, raw), algorithms=names).encode()


GOOD = seal(CONTENT, PASSPHRASE)


class TestSealing:
    @pytest.mark.parametrize("passphrase", PASSPHRASES)
    def test_opens_what_it_sealed(self, passphrase: str) -> None:
        assert unseal(seal(CONTENT, passphrase), passphrase) == CONTENT

    @pytest.mark.parametrize("content", [b"", b"\x00" * 3, bytes(range(256)) * 10])
    def test_takes_any_content(self, content: bytes) -> None:
        assert unseal(seal(content, PASSPHRASE), PASSPHRASE) == content

    def test_names_the_algorithms_of_the_go_signer(self) -> None:
        header = header_of(GOOD)
        assert list(header) == ["alg", "enc", "p2c", "p2s"]
        assert {**header, "p2s": HEADER["p2s"]} == HEADER
        assert len(decoded(header["p2s"])) == 12

    @pytest.mark.parametrize("passphrase", PASSPHRASES)
    def test_others_open_it_by_the_standard(self, passphrase: str) -> None:
        assert go_unseal(seal(CONTENT, passphrase), passphrase.encode()) == CONTENT

    @pytest.mark.parametrize("passphrase", PASSPHRASES)
    def test_opens_what_others_made_by_the_standard(self, passphrase: str) -> None:
        assert unseal(go_seal(CONTENT, passphrase.encode()), passphrase) == CONTENT

    def test_a_passphrase_that_is_no_utf_8_counts_by_its_bytes(self) -> None:
        """So Python hands down such environment variables, and the Go signer takes their bytes."""
        raw = b"\xff\xe9t\xe9"
        passphrase = raw.decode(errors="surrogateescape")
        assert go_unseal(seal(CONTENT, passphrase), raw) == CONTENT
        assert unseal(go_seal(CONTENT, raw), passphrase) == CONTENT

    def test_nothing_random_is_used_twice(self) -> None:
        other = seal(CONTENT, PASSPHRASE)
        pairs = zip(GOOD.split(b"."), other.split(b"."), strict=True)
        assert all(ours != theirs for ours, theirs in pairs)

    def test_does_not_show_the_content(self) -> None:
        for segment in GOOD.split(b"."):
            assert CONTENT not in decoded(segment)


class TestOpening:
    @pytest.mark.parametrize("passphrase", ["", PASSPHRASE[:-1], PASSPHRASE + "\n", "Füße", PEM])
    def test_not_with_another_passphrase(self, passphrase: str) -> None:
        with pytest.raises(EnvelopeError) as caught:
            unseal(GOOD, passphrase)
        assert str(caught.value) == OPENING

    @pytest.mark.parametrize("part", range(5))
    def test_not_with_a_damaged_part(self, part: int) -> None:
        segments = GOOD.split(b".")
        data = bytearray(decoded(segments[part]))
        data[len(data) // 2] ^= 1
        segments[part] = encoded(bytes(data))
        with pytest.raises(EnvelopeError):
            unseal(b".".join(segments), PASSPHRASE)

    @pytest.mark.parametrize("part", range(5))
    @pytest.mark.parametrize("kept", [0, 1, 8])
    def test_not_with_a_part_cut_short(self, part: int, kept: int) -> None:
        segments = GOOD.split(b".")
        segments[part] = segments[part][:kept]
        with pytest.raises(EnvelopeError):
            unseal(b".".join(segments), PASSPHRASE)

    @pytest.mark.parametrize(
        "envelope",
        [
            b"",
            b".",
            b"....",
            b"\x00",
            b"\xff.\xff.\xff.\xff.\xff",
            b'{"protected":"e30","ciphertext":"AA"}',
            GOOD[:-1],
            GOOD[:100],
            GOOD + b".",
            GOOD + b"\n",
            b"." + GOOD,
            GOOD.replace(b".", b"=."),
            GOOD.replace(b".", b","),
            GOOD * 1000,
            b"." * 100_000,
            b".".join(GOOD.split(b".")[:3]),
            base64.urlsafe_b64encode(b"[" * 40_000) + GOOD[GOOD.index(b".") :],
            b"-----BEGIN PRIVATE KEY-----",
        ],
        ids=lambda envelope: repr(envelope[:20]),
    )
    def test_not_what_is_none(self, envelope: bytes) -> None:
        with pytest.raises(EnvelopeError):
            unseal(envelope, PASSPHRASE)

    @pytest.mark.parametrize(
        "header",
        [
            None,
            0,
            [],
            ["alg", "enc"],
            "alg enc",
            {},
            {"alg": HEADER["alg"]},
            {"enc": HEADER["enc"]},
            {"alg": HEADER["alg"], "enc": HEADER["enc"]},
            *({**HEADER, name: value} for name, values in ODD.items() for value in values),
            {**HEADER, "zip": "DEF"},
            {**HEADER, "x": "y" * 100_000},
        ],
        ids=lambda header: repr(header)[:40],
    )
    @pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
    def test_not_with_an_odd_header(self, header: Any) -> None:
        with pytest.raises(EnvelopeError):
            unseal(with_header(header), PASSPHRASE)

    @pytest.mark.parametrize(
        ("envelope", "passphrase"),
        [
            (foreign("PBES2-HS512+A256KW", "A256GCM"), PASSPHRASE),
            (foreign("PBES2-HS256+A128KW", "A128GCM"), PASSPHRASE),
            (foreign("PBES2-HS256+A128KW", "A128CBC-HS256"), PASSPHRASE),
            (foreign("PBES2-HS256+A128KW", "A256GCM", zip="DEF"), PASSPHRASE),
            (foreign("A128KW", "A256GCM", "k" * 16), "k" * 16),
            (foreign("A256GCMKW", "A256GCM", "k" * 32), "k" * 32),
            (foreign("dir", "A256GCM", "k" * 32), "k" * 32),
        ],
        ids=["key", "content", "mac", "zip", "bare key", "bare gcm", "dir"],
    )
    def test_not_by_other_algorithms(self, envelope: bytes, passphrase: str) -> None:
        """Not even with the right passphrase: what is stored does not choose how safe it is."""
        with pytest.raises(EnvelopeError):
            unseal(envelope, passphrase)

    def test_not_after_any_number_of_iterations(self) -> None:
        """Whoever writes to the database shall not keep the signer's threads busy."""
        envelope = go_seal(CONTENT, PASSPHRASE.encode(), p2c=300_001)
        with pytest.raises(EnvelopeError):
            unseal(envelope, PASSPHRASE)

    def test_errors_show_no_secret(self) -> None:
        secret = "a secret of the operator"
        for envelope in (GOOD, with_header({**HEADER, "alg": "dir"}), GOOD[:50]):
            with pytest.raises(EnvelopeError) as caught:
                unseal(envelope, secret)
            assert str(caught.value) in (OPENING, DAMAGED)
            assert secret not in repr(caught.value.__cause__)


class TestAnything:
    @many
    @given(st.binary() | st.lists(st.binary().map(encoded), min_size=5, max_size=5).map(b".".join))
    def test_bytes(self, envelope: bytes) -> None:
        with pytest.raises(EnvelopeError):
            unseal(envelope, PASSPHRASE)

    @many
    @given(damaged(GOOD) | st.integers(0, len(GOOD)).map(lambda size: GOOD[:size]))
    @pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
    def test_damaged_envelopes(self, envelope: bytes) -> None:
        try:
            assert unseal(envelope, PASSPHRASE) == CONTENT
        except EnvelopeError:
            assert envelope != GOOD

    @many
    @given(mutated(HEADER))
    @pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
    def test_headers(self, header: Any) -> None:
        with pytest.raises(EnvelopeError):
            unseal(with_header(header), PASSPHRASE)


def test_warns_of_nothing() -> None:
    """Whatever a passphrase looks like: the operator chose it, and the log is no place for it."""
    program = (
        "from notary.signer.envelope import seal, unseal\n"
        f"for passphrase in {PASSPHRASES!r}:\n"
        "    assert unseal(seal(b'content', passphrase), passphrase) == b'content'\n"
    )
    command = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
