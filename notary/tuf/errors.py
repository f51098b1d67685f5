"""Everything that can be wrong with metadata."""

from __future__ import annotations


class TUFError(Exception):
    """Something is wrong with metadata; the message is fit to be shown to its author."""


class MalformedJSONError(TUFError):
    """Bytes are not the JSON that metadata is written in."""


class InvalidMetadataError(TUFError):
    """A file does not hold what a file of its role must hold."""


class InvalidKeyError(TUFError):
    """A public key cannot be used."""


class SignatureError(TUFError):
    """A file is not signed as its role demands."""


class ExpiredError(TUFError):
    """A file's time is over."""


class InvalidGUNError(TUFError):
    """A name cannot be that of a collection."""


class PublishError(TUFError):
    """A publish breaks a rule. Each kind has its own name on the wire."""


class ValidationError(PublishError):
    """A publish breaks a rule that belongs to no single file."""


class BadHierarchyError(PublishError):
    """A publish leaves out a file that it needs.

    Attributes:
        missing: the role of that file.
    """

    def __init__(self, message: str, missing: str) -> None:
        super().__init__(message)
        self.missing = missing


class BadRootError(PublishError):
    """The root, uploaded or stored, does not do."""


class BadTargetsError(PublishError):
    """A targets or delegation file does not do."""


class BadSnapshotError(PublishError):
    """The uploaded snapshot does not do."""


class StaleVersionError(TUFError):
    """The store holds that version already, or a newer one."""
