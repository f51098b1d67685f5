"""The TLS settings of servers and clients, which can be taken in anew from their files."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Generic, TypeVar

import attrs
from OpenSSL import SSL, crypto
from twisted.internet import ssl
from twisted.internet.interfaces import (
    IOpenSSLClientConnectionCreator,
    IOpenSSLServerConnectionCreator,
)
from zope.interface import implementer

from notary.tls.files import KeyPair, certificates, trusting
from notary.tls.handshakes import remember_what_is_wrong, server_check

SESSION_SECONDS = 3600
"""How long clients may resume sessions at the most."""

CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"

_COMMON: dict[str, Any] = {
    "raiseMinimumTo": ssl.TLSVersion.TLSv1_2,
    "acceptableCiphers": ssl.AcceptableCiphers.fromOpenSSLCipherString(CIPHERS),
}

_T = TypeVar("_T")


@attrs.frozen
class Content:
    """What the files of a server hold.

    Attributes:
        pair: certificate and key, as keywords of `ssl.CertificateOptions`.
        authorities: who vouches for clients, None if nobody has to.
    """

    pair: dict[str, Any]
    authorities: Sequence[crypto.X509] | None


class ServerSettings(ABC, Generic[_T]):
    """The TLS settings of a server: TLS 1.2 or newer, forward secrecy, AEAD ciphers.

    Clients may resume sessions, by tickets; nothing about them is kept here. The keys of tickets
    belong to one OpenSSL context. A new one is made whenever files are taken in, so that nobody
    comes in by a session that former files allowed, and after `SESSION_SECONDS`, since a resumed
    session does not check whether a client's certificate has expired, and is as secret as the
    keys of its tickets. Connections that are open keep theirs.

    Args:
        pair: what the server shows.
        client_ca_file: certificates in PEM; every client has to show one of them, or one that one
            of them signed. None to let anybody in.
        protocols: what is spoken, for ALPN; none if that is not to be negotiated.
        seconds: a clock, which tells how old the keys of tickets are.

    Raises:
        TLSError: a file cannot be read, the key is not the certificate's, or one of them is too
            weak.
    """

    def __init__(
        self,
        pair: KeyPair,
        client_ca_file: Path | None,
        protocols: Sequence[bytes] = (),
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pair = pair
        self._client_ca_file = client_ca_file
        self._protocols = protocols
        self._seconds = seconds
        self._take_in()

    @property
    def files(self) -> Sequence[Path]:
        """What the settings are made of."""
        pair = self._pair.certificate_file, self._pair.key_file
        return pair if self._client_ca_file is None else (*pair, self._client_ca_file)

    def reload(self) -> None:
        """Make the settings of the files as they are now, for connections from now on.

        A daemon starts with a certificate that has expired, since that is for the other end to
        judge; but such a one never takes the place of another.

        Raises:
            TLSError: the files will not do; the former settings stay.
        """
        self._pair.refuse_expired()
        self._take_in()

    def _take_in(self) -> None:
        ca_file = self._client_ca_file
        authorities = None if ca_file is None else certificates(ca_file)
        content = Content(self._pair.options(), authorities)
        self._renew(content)
        self._content = content

    def _renew(self, content: Content) -> None:
        with self._pair.refusals():
            self._context = self._made_of(content)
        self._made_at = self._seconds()

    @abstractmethod
    def _made_of(self, content: Content) -> _T:
        """Return a new context.

        Raises:
            SSLError: the pair will not do, either library's.
        """

    def context(self) -> _T:
        """Return the context for one more connection."""
        if self._seconds() - self._made_at >= SESSION_SECONDS:
            self._renew(self._content)
        return self._context


@implementer(IOpenSSLServerConnectionCreator)
class ServerContext(ServerSettings[SSL.Context]):
    """The TLS settings of a server, for Twisted."""

    def _made_of(self, content: Content) -> SSL.Context:
        context = openssl_context(content)
        if self._protocols:
            context.set_alpn_select_callback(_one_of(self._protocols))
        return context

    def serverConnectionForTLS(self, _protocol: object) -> SSL.Connection:
        """Return one more connection, which demands a certificate of the client if need be."""
        connection = SSL.Connection(self.context())
        if self._client_ca_file is not None:
            connection.set_verify(
                SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, remember_what_is_wrong
            )
        return connection


def openssl_context(content: Content) -> SSL.Context:
    """Return a context for a server, which can be changed.

    Raises:
        SSL.Error: certificate or key will not do.
    """
    authorities = content.authorities
    context = ssl.CertificateOptions(
        **content.pair,
        **_COMMON,
        enableSessionTickets=True,
        trustRoot=None if authorities is None else trusting(authorities),
    ).getContext()
    context.set_options(SSL.OP_NO_RENEGOTIATION)
    if authorities is not None:
        _allow_partial_chains(context)
    return context


@implementer(IOpenSSLClientConnectionCreator)
class ClientContext:
    """The TLS settings of a client that checks who the server is.

    It trusts the very certificates it is given, those of intermediate authorities too.

    Args:
        host: the name or IP address that the server's certificate has to be for.
        ca_file: certificates in PEM; the server has to show one of them, or one that one of them
            signed. None for the authorities that the operating system trusts.
        pair: what the client shows, None for nothing.
        protocols: what it wants to speak, for ALPN.

    Raises:
        TLSError: as `ServerContext`.
    """

    def __init__(
        self, host: str, ca_file: Path | None, pair: KeyPair | None, protocols: Sequence[bytes]
    ) -> None:
        self._host = host
        self._server_name = _server_name(host)
        self._ca_file = ca_file
        self._pair = pair
        self._protocols = protocols
        self._take_in()

    @property
    def files(self) -> Sequence[Path]:
        """What the settings are made of."""
        pair = [] if self._pair is None else [self._pair.certificate_file, self._pair.key_file]
        return pair if self._ca_file is None else [*pair, self._ca_file]

    def reload(self) -> None:
        """Make the settings of the files as they are now, for connections from now on.

        Raises:
            TLSError: as `ServerContext.reload`.
        """
        if self._pair is not None:
            self._pair.refuse_expired()
        self._take_in()

    def _take_in(self) -> None:
        options = dict(_COMMON)
        if self._pair is not None:
            options |= self._pair.options()
            with self._pair.refusals():
                ssl.CertificateOptions(**options).getContext()
        context = ssl.CertificateOptions(trustRoot=self._trust_root(), **options).getContext()
        context.set_options(SSL.OP_NO_RENEGOTIATION)
        if self._protocols:
            context.set_alpn_protos(list(self._protocols))
        _allow_partial_chains(context)
        self._context = context

    def _trust_root(self) -> Any:
        if self._ca_file is None:
            return ssl.platformTrust()
        return trusting(certificates(self._ca_file))

    def clientConnectionForTLS(self, _protocol: object) -> SSL.Connection:
        """Return one more connection."""
        connection = SSL.Connection(self._context)
        if self._server_name is not None:
            connection.set_tlsext_host_name(self._server_name)
        connection.set_verify(SSL.VERIFY_PEER, server_check(self._host))
        return connection


def _server_name(host: str) -> bytes | None:
    """Return what servers are told that they are reached under: names, not addresses (RFC 6066)."""
    try:
        ip_address(host)
    except ValueError:
        return host.encode("idna")
    return None


def _one_of(protocols: Sequence[bytes]) -> Callable[[SSL.Connection, list[bytes]], Any]:
    """Return a choice for ALPN that leaves refusing whoever offers none of these to the protocol.

    With Twisted's own choice such a handshake fails, as an internal error of OpenSSL.
    """

    def select(_connection: SSL.Connection, offered: list[bytes]) -> Any:
        common = (protocol for protocol in protocols if protocol in offered)
        return next(common, SSL.NO_OVERLAPPING_PROTOCOLS)

    return select


def _allow_partial_chains(context: SSL.Context) -> None:
    """Trust any certificate that is given as an authority, as Go does, not self-signed ones only.

    The Go daemons' samples name a leaf certificate as ``client_ca_file``.
    """
    store: Any = context.get_cert_store()
    store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)
