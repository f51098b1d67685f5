"""Who may import whom: the rules that keep the house in order."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "notary"

ALLOWED = {
    "tuf": {"tuf"},
    "storage": {"storage", "tuf"},
    "signing": {"signing", "fast", "storage", "tuf", "tls", "request_id"},
    "server": {
        "server",
        "pem",
        "signing",
        "storage",
        "tuf",
        "observe",
        "sharing",
        "draining",
        "request_id",
    },
    "signer": {
        "signer",
        "signing",
        "storage",
        "tuf",
        "observe",
        "sharing",
        "draining",
        "tls",
        "request_id",
        "secret_file",
    },
    "config": {"config"},
    "observe": {"observe", "sharing", "request_id", "__version__"},
    "request_id": {"request_id"},
    "sharing": {"sharing"},
    "settings": {"settings", "config", "secret_file", "storage", "tls"},
    "check": {"check", "config", "pem", "settings", "signing", "storage", "tls"},
    "pem": {"pem"},
    "probe": {"probe", "tls"},
    "secret_file": {"secret_file"},
    "tls": {"tls", "pem"},
    "door": {"door", "config", "fast", "sockets", "tls"},
    "fast": {"fast"},
    "sockets": {"sockets", "config"},
    "reloading": {"reloading"},
    "signals": {"signals"},
    "workers": {
        "workers",
        "config",
        "daemon",
        "door",
        "observe",
        "sharing",
        "sockets",
    },
    "allocator": {"allocator"},
    "collector": {"collector"},
    "daemon": {
        "daemon",
        "allocator",
        "collector",
        "fast",
        "observe",
        "reloading",
        "signals",
        "systemd",
        "__version__",
    },
    "draining": {"draining"},
    "systemd": {"systemd"},
    "command": {"command", "config", "__version__"},
}
"""What the modules of each room may import of the others."""

TAPS = {
    f"notary.{daemon}.{module}"
    for daemon in ("server", "signer")
    for module in ("tap", "main", "check")
}
"""What puts daemons together, or looks at all of their parts, and their commands: may import every
room but another daemon's."""

WIRING = {*TAPS, "notary.settings", "notary.check.database", "notary.check.signer"}
"""What may name implementations."""

CONCRETE = {
    "notary.storage.bootstrap",
    "notary.storage.cached",
    "notary.storage.engines",
    "notary.storage.keys.memory",
    "notary.storage.keys.sql",
    "notary.storage.memory",
    "notary.storage.opening",
    "notary.storage.sql",
    "notary.storage.threads",
    "notary.signing.connections",
    "notary.signing.local",
    "notary.signing.remote",
}
"""Modules with implementations that only a tap, or their own room, may name."""

IMPURE = {
    "asyncio",
    "os",
    "pathlib",
    "random",
    "secrets",
    "socket",
    "subprocess",
    "threading",
    "time",
    "twisted",
    "zope",
}
"""What would let the outside world into the domain."""


def modules() -> Iterator[tuple[str, Path]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        yield ".".join(part for part in parts if part != "__init__"), path


def imports(path: Path) -> set[str]:
    """The full names of everything a module imports, wherever in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def room_of(name: str) -> str:
    return name.split(".")[1] if "." in name else ""


def starts_with_any(name: str, prefixes: set[str]) -> bool:
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)


MODULES = [pytest.param(name, path, id=name) for name, path in modules() if room_of(name)]


def test_there_are_modules_in_every_room() -> None:
    assert {room_of(name) for name, _ in modules()} == {*ALLOWED, ""}


@pytest.mark.parametrize(("name", "path"), MODULES)
def test_rooms(name: str, path: Path) -> None:
    ours = {item for item in imports(path) if item.startswith("notary.")}
    allowed = ALLOWED[room_of(name)]
    if name in TAPS:
        allowed = allowed | {
            "__version__",
            "check",
            "command",
            "config",
            "daemon",
            "door",
            "fast",
            "reloading",
            "settings",
            "sockets",
            "tls",
            "workers",
        }
    assert {room_of(item) for item in ours} <= allowed


@pytest.mark.parametrize(("name", "path"), MODULES)
def test_only_taps_name_implementations_and_the_reactor(name: str, path: Path) -> None:
    if name in WIRING:
        return
    names = imports(path)
    assert "twisted.internet.reactor" not in names
    foreign = {item for item in names if room_of(item) != room_of(name)}
    assert not {item for item in foreign if starts_with_any(item, CONCRETE)}


@pytest.mark.parametrize(
    ("name", "path"), [param for param in MODULES if room_of(str(param.values[0])) == "tuf"]
)
def test_the_domain_is_pure(name: str, path: Path) -> None:
    assert not {item for item in imports(path) if starts_with_any(item, IMPURE)}
    tree = ast.parse(path.read_text())
    attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not attributes & {"now", "utcnow", "today"} - _own_attributes(tree)
    calls = {
        node.func.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not calls & {"open", "print", "input"}


def _own_attributes(tree: ast.Module) -> set[str]:
    """Names of fields that a class of the module declares; ``self.now`` is no clock."""
    return {
        node.target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }


def test_plugins_name_taps_by_string() -> None:
    plugins = sorted((PACKAGE.parent / "twisted" / "plugins").glob("notary_*.py"))
    assert plugins
    for plugin in plugins:
        assert not {item for item in imports(plugin) if item.startswith("notary")}
