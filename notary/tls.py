"""TLS: which certificates are shown, which are trusted, and why one was not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import attrs
from OpenSSL import SSL, crypto
from service_identity import CertificateError, VerificationError
from service_identity.cryptography import extract_patterns
from service_identity.hazmat import DNS_ID, IPAddress_ID, verify_service_identity
from twisted.internet import ssl
from twisted.internet.interfaces import (
    IOpenSSLClientConnectionCreator,
    IOpenSSLServerConnectionCreator,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from notary.pem import PEMError, names_of, read_certificates, read_private_key

_COMMON: dict[str, Any] = {
    "raiseMinimumTo": ssl.TLSVersion.TLSv1_2,
    "acceptableCiphers": ssl.AcceptableCiphers.fromOpenSSLCipherString(
        "ECDHE+AESGCM:ECDHE+CHACHA20"
    ),
}
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

_troubles: WeakKeyDictionary[SSL.Connection, str] = WeakKeyDictionary()
"""What was wrong with the certificate of the other end, by connection."""


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
        leaf, *chain = _certificates(self.certificate_file)
        key = _private_key(self.key_file)
        if _public_part(leaf.get_pubkey()) != _public_part(key):
            raise TLSError(
                f"the key in {self.key_file} does not belong to the certificate in "
                f"{self.certificate_file}: set the two that were made together"
            )
        return {"privateKey": key, "certificate": leaf, "extraCertChain": chain}

    @contextmanager
    def refusals(self) -> Iterator[None]:
        """Turn what OpenSSL has against the pair into `TLSError`."""
        try:
            yield
        except SSL.Error as error:
            raise TLSError(
                f"the certificate in {self.certificate_file} will not do: {_reasons(error)}; "
                "have one issued for a key of P-256, or RSA of 2048 bits or more"
            ) from error


def server_context(
    pair: KeyPair, client_ca_file: Path | None, protocols: Sequence[bytes] = ()
) -> Any:
    """Return the TLS settings of a server: TLS 1.2 or newer, forward secrecy, AEAD ciphers.

    Args:
        pair: what the server shows.
        client_ca_file: certificates in PEM; every client has to show one of them, or one that one
            of them signed. None to let anybody in.
        protocols: what is spoken, for ALPN; none if that is not to be negotiated.

    Returns:
        What a reactor's ``listenSSL`` takes.

    Raises:
        TLSError: a file cannot be read, the key is not the certificate's, or one of them is too
            weak.
    """
    options = ssl.CertificateOptions(
        **pair.options(),
        **_COMMON,
        trustRoot=None if client_ca_file is None else _trust_root(client_ca_file),
    )
    with pair.refusals():
        context = options.getContext()
    if protocols:
        context.set_alpn_select_callback(_one_of(protocols))
    return options if client_ca_file is None else _ClientsChecked(context)


def client_context(
    host: str, ca_file: Path | None, pair: KeyPair | None, protocols: Sequence[bytes]
) -> IOpenSSLClientConnectionCreator:
    """Return the TLS settings of a client that checks who the server is.

    Args:
        host: the name or IP address that the server's certificate has to be for.
        ca_file: certificates in PEM; the server has to show one of them, or one that one of them
            signed. None for the authorities that the operating system trusts.
        pair: what the client shows, None for nothing.
        protocols: what it wants to speak, for ALPN.

    Raises:
        TLSError: as `server_context`.
    """
    options = {**_COMMON, **({} if pair is None else pair.options())}
    if pair is not None:
        with pair.refusals():
            ssl.CertificateOptions(**options).getContext()
    creator = ssl.optionsForClientTLS(
        host,
        trustRoot=ssl.platformTrust() if ca_file is None else _trust_root(ca_file),
        acceptableProtocols=list(protocols),
        extraCertificateOptions=options,
    )
    return _ServerChecked(creator, host)


def _one_of(protocols: Sequence[bytes]) -> Callable[[SSL.Connection, list[bytes]], Any]:
    """Return a choice for ALPN that leaves refusing whoever offers none of these to the protocol.

    With Twisted's own choice such a handshake fails, as an internal error of OpenSSL.
    """

    def select(_connection: SSL.Connection, offered: list[bytes]) -> Any:
        common = (protocol for protocol in protocols if protocol in offered)
        return next(common, SSL.NO_OVERLAPPING_PROTOCOLS)

    return select


@implementer(IOpenSSLServerConnectionCreator)
class _ClientsChecked:
    """Demands certificates of clients, and remembers what is wrong with one."""

    def __init__(self, context: SSL.Context) -> None:
        _allow_partial_chains(context)
        self._context = context

    def serverConnectionForTLS(self, _protocol: object) -> SSL.Connection:
        connection = SSL.Connection(self._context)
        connection.set_verify(
            SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, _remember_what_is_wrong
        )
        return connection


@implementer(IOpenSSLClientConnectionCreator)
class _ServerChecked:
    """Trusts the very certificates it is given, those of intermediate authorities too.

    It also remembers what is wrong with the server's certificate, which Twisted does not.
    """

    def __init__(self, creator: IOpenSSLClientConnectionCreator, host: str) -> None:
        self._creator = creator
        self._host = host
        try:
            self._identity: Any = IPAddress_ID(str(ip_address(host)))
        except ValueError:
            self._identity = DNS_ID(host)

    def clientConnectionForTLS(self, protocol: Any) -> SSL.Connection:
        connection = self._creator.clientConnectionForTLS(protocol)
        _allow_partial_chains(connection.get_context())
        connection.set_verify(SSL.VERIFY_PEER, self._check)
        return connection

    def _check(
        self, connection: SSL.Connection, certificate: crypto.X509, error: int, depth: int, ok: int
    ) -> bool:
        if not ok or depth:
            return _remember_what_is_wrong(connection, certificate, error, depth, ok)
        shown = certificate.to_cryptography()
        try:
            verify_service_identity(extract_patterns(shown), [self._identity], [])
        except (CertificateError, VerificationError):
            names = names_of(shown)
            is_for = f"is for {', '.join(names)}" if names else "names no host (subjectAltName)"
            _troubles[connection] = (
                f"the certificate of {shown.subject.rfc4514_string()} {is_for}, not for "
                f"{self._host}, under which it was reached"
            )
            return False
        return True


def _allow_partial_chains(context: SSL.Context) -> None:
    """Trust any certificate that is given as an authority, as Go does, not self-signed ones only.

    The Go daemons' samples name a leaf certificate as ``client_ca_file``.
    """
    store: Any = context.get_cert_store()
    store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)


def _remember_what_is_wrong(
    connection: SSL.Connection, certificate: crypto.X509, error: int, _depth: int, ok: int
) -> bool:
    if not ok:
        subject = certificate.to_cryptography().subject.rfc4514_string()
        reason = _VERIFY_ERRORS.get(error, f"does not verify (OpenSSL's error {error})")
        _troubles[connection] = f"the certificate of {subject} {reason}"
    return bool(ok)


def handshake_error(transport: Any, reason: Failure) -> str:
    """Say why a TLS handshake failed.

    Args:
        transport: of the protocol that was told that the connection is lost.
        reason: what it was told.
    """
    remembered = _troubles.get(transport.getHandle())
    if remembered is not None:
        return remembered
    error = reason.value
    if isinstance(error, SSL.Error):
        reasons = _reasons(error) or "the other end broke it off"
        meaning = next((told for alert, told in _ALERTS.items() if reasons.endswith(alert)), None)
        return f"the TLS handshake failed: {reasons}{f' ({meaning})' if meaning else ''}"
    return f"the TLS handshake failed: {reason.getErrorMessage()}"


def peer_name(transport: Any) -> str:
    """Return the subject of the certificate that the other end showed, if it did."""
    certificate = transport.getPeerCertificate()
    if certificate is None:
        return "a client without certificate"
    return str(certificate.to_cryptography().subject.rfc4514_string())


def _reasons(error: SSL.Error) -> str:
    return ", ".join(reason for *_, reason in error.args[0]) if error.args else ""


def _trust_root(file: Path) -> Any:
    return ssl.trustRootFromCertificates([ssl.Certificate(each) for each in _certificates(file)])


def _certificates(file: Path) -> list[crypto.X509]:
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
