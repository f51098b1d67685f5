"""The TLS settings of a server for the standard library's TLS."""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterable
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from OpenSSL import crypto

from notary.tls.contexts import CIPHERS, Content, ServerSettings, openssl_context

TICKETS = 1
"""Tickets that a client gets for a connection, to resume its session with."""


class FastServerContext(ServerSettings[ssl.SSLContext]):
    """The TLS settings of a server, for `notary.fast`."""

    def _made_of(self, content: Content) -> ssl.SSLContext:
        openssl_context(content)  # which refuses what would be refused without uvloop
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(CIPHERS)
        context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
        context.num_tickets = TICKETS
        pair = content.pair
        _show(context, pair["privateKey"], [pair["certificate"], *pair["extraCertChain"]])
        if content.authorities is not None:
            context.load_verify_locations(cadata=_pem(content.authorities).decode())
            context.verify_mode = ssl.CERT_REQUIRED
            context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        return context


def _show(context: ssl.SSLContext, key: crypto.PKey, chain: Iterable[crypto.X509]) -> None:
    """Have a context show what is in memory, though it takes files only."""
    private: Any = key.to_cryptography_key()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with open(os.memfd_create("pair", os.MFD_CLOEXEC), "wb", buffering=0) as file:
        file.write(pem + _pem(chain))
        context.load_cert_chain(f"/proc/self/fd/{file.fileno()}")


def _pem(certificates: Iterable[crypto.X509]) -> bytes:
    return b"".join(each.to_cryptography().public_bytes(Encoding.PEM) for each in certificates)
