"""TLS of one connection, by pyOpenSSL."""

from __future__ import annotations

from contextlib import suppress

from OpenSSL import SSL, crypto

from notary.fast.records import READ_BYTES


class OpenSSLRecords:
    """What `Records` is, for the settings of `notary.tls` that Twisted could use as well.

    It takes a few microseconds more for each message, and verifies whatever the connection is set
    to verify.

    Args:
        connection: without a socket.
        is_client: whether this end begins.
    """

    def __init__(self, connection: SSL.Connection, *, is_client: bool) -> None:
        self.handle = connection
        self.is_client = is_client
        self._stale = False
        self._sealed = b""
        if is_client:
            connection.set_connect_state()
        else:
            connection.set_accept_state()
        self.take_in = connection.bio_write

    def shake_hands(self) -> bool:
        """See `Records.shake_hands`; what is raised is pyOpenSSL's `Error`."""
        self._stale = True
        try:
            self.handle.do_handshake()
        except SSL.WantReadError:
            return False
        return True

    def read(self) -> bytes | None:
        """See `Records.read`; what is raised is pyOpenSSL's `Error`."""
        self._stale = True
        try:
            return self.handle.recv(READ_BYTES)
        except SSL.WantReadError:
            return None
        except SSL.ZeroReturnError:
            return b""

    def write(self, data: bytes | memoryview) -> None:
        """See `Records.write`."""
        self._stale = True
        if data:
            self.handle.sendall(data)

    def say_goodbye(self) -> None:
        """See `Records.say_goodbye`."""
        self._stale = True
        with suppress(SSL.Error):
            self.handle.shutdown()

    def only_tickets_are_left(self) -> bool:
        """See `Records.only_tickets_are_left`."""
        return not self.is_client and self.handle.get_protocol_version_name() == "TLSv1.3"

    @property
    def unsent(self) -> int:
        """How many bytes are to be sent."""
        self._seal()
        return len(self._sealed)

    def take_out(self) -> bytes:
        """Return what is to be sent."""
        self._seal()
        sealed, self._sealed = self._sealed, b""
        return sealed

    def _seal(self) -> None:
        """Take over what OpenSSL has to be sent, which it does not tell the size of."""
        if not self._stale:
            return
        self._stale = False
        with suppress(SSL.WantReadError):
            while piece := self.handle.bio_read(READ_BYTES):
                self._sealed += piece
                if len(piece) < READ_BYTES:
                    break

    def certificate(self) -> crypto.X509 | None:
        """Return the certificate that the other end has shown, if it did."""
        return self.handle.get_peer_certificate()

    def negotiated(self) -> bytes | None:
        """Return what is spoken, if that was agreed on (ALPN)."""
        return self.handle.get_alpn_proto_negotiated() or None
