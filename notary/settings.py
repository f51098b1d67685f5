"""From sections of the configuration to what the rooms that use them take."""

from __future__ import annotations

from notary.config.sections import Storage
from notary.config.server import RemoteTrust
from notary.secret_file import SecretFileError, read_secret
from notary.storage.certificates import Certificates
from notary.storage.dsn import DSNError
from notary.storage.opening import DatabaseSettings
from notary.tls import KeyPair


def database_settings(storage: Storage) -> DatabaseSettings:
    """Return which database ``storage`` names. May read a file.

    Raises:
        DSNError: there is no password in the file that ought to hold it.
    """
    certificates = Certificates(
        storage.tls_ca_file, storage.client_cert_file, storage.client_key_file
    )
    return DatabaseSettings(storage.backend, storage.db_url, certificates, _password(storage))


def _password(storage: Storage) -> str | None:
    file = storage.db_password_file
    try:
        return None if file is None else read_secret(file)
    except SecretFileError as error:
        raise DSNError(f"storage.db_password_file: {file} {error}") from error


def client_pair(trust: RemoteTrust) -> KeyPair | None:
    """Return what the server shows to the signer, None for nothing."""
    if trust.tls_client_cert is None or trust.tls_client_key is None:
        return None
    return KeyPair(trust.tls_client_cert, trust.tls_client_key)
