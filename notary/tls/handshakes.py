"""What came of a TLS handshake."""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import ip_address
from ssl import SSLError
from typing import Any
from weakref import WeakKeyDictionary

from OpenSSL import SSL, crypto
from service_identity import CertificateError, VerificationError
from service_identity.cryptography import extract_patterns
from service_identity.hazmat import DNS_ID, IPAddress_ID, verify_service_identity
from twisted.python.failure import Failure

from notary.pem import names_of

_VERIFY_ERRORS = {
    7: "is signed by an authority that is not trusted here, though one of its name is",
    9: "is not valid yet",
    10: "has expired",
    18: "is self-signed and not among the authorities that are trusted here",
    19: "is the root of what was shown, and not among the authorities that are trusted here",
    20: "is signed by an authority that is not trusted here",
    21: "is signed by an authority that is not trusted here",
    26: "is not meant for this end of a connection (key usage)",
}
"""What OpenSSL's errors mean, by their numbers in <openssl/x509_vfy.h>."""

_ALERTS = {
    "alert bad certificate": "it refused our certificate",
    "alert certificate expired": "it says that our certificate has expired: renew it",
    "alert certificate required": "it demands a certificate of us, and none is configured",
    "alert certificate unknown": "it refused our certificate",
    "alert no application protocol": "it does not speak our protocol; is it a Go daemon?",
    "alert unknown ca": "it refused our certificate, as one of an authority that it does not trust",
    "alert unsupported certificate": "it refused our certificate, as not meant for this use",
}
"""What the other end means by its last words."""

troubles: WeakKeyDictionary[SSL.Connection, str] = WeakKeyDictionary()
"""What was wrong with the certificate of the other end, by connection."""


def remember_what_is_wrong(
    connection: SSL.Connection, certificate: crypto.X509, error: int, _depth: int, ok: int
) -> bool:
    """Verify as OpenSSL does, and keep for `handshake_error` what it has against a certificate."""
    if not ok:
        subject = certificate.to_cryptography().subject.rfc4514_string()
        reason = _VERIFY_ERRORS.get(error, f"does not verify (OpenSSL's error {error})")
        troubles[connection] = f"the certificate of {subject} {reason}"
    return bool(ok)


def server_check(host: str) -> Callable[..., bool]:
    """Return a verification that also wants a server's certificate to be for a host.

    Args:
        host: a name or an IP address.
    """
    try:
        identity: Any = IPAddress_ID(str(ip_address(host)))
    except ValueError:
        identity = DNS_ID(host)

    def check(
        connection: SSL.Connection, certificate: crypto.X509, error: int, depth: int, ok: int
    ) -> bool:
        if not ok or depth:
            return remember_what_is_wrong(connection, certificate, error, depth, ok)
        shown = certificate.to_cryptography()
        try:
            verify_service_identity(extract_patterns(shown), [identity], [])
        except (CertificateError, VerificationError):
            names = names_of(shown)
            is_for = f"is for {', '.join(names)}" if names else "names no host (subjectAltName)"
            troubles[connection] = (
                f"the certificate of {shown.subject.rfc4514_string()} {is_for}, not for {host}, "
                "under which it was reached"
            )
            return False
        return True

    return check


def handshake_error(transport: Any, reason: Failure) -> str:
    """Say why a TLS handshake failed.

    Args:
        transport: of the protocol that was told that the connection is lost.
        reason: what it was told.
    """
    remembered = troubles.get(transport.getHandle())
    if remembered is not None:
        return remembered
    error = reason.value
    if isinstance(error, SSL.Error):
        given = reasons(error) or "the other end broke it off"
        meaning = next((told for alert, told in _ALERTS.items() if given.endswith(alert)), None)
        return f"the TLS handshake failed: {given}{f' ({meaning})' if meaning else ''}"
    return f"the TLS handshake failed: {reason.getErrorMessage()}"


def peer_name(transport: Any) -> str:
    """Return the subject of the certificate that the other end showed, if it did."""
    certificate = transport.getPeerCertificate()
    if certificate is None:
        return "a client without certificate"
    return str(certificate.to_cryptography().subject.rfc4514_string())


def reasons(error: SSL.Error | SSLError) -> str:
    """Return what OpenSSL gives as reasons; it may give none."""
    if isinstance(error, SSLError):
        return (error.reason or "").replace("_", " ").lower()
    return ", ".join(reason for *_, reason in error.args[0]) if error.args else ""
