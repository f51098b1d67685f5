from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from notary.config.values import (
    Address,
    Flag,
    Host,
    Integer,
    ListenAddress,
    LoopbackAddress,
    Network,
    ReadableFile,
    SystemdSocket,
    Text,
)

ADDRESS: TypeAdapter[ListenAddress | SystemdSocket] = TypeAdapter(
    Address, config={"arbitrary_types_allowed": True}
)


def refusal(adapter: TypeAdapter[Any], value: object, directory: Path | None = None) -> str:
    context = {"directory": directory} if directory else None
    with pytest.raises(ValidationError) as caught:
        adapter.validate_python(value, context=context)
    return str(caught.value.errors()[0]["msg"])


@pytest.mark.parametrize(
    ("value", "text"),
    [("x", "x"), (7899, "7899"), (1.5, "1.5"), (True, "true"), (False, "false")],
)
def test_text(value: object, text: str) -> None:
    assert TypeAdapter(Text).validate_python(value) == text


@pytest.mark.parametrize(("value", "kind"), [({}, "a map"), ([], "a list"), (None, "null")])
def test_not_text(value: object, kind: str) -> None:
    assert f"is {kind} where a string belongs" in refusal(TypeAdapter(Text), value)


@pytest.mark.parametrize(
    ("value", "number"), [(300, 300), (300.0, 300), ("300", 300), ("-1", -1), ("+7", 7)]
)
def test_integer(value: object, number: int) -> None:
    assert TypeAdapter(Integer).validate_python(value) == number


@pytest.mark.parametrize(
    "value", [1.5, float("inf"), True, "1.0", "1_000", " 1", "", "x", "9" * 20, "\u0663", [], {}]
)
def test_not_integer(value: object) -> None:
    assert "is not a whole number" in refusal(TypeAdapter(Integer), value)


@pytest.mark.parametrize("value", [True, "true", "True", "TRUE", "t", "T", "1", 1])
def test_flag_set(value: object) -> None:
    assert TypeAdapter(Flag).validate_python(value) is True


@pytest.mark.parametrize("value", [False, "false", "False", "FALSE", "f", "F", "0", 0])
def test_flag_unset(value: object) -> None:
    assert TypeAdapter(Flag).validate_python(value) is False


@pytest.mark.parametrize("value", ["yes", "tRUE", 2, 1.0, [], {}])
def test_not_flag(value: object) -> None:
    assert "is neither true nor false" in refusal(TypeAdapter(Flag), value)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        (":4443", "", 4443),
        (":0", "", 0),
        ("localhost:65535", "localhost", 65535),
        ("127.0.0.1:80", "127.0.0.1", 80),
        ("[::1]:4443", "::1", 4443),
        ("notary.example.com.:443", "notary.example.com.", 443),
    ],
)
def test_listen_address(text: str, host: str, port: int) -> None:
    address = ADDRESS.validate_python(text)
    assert address == ListenAddress(host, port)
    assert str(address) == text
    assert ADDRESS.validate_python(address) is address


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("4443", "is not an address to listen on"),
        (4443, "is not an address to listen on"),
        ("host", "is not an address to listen on"),
        (":", "is not an address to listen on"),
        (":65536", "is not an address to listen on"),
        (":-1", "is not an address to listen on"),
        (":https", "is not an address to listen on"),
        (":\u0664", "is not an address to listen on"),
        ("::1:4443", "without brackets"),
        ("[::1:4443", "without brackets"),
        ("[host]:4443", "has no IPv6 address between its brackets"),
        ("[127.0.0.1]:4443", "has no IPv6 address between its brackets"),
        ("https//host:4443", "is not a host name or an IP address"),
        ("a b:4443", "is not a host name or an IP address"),
        ([], "is a list where a string belongs"),
    ],
)
def test_not_listen_address(value: object, problem: str) -> None:
    assert problem in refusal(ADDRESS, value)


@given(st.text())
def test_any_text_is_a_listen_address_or_refused(text: str) -> None:
    try:
        address = ADDRESS.validate_python(text)
    except ValidationError:
        return
    assert ADDRESS.validate_python(str(address)) == address


