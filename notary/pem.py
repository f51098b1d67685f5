"""Reading certificates and private keys from files, and saying what is wrong with one."""

from __future__ import annotations

from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import load_pem_private_key

MAX_BYTES = 4 * 1024 * 1024
"""More than all authorities of an operating system take."""

_CERTIFICATE = b"-----BEGIN CERTIFICATE-----"
_DER = b"\x30"
_PRIVATE_KEY = b"PRIVATE KEY-----"


class PEMError(Exception):
    """A file does not hold what it should; the message names it and says what to do."""


def read_certificates(file: Path) -> list[x509.Certificate]:
    """Return all certificates of a file, at least one, in its order.

    Raises:
        PEMError: there is none, or one of them cannot be read.
    """
    what = f"no PEM certificate can be read from {file}"
    content = _read(file, what)
    if _CERTIFICATE not in content:
        raise PEMError(f"{what}: {_instead(content)}")
    try:
        return x509.load_pem_x509_certificates(content)
    except (ValueError, x509.InvalidVersion) as error:
        raise PEMError(f"{what}: one is damaged; replace the file by a whole copy") from error


def read_private_key(file: Path) -> PrivateKeyTypes:
    """Return the private key in a file.

    Raises:
        PEMError: there is none, or it is encrypted.
    """
    what = f"no unencrypted PEM private key can be read from {file}"
    content = _read(file, what)
    if _PRIVATE_KEY not in content:
        raise PEMError(f"{what}: {_instead(content)}")
    try:
        return load_pem_private_key(content, password=None)
    except TypeError as error:
        raise PEMError(
            f"{what}: it is encrypted, and nobody is there to type a passphrase; decrypt it "
            f"(openssl pkey -in {file} -out NEW) and guard it by its permissions"
        ) from error
    except (ValueError, UnsupportedAlgorithm):
        # What the library says of a key may hold a part of it.
        raise PEMError(f"{what}: it is damaged or of an unknown kind; replace the file") from None


def names_of(certificate: x509.Certificate) -> list[str]:
    """Return the host names and IP addresses that a certificate is for (RFC 6125, 6.4)."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    names = extension.value
    addresses = map(str, names.get_values_for_type(x509.IPAddress))
    return [*names.get_values_for_type(x509.DNSName), *addresses]


def _read(file: Path, what: str) -> bytes:
    try:
        with file.open("rb") as opened:
            content = opened.read(MAX_BYTES + 1)
    except OSError as error:
        raise PEMError(f"{what}: {error.strerror}") from error
    if len(content) > MAX_BYTES:
        raise PEMError(f"{what}: it is larger than {MAX_BYTES} bytes; is it the right file?")
    return content


def _instead(content: bytes) -> str:
    """Say what a file holds that does not hold what it should, and what to do."""
    if not content.strip():
        return "it is empty"
    if content.startswith(_DER):
        return (
            "it is in DER; convert it to PEM "
            "(openssl x509 or openssl pkey, with -inform der -in FILE -out NEW)"
        )
    if _PRIVATE_KEY in content:
        return "it holds a private key; are the files of key and certificate swapped?"
    if _CERTIFICATE in content:
        return "it holds a certificate; are the files of key and certificate swapped?"
    return "no line of it begins with -----BEGIN; is it the right file?"
