"""What came of a TLS handshake."""

from __future__ import annotations

from typing import Any

from OpenSSL import SSL, crypto
from service_identity import VerificationError
from twisted.python.failure import Failure

_VERIFY_ERRORS = {
    7: "is signed by an authority that is not trusted here, though one of its name is",
    9: "is not valid yet",
    10: "has expired",
    18: "is self-signed and not among the authorities that are trusted here",
    19: "is signed by an authority that is not trusted here",
    20: "is signed by an authority that is not trusted here",
    21: "is signed by an authority that is not trusted here",
    26: "is not meant for this end of a connection (key usage)",
}
"""What OpenSSL's errors mean, by their numbers in <openssl/x509_vfy.h>."""


def remember_what_is_wrong(
    connection: SSL.Connection, certificate: crypto.X509, error: int, _depth: int, ok: int
) -> bool:
    """Verify as OpenSSL does, and keep for `handshake_error` what it has against a certificate."""
    if not ok:
        subject = certificate.to_cryptography().subject.rfc4514_string()
        reason = _VERIFY_ERRORS.get(error, f"does not verify (OpenSSL's error {error})")
        connection.set_app_data(f"the certificate of {subject} {reason}")
    return bool(ok)


def handshake_error(transport: Any, reason: Failure) -> str:
    """Say why a TLS handshake failed.

    Args:
        transport: of the protocol that was told that the connection is lost.
        reason: what it was told.
    """
    remembered = transport.getHandle().get_app_data()
    if isinstance(remembered, str):
        return remembered
    error = reason.value
    if isinstance(error, SSL.Error):
        return f"the TLS handshake failed: {reasons(error) or 'the other end broke it off'}"
    if isinstance(error, VerificationError):
        return "its certificate is not for the name under which it was reached"
    return f"the TLS handshake failed: {reason.getErrorMessage()}"


def peer_name(transport: Any) -> str:
    """Return the subject of the certificate that the other end showed, if it did."""
    certificate = transport.getPeerCertificate()
    if certificate is None:
        return "a client without certificate"
    return str(certificate.to_cryptography().subject.rfc4514_string())


def reasons(error: SSL.Error) -> str:
    """Return what OpenSSL gives as reasons; it may give none."""
    return ", ".join(reason for *_, reason in error.args[0]) if error.args else ""