@pytest.mark.parametrize("host", ["notarysigner", "a.b", "10.0.0.1", "::1", "my_signer-2"])
def test_host(host: str) -> None:
    assert TypeAdapter(Host).validate_python(host) == host


@pytest.mark.parametrize(
    "host",
    ["", "-x", "a..b", "a/b", "https://a", "user@a", "a:1", ".", "\u00e4", ("a" * 63 + ".") * 4],
)
def test_not_host(host: str) -> None:
    assert "is not a host name or an IP address" in refusal(TypeAdapter(Host), host)


def test_file_is_relative_to_the_directory(tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    (tmp_path / "x.crt").touch()
    files = TypeAdapter(ReadableFile)
    context = {"directory": tmp_path / "conf"}
    assert files.validate_python("../x.crt", context=context) == tmp_path / "x.crt"
    assert files.validate_python(str(tmp_path / "x.crt"), context=context) == tmp_path / "x.crt"
    assert files.validate_python(tmp_path / "x.crt") == tmp_path / "x.crt"


def test_file_without_a_context_is_relative_to_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x.crt").touch()
    monkeypatch.chdir(tmp_path)
    assert TypeAdapter(ReadableFile).validate_python("x.crt") == tmp_path / "x.crt"


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("absent.crt", "cannot be read: No such file or directory (looked at '{}/absent.crt')"),
        ("file/x.crt", "cannot be read: Not a directory (looked at '{}/file/x.crt')"),
        (".", "is not a regular file (looked at '{}')"),
        ("/dev/null", "is not a regular file (looked at '/dev/null')"),
        ("a\0b", "holds a null character"),
        ([], "is a list where a string belongs"),
    ],
)
def test_not_readable_file(tmp_path: Path, name: object, problem: str) -> None:
    (tmp_path / "file").touch()
    found = refusal(TypeAdapter(ReadableFile), name, tmp_path)
    assert found == "Value error, " + problem.format(tmp_path)


@pytest.mark.parametrize(
    "value",
    [
        "systemd:domain=INET6:name=web",
        "systemd:domain=INET:index=0",
    ],
)
def test_socket_of_systemd(value: str) -> None:
    socket = ADDRESS.validate_python(value)
    assert socket == SystemdSocket(value)
    assert ADDRESS.validate_python(socket) is socket
    assert str(socket) == value


@pytest.mark.parametrize(
    "value",
    [
        "systemd:",
        "systemd:domain=INET",
        "systemd:domain=INET5:index=0",
        "systemd:domain=UNIX:index=0",
        "systemd:domain=INET:index=x",
        "systemd:domain=INET:name=a:index=0",
        "systemd:domain=INET:name=",
    ],
)
def test_not_a_socket_of_systemd(value: str) -> None:
    assert "is no socket of systemd: write 'systemd:domain=" in refusal(ADDRESS, value)


LOOPBACK: TypeAdapter[ListenAddress] = TypeAdapter(
    LoopbackAddress, config={"arbitrary_types_allowed": True}
)


@pytest.mark.parametrize("value", ["localhost:8080", "127.0.0.1:0", "127.8.0.1:1", "[::1]:8080"])
def test_loopback(value: str) -> None:
    assert str(LOOPBACK.validate_python(value)) == value


@pytest.mark.parametrize(
    "value", [":8080", "0.0.0.0:8080", "[::]:8080", "10.0.0.1:1", "example.com:1", "localhost.x:1"]
)
def test_not_loopback(value: str) -> None:
    assert "could be reached from other hosts" in refusal(LOOPBACK, value)


NETWORK: TypeAdapter[Any] = TypeAdapter(Network, config={"arbitrary_types_allowed": True})


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("10.1.2.3", "10.1.2.3/32"),
        ("::1", "::1/128"),
        ("fd00::/8", "fd00::/8"),
    ],
)
def test_network(value: str, text: str) -> None:
    assert str(NETWORK.validate_python(value)) == text


@pytest.mark.parametrize("value", ["10.0.0.1/8", "proxy", "", "10.0.0.0/33"])
def test_not_a_network(value: str) -> None:
    assert "is not an IP address or a network" in refusal(NETWORK, value)
