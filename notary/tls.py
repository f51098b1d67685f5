"""TLS for the daemons' doors, and the doors themselves."""

from __future__ import annotations

import errno
import socket
from pathlib import Path
from typing import Any, cast

from cryptography import x509
from OpenSSL import SSL, crypto
from twisted.application.service import Service
from twisted.internet import ssl
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import ServerFactory
from twisted.logger import Logger

_CIPHERS = ssl.AcceptableCiphers.fromOpenSSLCipherString("ECDHE+AESGCM:ECDHE+CHACHA20")
_NO_IPV6 = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL)


class TLSError(Exception):
    """A certificate or key will not do; the message names the file."""


def server_context(
    certificate_file: Path, key_file: Path, client_ca_file: Path | None
) -> ssl.CertificateOptions:
    """Return the TLS settings of a server: TLS 1.2 or newer, forward secrecy, AEAD ciphers.

    Args:
        certificate_file: the server's certificate in PEM, its issuers behind it.
        key_file: its private key in PEM, not encrypted.
        client_ca_file: certificates in PEM; every client has to show one that one of them signed.
            None to let anybody in.

    Raises:
        TLSError: a file cannot be read, the key is not the certificate's, or one of them is too
            weak.
    """
    leaf, *chain = _certificates(certificate_file)
    key = _private_key(key_file)
    if _public_part(leaf.get_pubkey()) != _public_part(key):
        raise TLSError(
            f"the key in {key_file} does not belong to the certificate in {certificate_file}"
        )
    roots = None
    if client_ca_file is not None:
        authorities = [ssl.Certificate(authority) for authority in _certificates(client_ca_file)]
        roots = ssl.trustRootFromCertificates(authorities)
    options = ssl.CertificateOptions(
        privateKey=key,
        certificate=leaf,
        extraCertChain=chain,
        trustRoot=roots,
        raiseMinimumTo=ssl.TLSVersion.TLSv1_2,
        acceptableCiphers=_CIPHERS,
    )
    try:
        options.getContext()
    except SSL.Error as error:
        reasons = ", ".join(reason for *_, reason in error.args[0])
        raise TLSError(f"the certificate in {certificate_file} will not do: {reasons}") from error
    return options


def _certificates(file: Path) -> list[crypto.X509]:
    try:
        certificates = x509.load_pem_x509_certificates(file.read_bytes())
    except (OSError, ValueError) as error:
        raise TLSError(f"no PEM certificate can be read from {file}: {error}") from error
    return [crypto.X509.from_cryptography(certificate) for certificate in certificates]


def _private_key(file: Path) -> crypto.PKey:
    try:
        return crypto.load_privatekey(crypto.FILETYPE_PEM, file.read_bytes(), passphrase=b"")
    except (OSError, crypto.Error) as error:
        raise TLSError(
            f"no unencrypted PEM private key can be read from {file}: {type(error).__name__}"
        ) from error


def _public_part(key: crypto.PKey) -> bytes:
    return crypto.dump_publickey(crypto.FILETYPE_PEM, key)


class Door(Service):
    """Listens on an address for as long as the service runs.

    Args:
        reactor: does the listening.
        host: an IP address or host name; empty for every interface, IPv6 and IPv4.
        port: the TCP port.
        factory: serves the connections.
        context: the TLS settings, None for plain text.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        host: str,
        port: int,
        factory: ServerFactory[Any],
        context: ssl.CertificateOptions | None,
    ) -> None:
        self._reactor = reactor
        self._host = host
        self._port = port
        self._factory = factory
        self._context = context
        self._listening: IListeningPort | None = None

    def privilegedStartService(self) -> None:
        """Begin to listen, before `twistd` gives up the rights of root.

        Raises:
            SystemExit: that is not possible; the message says why.
        """
        super().privilegedStartService()
        if self._context is not None:
            self._log.info("Enabling TLS")
        host = f"[{self._host}]" if ":" in self._host else self._host
        address = f"{host}:{self._port}"
        self._log.info("Starting on {address}", address=address)
        try:
            self._listening = self._listen_on_any() if not self._host else self._listen_on_host()
        except (CannotListenError, OSError) as error:
            reason = getattr(error, "socketError", error)
            raise SystemExit(f"cannot listen on {address}: {reason}") from error

    def startService(self) -> None:
        """Begin to listen, unless that was done before."""
        super().startService()
        if self._listening is None:
            self.privilegedStartService()

    def _listen_on_any(self) -> IListeningPort:
        try:
            return self._listen("::")
        except CannotListenError as error:
            if error.socketError.errno not in _NO_IPV6:
                raise
            return self._listen("0.0.0.0")  # noqa: S104 - that is what an empty host means

    def _listen_on_host(self) -> IListeningPort:
        found = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        addresses = sorted(found, key=lambda info: info[0] != socket.AF_INET)
        return self._listen(str(addresses[0][4][0]))

    def _listen(self, interface: str) -> IListeningPort:
        if self._context is None:
            port = self._reactor.listenTCP(self._port, self._factory, interface=interface)
        else:
            port = self._reactor.listenSSL(
                self._port, self._factory, self._context, interface=interface
            )
        return cast(IListeningPort, port)

    def stopService(self) -> Deferred[None]:
        """Cease to listen.

        Returns:
            A Deferred that fires with None when the port is closed.
        """
        super().stopService()
        if self._listening is None:
            return maybeDeferred(lambda: None)
        return maybeDeferred(self._listening.stopListening).addCallback(lambda _: None)
