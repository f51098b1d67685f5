"""The parts of a path: what each may look like."""

from __future__ import annotations

from werkzeug.routing import BaseConverter


class GUNConverter(BaseConverter):
    """A collection's name; it may hold slashes."""

    regex = r"[^*]+"
    part_isolating = False


class RoleConverter(BaseConverter):
    """A role; that of a delegation holds slashes."""

    regex = r"root|targets(?:/[^/\s.]+)*|snapshot|timestamp"
    part_isolating = False


class ServerRoleConverter(BaseConverter):
    """A role whose key the server may hold."""

    regex = r"snapshot|timestamp"


class ChecksumConverter(BaseConverter):
    """A SHA-256, SHA-384 or SHA-512 checksum in hex; files are stored under the first."""

    regex = r"[a-fA-F0-9]{64}|[a-fA-F0-9]{96}|[a-fA-F0-9]{128}"

    def to_python(self, value: str) -> str:
        """Return the checksum in lower case."""
        return value.lower()


class VersionConverter(BaseConverter):
    """A file's version; what no database column holds is none."""

    regex = r"[0-9]{1,10}"

    def to_python(self, value: str) -> int:
        """Return the number."""
        return int(value)


CONVERTERS = {
    "gun": GUNConverter,
    "role": RoleConverter,
    "server_role": ServerRoleConverter,
    "checksum": ChecksumConverter,
    "version": VersionConverter,
}
