"""Certificates and keys in files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from ssl import SSLError
from typing import Any

import attrs
from OpenSSL import SSL, crypto
from twisted.internet import ssl

from notary.pem import PEMError, read_certificates, read_private_key
from notary.tls.handshakes import reasons


class TLSError(Exception):
    """A certificate or key will not do; the message names the file."""


@attrs.frozen
class KeyPair:
    """A certificate and its private key, to be shown to the other end.

    Attributes:
        certificate_file: the certificate in PEM, its issuers behind it.
        key_file: the private key in PEM, not encrypted.
    """

    certificate_file: Path
    key_file: Path

    def options(self) -> dict[str, Any]:
        """Return the pair as keywords of `ssl.CertificateOptions`.

        Raises:
            TLSError: a file cannot be read, or the key is not the certificate's.
        """
        leaf, *chain = certificates(self.certificate_file)
        key = _private_key(self.key_file)
        if _public_part(leaf.get_pubkey()) != _public_part(key):
            raise TLSError(
                f"the key in {self.key_file} does not belong to the certificate in "
                f"{self.certificate_file}: set the two that were made together"
            )
        return {"privateKey": key, "certificate": leaf, "extraCertChain": chain}

    def refuse_expired(self) -> None:
        """Raise `TLSError` if the certificate has expired, or cannot be read."""
        end = certificates(self.certificate_file)[0].to_cryptography().not_valid_after_utc
        if end < datetime.now(timezone.utc):
            raise TLSError(
                f"the certificate in {self.certificate_file} has expired: it was valid until {end}"
            )

    @contextmanager
    def refusals(self) -> Iterator[None]:
        """Turn what OpenSSL has against the pair into `TLSError`."""
        try:
            yield
        except (SSL.Error, SSLError) as error:
            raise TLSError(
                f"the certificate in {self.certificate_file} will not do: {reasons(error)}; "
                "have one issued for a key of P-256, or RSA of 2048 bits or more"
            ) from error


def trusting(authorities: Sequence[crypto.X509]) -> Any:
    """Return certificates as those that Twisted is to trust."""
    return ssl.trustRootFromCertificates([ssl.Certificate(each) for each in authorities])


def certificates(file: Path) -> list[crypto.X509]:
    """Return the certificates of a file.

    Raises:
        TLSError: it cannot be read.
    """
    try:
        return [crypto.X509.from_cryptography(each) for each in read_certificates(file)]
    except PEMError as error:
        raise TLSError(str(error)) from error


def _private_key(file: Path) -> crypto.PKey:
    try:
        return crypto.PKey.from_cryptography_key(read_private_key(file))  # type: ignore[arg-type]
    except PEMError as error:
        raise TLSError(str(error)) from error
    except TypeError as error:
        raise TLSError(f"the private key in {file} is of a kind that TLS does not use") from error


def _public_part(key: crypto.PKey) -> bytes:
    return crypto.dump_publickey(crypto.FILETYPE_PEM, key)
