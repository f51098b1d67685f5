"""Which certificates a daemon believes, and shows, when it connects to its database."""

from __future__ import annotations

import ssl
from pathlib import Path

import attrs

from notary.storage.interfaces import DSNError

CA_KEY = "storage.tls_ca_file"
CERT_KEY = "storage.client_cert_file"
KEY_KEY = "storage.client_key_file"


@attrs.frozen
class Certificates:
    """What ``storage`` says about TLS; without any of it ``storage.db_url`` decides alone.

    Attributes:
        ca: authorities in PEM, one of which must have signed the database's certificate.
        certificate: shown to the database, in PEM, followed by its intermediate certificates.
        key: that certificate's private key in PEM.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def __bool__(self) -> bool:
        return self.ca is not None or self.certificate is not None

    @property
    def setting(self) -> str:
        """The setting that asks for TLS, for messages."""
        return CERT_KEY if self.ca is None else CA_KEY


NO_CERTIFICATES = Certificates()


def tls_context(certificates: Certificates, *, verify: bool) -> ssl.SSLContext:
    """Return what makes a connection to a database that speaks TLS 1.2 or 1.3.

    Args:
        certificates: without authorities, those of the operating system count.
        verify: whether the database's certificate and name are checked.

    Raises:
        DSNError: a file cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=certificates.ca)
    except OSError as error:
        raise DSNError(f"{CA_KEY}: no certificates of authorities in PEM: {error}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if certificates.certificate is not None:
        try:
            # Without a password OpenSSL would ask for one at the terminal.
            context.load_cert_chain(certificates.certificate, certificates.key, password="")
        except (OSError, ValueError) as error:
            raise DSNError(
                f"{CERT_KEY}, {KEY_KEY}: no certificate with its unencrypted key in PEM: {error}"
            ) from error
    return context
