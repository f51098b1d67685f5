"""A password or passphrase that has a file to itself."""

from __future__ import annotations

from pathlib import Path

MAX_BYTES = 4096


class SecretFileError(Exception):
    """A file holds no secret that could be used; the message says why, after its name."""


def read_secret(path: Path) -> str:
    """Return what a file of at most `MAX_BYTES` bytes holds, without a line break at its end.

    Raises:
        SecretFileError: it cannot be read, is no UTF-8, empty or too long.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        # Editors and shells end a file with a line feed, which nobody means.
        secret = content.decode().removesuffix("\n").removesuffix("\r")
    except OSError as error:
        raise SecretFileError(f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError:
        raise SecretFileError("is not UTF-8 text") from None
    if not secret or len(content) > MAX_BYTES:
        size = "empty" if not secret else f"longer than {MAX_BYTES} bytes"
        raise SecretFileError(f"is {size}")
    return secret
