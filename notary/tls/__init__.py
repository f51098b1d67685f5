"""TLS: which certificates are shown, which are trusted, and why one was not."""

from notary.tls.contexts import ClientContext, ServerContext
from notary.tls.fast import FastServerContext
from notary.tls.files import KeyPair, TLSError
from notary.tls.handshakes import handshake_error, peer_name

__all__ = [
    "ClientContext",
    "FastServerContext",
    "KeyPair",
    "ServerContext",
    "TLSError",
    "handshake_error",
    "peer_name",
]
