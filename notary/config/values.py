"""Types of single values.

They are as forgiving about JSON types as the configuration files of the Go daemons expect: a number
may be written as a string and the other way round, and environment variables are always strings.
"""

from __future__ import annotations

import ipaddress
import os
import re
import stat
from pathlib import Path
from typing import Annotated, Any

import attrs
from pydantic import BeforeValidator, ValidationInfo

_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
_PORT = re.compile(r"[0-9]{1,5}")
_SYSTEMD = re.compile(r"systemd:domain=INET6?:(index=[0-9]{1,4}|name=[^:=\\]+)")
_HOST_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")
_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})


def kind_of(value: object) -> str:
    """Name the JSON type of a value, with its article."""
    if isinstance(value, dict):
        return "a map"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, str):
        return "a string"
    return "null" if value is None else "a number"


def _as_text(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    raise ValueError(f"is {kind_of(value)} where a string belongs")


def _as_integer(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        return int(value)
    raise ValueError("is not a whole number")


def flag(value: object) -> bool:
    """Read a boolean, or one of the words that the Go programs take for it.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(value, bool):
        return value
    if isinstance(value, (str, int)) and str(value) in _TRUE | _FALSE:
        return str(value) in _TRUE
    raise ValueError("is neither true nor false")


Text = Annotated[str, BeforeValidator(_as_text)]
Integer = Annotated[int, BeforeValidator(_as_integer)]
Flag = Annotated[bool, BeforeValidator(flag)]


@attrs.frozen
class ListenAddress:
    """Where a daemon listens.

    Attributes:
        host: An IP address or host name; empty means every interface.
        port: A TCP port; 0 lets the system choose a free one.
    """

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@attrs.frozen
class SystemdSocket:
    """A socket that systemd listens on for a daemon.

    Attributes:
        description: as `twisted.internet.endpoints.serverFromString` takes it.
    """

    description: str

    def __str__(self) -> str:
        return self.description


def _as_host(value: object) -> str:
    text = _as_text(value)
    if _HOST_NAME.fullmatch(text) and len(text) <= 253:
        return text
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ValueError("is not a host name or an IP address") from None


def _as_listen_address(value: object) -> ListenAddress:
    if isinstance(value, ListenAddress):
        return value
    host, colon, port = _as_text(value).rpartition(":")
    if not colon or not _PORT.fullmatch(port) or int(port) > 65535:
        raise ValueError(
            "is not an address to listen on: write ':PORT', 'HOST:PORT' or '[IPv6]:PORT' "
            "with a port from 0 to 65535"
        )
    if host.startswith("[") and host.endswith("]"):
        try:
            return ListenAddress(str(ipaddress.IPv6Address(host[1:-1])), int(port))
        except ValueError:
            raise ValueError("has no IPv6 address between its brackets") from None
    if ":" in host:
        raise ValueError("holds an IPv6 address without brackets: write '[IPv6]:PORT'")
    return ListenAddress(_as_host(host) if host else "", int(port))


def _as_address(value: object) -> ListenAddress | SystemdSocket:
    if isinstance(value, SystemdSocket):
        return value
    if not isinstance(value, str) or not value.startswith("systemd:"):
        return _as_listen_address(value)
    if not _SYSTEMD.fullmatch(value):
        raise ValueError(
            "is no socket of systemd: write 'systemd:domain=INET6:name=NAME', or index=0 in place "
            "of the name; the domain is INET or INET6"
        )
    return SystemdSocket(value)


def _as_loopback_address(value: object) -> ListenAddress:
    address = _as_listen_address(value)
    if not _is_loopback(address.host):
        raise ValueError(
            "could be reached from other hosts: write 'localhost:PORT', '127.0.0.1:PORT' or "
            "'[::1]:PORT'"
        )
    return address


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _as_network(value: object) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(_as_text(value))
    except ValueError:
        raise ValueError(
            "is not an IP address or a network such as '10.0.0.0/8' or 'fd00::/8', whose bits "
            "beyond its length are 0"
        ) from None


Host = Annotated[str, BeforeValidator(_as_host)]
ListenOnly = Annotated[ListenAddress, BeforeValidator(_as_listen_address)]
Address = Annotated[ListenAddress | SystemdSocket, BeforeValidator(_as_address)]
LoopbackAddress = Annotated[ListenAddress, BeforeValidator(_as_loopback_address)]
Network = Annotated[ipaddress.IPv4Network | ipaddress.IPv6Network, BeforeValidator(_as_network)]


def resolve(value: object, info: ValidationInfo[Any]) -> Path:
    """Make a path absolute, relative to the directory of the configuration file.

    Args:
        value: A path as it was configured.
        info: Its context holds that directory under ``directory``; without a context the working
            directory stands in.

    Raises:
        ValueError: if the value is no string, or holds a null character.
    """
    text = str(value) if isinstance(value, Path) else _as_text(value)
    if "\0" in text:
        raise ValueError("holds a null character")
    directory = (info.context or {}).get("directory", "")
    return Path(os.path.abspath(os.path.join(directory, text)))


def _as_readable_file(value: object, info: ValidationInfo[Any]) -> Path:
    path = resolve(value, info)
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ValueError(f"is not a regular file (looked at {str(path)!r})")
        path.open("rb").close()
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror} (looked at {str(path)!r})") from error
    return path


ReadableFile = Annotated[Path, BeforeValidator(_as_readable_file)]
