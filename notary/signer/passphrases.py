"""The passphrases that open the keys, by the aliases under which the database names them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from notary.secret_file import SecretFileError, read_secret

PREFIX = "NOTARY_SIGNER"

_FILE = "_FILE"


class PassphraseError(Exception):
    """There is no passphrase for an alias; the message says what to do, and shows none."""


class Passphrases:
    """Finds passphrases in environment variables, or in files that such variables name.

    Args:
        environ: environment variables.
        directory: where relative paths begin, as in the configuration file.
    """

    def __init__(self, environ: Mapping[str, str], directory: Path) -> None:
        self._environ = environ
        self._directory = directory

    def passphrase(self, alias: str) -> str:
        """Return the passphrase of an alias. May read a file.

        Raises:
            PassphraseError: there is none, or it cannot be read.
        """
        name = variable(alias)
        value, path = self._environ.get(name), self._environ.get(name + _FILE)
        if value and path:
            raise PassphraseError(
                f"the alias {alias!r} has two passphrases: set {name} or {name}{_FILE}, not both"
            )
        file = self.file(alias)
        if file is not None:
            return self._read(alias, file)
        if not value:
            raise PassphraseError(
                f"there is no passphrase for the alias {alias!r}: set {name}{_FILE} to the path of "
                f"a file that holds it, or {name} to the passphrase itself"
            )
        return value

    def file(self, alias: str) -> Path | None:
        """Return the file that holds the passphrase of an alias, None if a variable does."""
        path = self._environ.get(variable(alias) + _FILE)
        return Path(os.path.abspath(self._directory / path)) if path else None

    def _read(self, alias: str, path: Path) -> str:
        try:
            return read_secret(path)
        except SecretFileError as error:
            where = f"the passphrase of the alias {alias!r} in {path}"
            raise PassphraseError(f"{where} {error}") from None


def variable(alias: str) -> str:
    """Name the environment variable of an alias, as the Go signer does."""
    return f"{PREFIX}_{alias}".upper().replace(".", "_")
