"""Names of collections and roles."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notary.tuf.errors import InvalidGUNError
from notary.tuf.names import ancestors, check_gun, is_delegation, is_role, parent
from tests.tuf.strategies import many

DELEGATIONS = [
    "targets/releases",
    "targets/a/b",
    "targets/a-b_c/0",
    "targets/targets",
    "targets/root",
    "targets/" + "a" * 247,
]
OTHERS = [
    "",
    "target",
    "Targets/a",
    "targets/",
    "targets/a/",
    "targets//a",
    "/targets/a",
    "targets/A",
    "targets/a.b",
    "targets/..",
    "targets/a/../b",
    "targets/a b",
    "targets/a\n",
    "targets/\u00e9",
    "targets/\u0661",
    "root/a",
    "snapshot/a",
    "targetsa",
    "targets/" + "a" * 248,
]


@pytest.mark.parametrize("role", DELEGATIONS)
def test_a_delegation_is_a_role(role: str) -> None:
    assert is_delegation(role)
    assert is_role(role)


@pytest.mark.parametrize("role", ["root", "targets", "snapshot", "timestamp"])
def test_a_base_role_is_no_delegation(role: str) -> None:
    assert not is_delegation(role)
    assert is_role(role)


@pytest.mark.parametrize("name", OTHERS)
def test_other_names_are_no_roles(name: str) -> None:
    assert not is_delegation(name)
    assert not is_role(name)


@pytest.mark.parametrize(
    ("role", "above"),
    [
        ("targets", []),
        ("targets/a", ["targets"]),
        ("targets/a/b", ["targets", "targets/a"]),
        ("targets/a/b/c", ["targets", "targets/a", "targets/a/b"]),
    ],
)
def test_ancestors_of_a_role(role: str, above: list[str]) -> None:
    assert ancestors(role) == above
    assert parent(role) == (above[-1] if above else "")


@pytest.mark.parametrize(
    "gun",
    [
        "a",
        "docker.io/library/alpine",
        "localhost:5000/app",
        "host/A_b~c%2F",
        "host/two words",
        "host/.hidden/...",
        "host/caf\u00e9",
        "\uff5e",
        "a" * 255,
    ],
)
def test_allows_a_gun(gun: str) -> None:
    check_gun(gun)


@pytest.mark.parametrize(
    ("gun", "message"),
    [
        ("", "empty part"),
        ("a" * 256, "more than 255 characters"),
        (" a", "white space"),
        ("a ", "white space"),
        ("a\u00a0", "white space"),
        ("/a", "empty part"),
        ("a/", "empty part"),
        ("a//b", "empty part"),
        ("a/./b", "empty part, or one that is . or .."),
        ("a/../b", "empty part, or one that is . or .."),
        ("..", "empty part, or one that is . or .."),
        ("a*", "not allowed"),
        ("*", "not allowed"),
        ("a\tb", "not allowed"),
        ("a\x00b", "not allowed"),
        ("a\u00a0b", "not allowed"),
        ("a\u200bb", "not allowed"),
        ("a\ud800", "not allowed"),
        ("a\U0001f433", "not allowed"),
    ],
)
def test_refuses_a_gun(gun: str, message: str) -> None:
    with pytest.raises(InvalidGUNError, match=message):
        check_gun(gun)


@many
@given(st.text())
def test_any_text_is_a_gun_or_refused(gun: str) -> None:
    try:
        check_gun(gun)
    except InvalidGUNError:
        return
    assert 0 < len(gun) <= 255
    assert len(gun.encode("utf-16-le")) == 2 * len(gun)
    assert gun == gun.strip()
