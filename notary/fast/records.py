"""TLS of one connection, as it is between what is sent and what is meant."""

from __future__ import annotations

import ssl
from contextlib import suppress

from cryptography import x509
from OpenSSL import SSL, crypto

READ_BYTES = 64 * 1024
"""Bytes that are read at once: more than a record has, so that none is left in parts."""

TLS_ERRORS = (ssl.SSLError, SSL.Error)
"""What either library raises when a handshake fails, or what comes is no TLS."""


class Records:
    """OpenSSL's end of a connection, a server's. Nothing here waits, or knows of sockets.

    Args:
        context: the TLS settings.

    Attributes:
        handle: the library's own end.
        is_client: whether this end begins.
    """

    is_client = False

    def __init__(self, context: ssl.SSLContext) -> None:
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self.handle = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self.take_in = self._incoming.write

    def shake_hands(self) -> bool:
        """Go on with the handshake, and return whether that is done.

        Raises:
            SSLError: it has failed; what is to be sent says why to the client.
        """
        try:
            self.handle.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def read(self) -> bytes | None:
        """Return what the client says; nothing if it says no more, None if there is no more yet.

        Raises:
            SSLError: it is no TLS, or somebody has changed it.
        """
        if not self._incoming.pending:
            return None
        try:
            return self.handle.read(READ_BYTES)
        except ssl.SSLWantReadError:  # there is a part of a record
            return None
        except ssl.SSLZeroReturnError:
            return b""

    def write(self, data: bytes | memoryview) -> None:
        """Say something to the client."""
        sent = self.handle.write(data) if data else 0
        while sent < len(data):
            sent += self.handle.write(memoryview(data)[sent:])

    def say_goodbye(self) -> None:
        """Say to the client that this is all."""
        with suppress(ssl.SSLError):  # which says that the client has not done so itself
            self.handle.unwrap()

    def only_tickets_are_left(self) -> bool:
        """Whether the client awaits nothing more of the handshake but tickets.

        These need not be sent on their own: who resumes sessions asks for something in each.
        """
        return self.handle.version() == "TLSv1.3"

    @property
    def unsent(self) -> int:
        """How many bytes are to be sent."""
        return self._outgoing.pending

    def take_out(self) -> bytes:
        """Return what is to be sent."""
        return self._outgoing.read()

    def certificate(self) -> crypto.X509 | None:
        """Return the certificate that the client has shown, if the handshake is done and it did."""
        try:
            shown = self.handle.getpeercert(binary_form=True)
        except ValueError:
            return None
        if shown is None:
            return None
        return crypto.X509.from_cryptography(x509.load_der_x509_certificate(shown))

    def negotiated(self) -> bytes | None:
        """Return what is spoken, if that was agreed on (ALPN)."""
        name = self.handle.selected_alpn_protocol()
        return None if name is None else name.encode()
