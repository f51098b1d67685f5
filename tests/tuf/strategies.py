"""What Hypothesis throws at the readers of metadata."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

many = settings(max_examples=80, deadline=None)

INT64 = st.integers(-(2**63), 2**63 - 1)
NAMES = st.sampled_from(
    """
    _type version expires keys roles meta targets delegations hashes length sha256 keyid keyids
    keytype keyval public threshold name paths sig method signed signatures root snapshot timestamp
    Keys
    """.split()  # noqa: SIM905
)
STRINGS = st.text() | NAMES | st.sampled_from(["Root", "targets/a", "AA==", "=", "\u00e9", "ecdsa"])
SCALARS = st.none() | st.booleans() | INT64 | STRINGS

json_values: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda children: (
        st.lists(children, max_size=4) | st.dictionaries(NAMES | st.text(), children, max_size=5)
    ),
    max_leaves=20,
)


@st.composite
def mutated(draw: st.DrawFn, original: Any) -> Any:
    """A JSON value in which one to three parts have been replaced, added or taken out."""
    value = copy.deepcopy(original)
    for _ in range(draw(st.integers(1, 3))):
        container, name = draw(st.sampled_from(_places(value)))
        action = draw(st.sampled_from(["replace", "remove", "add"]))
        if action == "remove":
            container.pop(name)
        elif action == "add" and isinstance(container, dict):
            container[draw(STRINGS)] = container[name]
        else:
            container[name] = draw(json_values)
        if not _places(value):
            break
    return value


def _places(value: Any) -> list[tuple[Any, Any]]:
    if not isinstance(value, (dict, list)):
        return []
    members = list(value.items()) if isinstance(value, dict) else list(enumerate(value))
    return [(value, name) for name, _ in members] + [
        place for _, child in members for place in _places(child)
    ]


@st.composite
def damaged(draw: st.DrawFn, original: bytes) -> bytes:
    """Bytes of which one to four have another value."""
    data = bytearray(original)
    for _ in range(draw(st.integers(1, 4))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data)
